//! `jumak`: see [`jumak::cli`].

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
