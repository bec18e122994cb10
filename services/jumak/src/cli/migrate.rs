//! `jumak migrate`: migrates the databases, and prints the steps that were applied.

use super::{
    options::{ConfigOption, DataOption},
    output,
};
use crate::house::{self, DataFolder, Member};

/// Migrate the databases without starting anything.
///
/// `jumak up` and `jumak serve` do the same when they start. Use this to migrate before a start, or with `jumak serve --no-migrate`,
/// which waits for it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The contexts [default: all of them]
    #[arg(value_name = "CONTEXT")]
    contexts: Vec<Member>,
    #[command(flatten)]
    data: DataOption,
    #[command(flatten)]
    configured: ConfigOption,
}

/// Migrates the contexts' databases, one after the other.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let config = args.configured.load()?;
    let members = if args.contexts.is_empty() { &Member::ALL } else { &*args.contexts };
    let is_in_folder = |member: &Member| config.database_url(member.name()).is_none();
    let folder = if members.iter().any(is_in_folder) { Some(args.data.folder()?) } else { None };
    // One migrator at a time, and never while a system runs on the folder.
    let _lock = folder.as_ref().map(DataFolder::lock).transpose()?;
    for member in members {
        let database = house::open(*member, folder.as_ref(), &config).await?;
        let steps = house::migrate(*member, &database).await?;
        database.close().await;
        let done = if steps.is_empty() { "up to date".to_owned() } else { steps.join(", ") };
        output::line(format_args!("{:<12} {done}", member.name()))?;
    }
    Ok(())
}
