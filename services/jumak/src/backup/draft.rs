//! A folder that appears all at once: made under another name beside its place, then renamed.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

/// What a stopped process leaves in its data folder, and what keeps nothing.
const LEFT_BEHIND: &str = "jumak.lock";

/// A folder that is not there yet. Dropped before it is published, it leaves nothing.
#[derive(Debug)]
pub struct Draft {
    folder: TempDir,
    place: PathBuf,
}

impl Draft {
    /// A draft of the folder `place`, which must not hold anything yet.
    pub fn of(place: &Path) -> anyhow::Result<Self> {
        let place = std::path::absolute(place)?;
        refuse_to_overwrite(&place)?;
        // In the same folder, so that the rename stays within one file system.
        let parent = place.parent().with_context(|| format!("{} is no place for a folder", place.display()))?;
        let failed = || format!("a folder cannot be made in {}", parent.display());
        fs::create_dir_all(parent).with_context(failed)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".jumak-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = builder.tempdir_in(parent).with_context(failed)?;
        Ok(Self { folder, place })
    }

    /// Where it is for now. Its owner's alone.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts the folder in its place, durably.
    pub fn publish(self) -> anyhow::Result<()> {
        sync(self.path())?;
        let failed = || format!("{} cannot be put in its place", self.place.display());
        if self.place.exists() {
            // Empty but for the lock file, or this fails: somebody has begun to use it since.
            let _absent = fs::remove_file(self.place.join(LEFT_BEHIND));
            fs::remove_dir(&self.place).with_context(failed)?;
        }
        fs::rename(self.path(), &self.place).with_context(failed)?;
        if let Some(parent) = self.place.parent() {
            File::open(parent)?.sync_all()?;
        }
        // There is nothing under the old name any more.
        let _moved = self.folder.keep();
        Ok(())
    }
}

fn refuse_to_overwrite(place: &Path) -> anyhow::Result<()> {
    let entries = match fs::read_dir(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("{} cannot be used", place.display()))?,
    };
    for entry in entries {
        if entry?.file_name() != LEFT_BEHIND {
            bail!("{} is not empty, and is left as it is; name another folder", place.display());
        }
    }
    Ok(())
}

/// Makes a folder that only its owner may look into.
pub fn private_folder(path: &Path) -> anyhow::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).with_context(|| format!("the folder {} cannot be made", path.display()))
}

/// Waits until everything in the folder is on the disk.
fn sync(folder: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sync(&path)?;
        } else {
            File::open(&path)?.sync_all()?;
        }
    }
    File::open(folder)?.sync_all()?;
    Ok(())
}
