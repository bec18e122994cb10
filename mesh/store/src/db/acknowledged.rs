//! Records the newest acknowledged event in a file beside a SQLite database, so that an audit can notice that the database has lost
//! acknowledged events.
//!
//! The file is written after the COMMIT and before the answer, and is not synced: it survives the process, and after a power cut it is at
//! worst older than the database. So the event that it names is always in the database's outbox, unless the database has lost it: a
//! COMMIT succeeded without storing the data, or the file was replaced by an older one.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use uuid::Uuid;

/// The end of the file's name.
const SUFFIX: &str = "-acknowledged";

/// The file beside a database's file.
#[derive(Debug)]
pub(super) struct Acknowledged {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

/// The newest event that the database in the file at `database` has acknowledged; none if it has acknowledged none yet.
pub(super) fn acknowledged(database: &Path) -> io::Result<Option<Uuid>> {
    match fs::read_to_string(path(database)) {
        // After a power cut some file systems leave zeros in a file that had just been made.
        Ok(text) if text.trim_matches(['\0', '\n']).is_empty() => Ok(None),
        Ok(text) => {
            Uuid::try_parse(text.trim()).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}

impl Acknowledged {
    /// The record beside the file at `database`. It is opened at the first write.
    pub(super) fn beside(database: &Path) -> Self {
        Self { path: path(database), file: Mutex::new(None) }
    }

    /// Records that `event` is committed. A failure is logged and has no other effect: the commit stands.
    pub(super) fn write(&self, event: Uuid) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.overwrite(&mut file, event) {
            *file = None;
            tracing::warn!(
                path = %self.path.display(),
                error = &error as &dyn std::error::Error,
                "failed to record the newest acknowledged event; the audit compares with an older one"
            );
        }
    }

    /// Always overwrites the same bytes, which needs no space on a full disk.
    fn overwrite(&self, file: &mut Option<File>, event: Uuid) -> io::Result<()> {
        let file = match file {
            Some(file) => file,
            None => file.insert(open(&self.path)?),
        };
        write_at_start(file, event.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes())
    }
}

/// Readable by its owner only, like all files beside it.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn write_at_start(file: &File, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, 0)
}

#[cfg(not(unix))]
fn write_at_start(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(0))?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_event_is_read_back_and_a_database_without_one_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("room.db");
        assert_eq!(acknowledged(&database).unwrap(), None);
        let written = Acknowledged::beside(&database);
        for event in [Uuid::now_v7(), Uuid::now_v7()] {
            written.write(event);
            assert_eq!(acknowledged(&database).unwrap(), Some(event));
        }
        fs::write(path(&database), [0; 36]).unwrap();
        assert_eq!(acknowledged(&database).unwrap(), None);
    }
}
