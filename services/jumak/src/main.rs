//! `jumak`: see [`jumak::cli`].

// A command's future holds a whole system's; with optimisation the compiler lays out more nested types than it does by default.
#![recursion_limit = "256"]

use std::process::ExitCode;

use clap::Parser;
use jumak::cli::{Cli, failure};

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failure::report(&error),
    }
}
