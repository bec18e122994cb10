//! `make mesh` and `make mesh-down`.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use jumak::{
    cli::{failure, output},
    house::DataFolder,
};
use local_mesh::{Engines, trial::Trial};

/// Jumak's mesh on this machine: one process per context, with real servers.
#[derive(Debug, Parser)]
#[command(name = "local-mesh", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The number of processes of each context, 1 to 9; the provider has one
    #[arg(long, global = true, env = "REPLICAS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=9))]
    replicas: u16,
    /// The engines of the contexts' databases
    #[arg(long, global = true, env = "ENGINES", value_enum, default_value_t)]
    engines: Engines,
    /// The first port
    #[arg(long, global = true, default_value_t = 8090)]
    port: u16,
    /// The `jumak` binary [default: the one beside this program]
    #[arg(long, global = true)]
    jumak: Option<PathBuf>,
    /// The folder for keys, configurations and logs [default: jumak-mesh in the platform's folder for a user's data]
    #[arg(long, global = true)]
    folder: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Command {
    /// Start the mesh, and leave it running
    Up,
    /// Stop the mesh
    Down,
    /// Run as the process that keeps the mesh
    #[command(hide = true)]
    Keep,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let jumak = match cli.jumak {
        Some(jumak) => jumak,
        None => std::env::current_exe()?.with_file_name("jumak"),
    };
    let folder = cli.folder.map_or_else(DataFolder::local_mesh, |path| Ok(DataFolder::at(path)))?;
    let trial = Trial { jumak, replicas: cli.replicas, engines: cli.engines, folder, port: cli.port };
    match cli.command {
        Command::Up => output::line(trial.up().await?)?,
        Command::Down => output::line(trial.down().await?)?,
        Command::Keep => trial.keep().await?,
    }
    Ok(())
}
