//! `jumak`: see [`jumak::cli`].

// A command's future holds a whole system's; with optimisation the compiler lays out more nested types than it does by default.
#![recursion_limit = "256"]

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use jumak::cli::{Cli, failure};

/// How long what is still running when a command has ended may take. Waiting for it, as a runtime does that is dropped, may have no
/// end: a lookup of a name that hangs, a task that spins.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let command = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&error.into()),
    };
    let ended = runtime.block_on(command.run());
    runtime.shutdown_timeout(LEFT_BEHIND);
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failure::report(&error),
    }
}
