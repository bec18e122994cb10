//! Restores a backup to an empty folder, after every file has been checked against the manifest.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use super::{
    draft::{self, Draft},
    manifest::{Entry, Manifest, pass_on},
};
use crate::{
    cli::{options::DataOption, output},
    embedded::{DataFolder, data_option},
};

/// Make a data folder from a backup.
///
/// Nothing is overwritten: the data folder must be empty or not exist. If any file of the backup is damaged, nothing is restored.
#[derive(Clone, Debug, clap::Args)]
pub struct RestoreArgs {
    /// The folder that `jumak backup` made
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    #[command(flatten)]
    data: DataOption,
}

/// Runs `jumak restore`.
pub async fn restore(args: &RestoreArgs) -> anyhow::Result<bool> {
    let folder = args.data.folder()?;
    let manifest = restore_files(&args.from, &folder)?;
    output::line(format_args!(
        "restored {} files of {} to {}; `jumak audit{}` proves the books",
        manifest.files.len(),
        manifest.create_time,
        folder.path().display(),
        data_option(&folder)?
    ))?;
    Ok(true)
}

/// Restores the backup in `from` to `folder`. `folder` appears only when it is complete.
pub fn restore_files(from: &Path, folder: &DataFolder) -> anyhow::Result<Manifest> {
    let manifest = Manifest::read(from)?;
    let draft = Draft::of_data(folder)?;
    for entry in &manifest.files {
        restore_file(from, draft.path(), entry)?;
    }
    draft.publish()?;
    Ok(manifest)
}

fn restore_file(from: &Path, to: &Path, entry: &Entry) -> anyhow::Result<()> {
    let (source, target) = (from.join(&entry.path), to.join(&entry.path));
    let unreadable = || format!("failed to read the backup's {}; nothing was restored", entry.path);
    if let Some(folder) = target.parent() {
        draft::private_folder(folder)?;
    }
    let mut read = File::open(&source).with_context(unreadable)?;
    // Restored files are private to their owner, whatever permissions the backup's files have.
    let written = draft::private_file(&target)?;
    let copied = pass_on(&mut read, written).with_context(unreadable)?;
    if !entry.is_of(&copied) {
        bail!("the backup's {} is damaged: it does not match the manifest; nothing was restored", entry.path);
    }
    Ok(())
}
