//! A backup put back: into a folder that holds nothing, after every file has proved to be what the manifest says.

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
    cli::{output, place::Place},
    embedded::{DataFolder, data_option},
};

/// Make a data folder from a backup.
///
/// Nothing is written over: the data folder must be empty, or not be there. A backup of which any file is damaged is refused as a
/// whole.
#[derive(Clone, Debug, clap::Args)]
pub struct RestoreArgs {
    /// The folder that `jumak backup` made
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Runs `jumak restore`.
pub async fn restore(args: &RestoreArgs) -> anyhow::Result<bool> {
    let folder = args.place.folder()?;
    let manifest = put_back(&args.from, &folder)?;
    output::line(format_args!(
        "{} files of {} restored to {}; `jumak audit{}` proves the books",
        manifest.files.len(),
        manifest.create_time,
        folder.path().display(),
        data_option(&folder)?
    ))?;
    Ok(true)
}

/// Puts the backup in `from` into `folder`, which appears all at once when it is complete.
pub fn put_back(from: &Path, folder: &DataFolder) -> anyhow::Result<Manifest> {
    let manifest = Manifest::read(from)?;
    let draft = Draft::of_data(folder)?;
    for entry in &manifest.files {
        put_back_file(from, draft.path(), entry)?;
    }
    draft.publish()?;
    Ok(manifest)
}

fn put_back_file(from: &Path, to: &Path, entry: &Entry) -> anyhow::Result<()> {
    let (source, target) = (from.join(&entry.path), to.join(&entry.path));
    let unreadable = || format!("the backup's {} cannot be read; nothing was restored", entry.path);
    if let Some(folder) = target.parent() {
        draft::private_folder(folder)?;
    }
    let mut read = File::open(&source).with_context(unreadable)?;
    // However the backup was kept meanwhile, its owner alone reads what is restored, and writes to it.
    let written = draft::private_file(&target)?;
    let copied = pass_on(&mut read, written).with_context(unreadable)?;
    if !entry.is_of(&copied) {
        bail!("the backup's {} is damaged: it is not what its manifest says; nothing was restored", entry.path);
    }
    Ok(())
}
