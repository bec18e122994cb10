//! `jumak`: see [`jumak::cli`].

// A command's future contains the future of a whole system. A release build computes layouts that nest deeper than the default limit.
#![recursion_limit = "256"]

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use jumak::cli::{Cli, failure};

/// How long tasks that still run when a command has ended may take. Dropping the runtime would wait for them without a bound, for example
/// for a DNS lookup that hangs.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// It gives memory back after a burst. The C library's allocator keeps it, in one arena for almost every thread: ADR 42.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

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
