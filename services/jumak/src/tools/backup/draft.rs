//! A folder that appears only when it is complete: it is made under another name beside its target, and then renamed.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::embedded::{DataFolder, LOCK_FILE, Lock};

/// A folder that is not published yet. If it is dropped before that, nothing is left.
#[derive(Debug)]
pub struct Draft {
    folder: TempDir,
    place: PathBuf,
    claim: Option<Claim>,
}

/// The locked target folder, which contains nothing but its lock file. When this is dropped, the folder is as it was before.
#[derive(Debug)]
struct Claim {
    lock: Lock,
    place: PathBuf,
    was_there: bool,
    is_given_up: bool,
}

impl Claim {
    fn of(folder: &DataFolder) -> anyhow::Result<Self> {
        let (place, was_there) = (folder.path().to_owned(), folder.path().exists());
        Ok(Self { lock: folder.lock()?, place, was_there, is_given_up: false })
    }

    /// Removes the lock file. After that, another process may create its own lock file, which must not be removed.
    fn give_up(&mut self) -> io::Result<()> {
        self.is_given_up = true;
        self.lock.remove_file()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.is_given_up {
            return;
        }
        // A lock file or folder that cannot be removed is in use by another process, or does no harm.
        let _left = self.lock.remove_file();
        if !self.was_there {
            let _left = fs::remove_dir(&self.place);
        }
    }
}

impl Draft {
    /// A draft of the folder `place`, which must be empty or not exist.
    pub fn of(place: &Path) -> anyhow::Result<Self> {
        let place = std::path::absolute(place)?;
        refuse_to_overwrite(&place, None)?;
        Self::beside(place, None)
    }

    /// A draft of a data folder. No other process can use the folder until this is published or dropped.
    pub fn of_data(folder: &DataFolder) -> anyhow::Result<Self> {
        let folder = DataFolder::at(std::path::absolute(folder.path())?);
        if folder.is_locked()? {
            bail!("the data folder {} is in use; stop the jumak that uses it first", folder.path().display());
        }
        // A stopped process leaves its lock file behind.
        refuse_to_overwrite(folder.path(), Some(LOCK_FILE))?;
        let claim = Claim::of(&folder)?;
        Self::beside(folder.path().to_owned(), Some(claim))
    }

    fn beside(place: PathBuf, claim: Option<Claim>) -> anyhow::Result<Self> {
        // In the same parent folder, so that the rename stays within one file system.
        let parent = place.parent().with_context(|| format!("{} has no parent folder", place.display()))?;
        let failed = || format!("failed to make a folder in {}", parent.display());
        fs::create_dir_all(parent).with_context(failed)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".jumak-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = builder.tempdir_in(parent).with_context(failed)?;
        Ok(Self { folder, place, claim })
    }

    /// The temporary folder. Only its owner may read it.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Renames the folder to its final name, durably.
    pub fn publish(mut self) -> anyhow::Result<()> {
        sync(self.path())?;
        let place = self.place.display().to_string();
        let failed = || format!("failed to rename the finished folder to {place}");
        if self.place.exists() {
            if let Some(claim) = &mut self.claim {
                claim.give_up().with_context(failed)?;
            }
            // This fails if the folder is not empty, because another process has begun to use it.
            fs::remove_dir(&self.place).with_context(failed)?;
        }
        fs::rename(self.path(), &self.place).with_context(failed)?;
        if let Some(parent) = self.place.parent() {
            File::open(parent)?.sync_all()?;
        }
        // Nothing is left under the temporary name.
        let _moved = self.folder.keep();
        Ok(())
    }
}

fn refuse_to_overwrite(place: &Path, allowed: Option<&str>) -> anyhow::Result<()> {
    let entries = match fs::read_dir(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("failed to read {}", place.display()))?,
    };
    for entry in entries {
        if Some(entry?.file_name().as_os_str()) != allowed.map(OsStr::new) {
            bail!("{} is not empty; nothing was changed; name another folder", place.display());
        }
    }
    Ok(())
}

/// Makes a folder that only its owner may read.
pub fn private_folder(path: &Path) -> anyhow::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).with_context(|| format!("failed to make the folder {}", path.display()))
}

/// Makes a file that only its owner may read.
pub fn private_file(path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).with_context(|| format!("failed to create {}", path.display()))
}

/// Syncs everything in the folder to the disk.
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
