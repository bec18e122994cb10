//! The commands.

pub mod connect;
pub mod duration;
pub mod failure;
pub mod migrate;
pub mod options;
pub mod serve;
pub mod shell;
pub mod signals;
pub mod target;
pub mod token;
pub mod up;
pub mod watchdog;

use clap::{Parser, Subcommand};
pub use mesh::output;

use crate::{audit, backup, bench, bus_tools, call, demo};

/// Stays, meals, goods and cars, sold on one gRPC mesh.
///
/// `jumak up` runs everything in one process, with nothing to install and all data in one folder. It prints the commands of a first
/// booking: in another terminal, `jumak token` makes a token and `jumak call` makes calls.
#[derive(Debug, Parser)]
#[command(name = "jumak", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Each command is documented at its options.
#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Args),
    Serve(serve::Args),
    Token(token::Args),
    Call(call::Args),
    Migrate(migrate::Args),
    Audit(audit::Args),
    Backup(backup::BackupArgs),
    Restore(backup::RestoreArgs),
    Demo(demo::Args),
    DeadLetters(bus_tools::DeadLettersArgs),
    Republish(bus_tools::RepublishArgs),
    Bench(bench::Args),
    /// The server that a benchmark compares with; `jumak bench` starts it
    #[command(hide = true)]
    BenchEcho,
}

impl Cli {
    /// Runs the command. False means that it ran and found a failure, such as an audit with findings.
    pub async fn run(self) -> anyhow::Result<bool> {
        match &self.command {
            Command::Up(args) => up::run(args).await.map(|()| true),
            Command::Serve(args) => serve::run(args).await.map(|()| true),
            Command::Token(args) => token::run(args).map(|()| true),
            Command::Call(args) => call::run(args).await,
            Command::Migrate(args) => migrate::run(args).await.map(|()| true),
            Command::Audit(args) => audit::run(args).await,
            Command::Backup(args) => backup::backup(args).await,
            Command::Restore(args) => backup::restore(args).await,
            Command::Demo(args) => demo::run(args).await,
            Command::DeadLetters(args) => bus_tools::dead_letters(args).await.map(|()| true),
            Command::Republish(args) => bus_tools::republish(args).await.map(|()| true),
            Command::Bench(args) => bench::run(args).await,
            Command::BenchEcho => bench::compare::echo::serve().await.map(|()| true),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_and_their_options_fit_together() {
        Cli::command().debug_assert();
    }
}
