//! `jumak migrate`: the databases brought up to date, and what that took.

use super::{
    output,
    place::{Configured, Place},
};
use crate::embedded::{Member, open_database};

/// Bring the databases up to date without starting anything.
///
/// `jumak up` does the same when it starts. This is for whoever wants to see it happen before.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    configured: Configured,
}

/// Migrates every context's database, one after the other.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let config = args.configured.load()?;
    let folder = args.place.folder()?;
    // One migrator at a time, and none under a running system.
    let _lock = folder.lock()?;
    for member in Member::ALL {
        let (database, steps) = open_database(member, &folder, &config).await?;
        database.close().await;
        let done = if steps.is_empty() { "up to date".to_owned() } else { steps.join(", ") };
        output::line(format_args!("{:<12} {done}", member.name()))?;
    }
    Ok(())
}
