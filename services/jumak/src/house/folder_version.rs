//! The version of the data in a data folder. Each database holds the same version; the folder's file can be read before any database is
//! opened.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use anyhow::Context as _;
use mesh::store::version::{DataVersion, Incompatible};

use super::DataFolder;

/// The file in a data folder, and in a backup of it, that names the version that made it.
pub const VERSION_FILE: &str = "version.json";

impl DataFolder {
    /// The version of the data in the folder; none if there is no data yet. Refuses data that this version does not understand. Changes
    /// nothing.
    pub fn version(&self) -> anyhow::Result<Option<DataVersion>> {
        let refused = || format!("this version cannot use the data folder {}", self.path().display());
        match self.written_version()? {
            Some(version) => version.check().map(Some).with_context(refused),
            None if self.has_databases()? => Err(Incompatible::Unmarked).with_context(|| {
                format!(
                    "the data folder {} has databases but no {VERSION_FILE}; if they were copied from another folder, copy that file as well",
                    self.path().display()
                )
            }),
            None => Ok(None),
        }
    }

    /// Writes this version to the folder, unless it is there already. Must happen before any data is written, under the folder's lock.
    pub fn mark(&self) -> anyhow::Result<()> {
        let current = DataVersion::current();
        if self.version()?.is_some_and(|version| version.format == current.format) {
            return Ok(());
        }
        let file = self.path().join(VERSION_FILE);
        let write = || -> io::Result<()> {
            // Written under another name first: an incomplete file would make the folder unusable.
            let mut draft = tempfile::Builder::new().prefix(".version-").tempfile_in(self.path())?;
            draft.write_all(serde_json::to_string_pretty(&current)?.as_bytes())?;
            draft.write_all(b"\n")?;
            draft.as_file().sync_all()?;
            draft.persist(&file)?;
            File::open(self.path())?.sync_all()
        };
        write().with_context(|| format!("failed to write the file {}", file.display()))
    }

    fn written_version(&self) -> anyhow::Result<Option<DataVersion>> {
        let file = self.path().join(VERSION_FILE);
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("failed to read the file {}", file.display()))?,
        };
        let version = serde_json::from_str(&text);
        version.map(Some).with_context(|| format!("the file {} is damaged", file.display()))
    }

    fn has_databases(&self) -> anyhow::Result<bool> {
        let entries = match fs::read_dir(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            entries => entries.with_context(|| format!("failed to read the data folder {}", self.path().display()))?,
        };
        for entry in entries {
            if is_database(&entry?.path()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether `path` is a database of a data folder. An empty file does not count: its process was killed before it wrote any data.
fn is_database(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "db") && fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

#[cfg(test)]
mod tests {
    use mesh::store::version::{FORMAT, JUMAK};

    use super::*;

    fn folder(parent: &tempfile::TempDir) -> DataFolder {
        DataFolder::at(parent.path().join("data"))
    }

    fn refusal(folder: &DataFolder) -> String {
        let locked = format!("{:#}", folder.lock().unwrap_err());
        assert_eq!(format!("{:#}", folder.version().unwrap_err()), locked);
        assert_eq!(locked.lines().count(), 1, "{locked}");
        locked
    }

    #[test]
    fn a_new_folder_is_marked_once() {
        let parent = tempfile::tempdir().unwrap();
        let folder = folder(&parent);
        assert_eq!(folder.version().unwrap(), None);
        let _lock = folder.lock().unwrap();
        folder.mark().unwrap();
        assert_eq!(folder.version().unwrap(), Some(DataVersion::current()));
        let written = fs::metadata(folder.path().join(VERSION_FILE)).unwrap().modified().unwrap();
        folder.mark().unwrap();
        assert_eq!(fs::metadata(folder.path().join(VERSION_FILE)).unwrap().modified().unwrap(), written);
    }

    #[test]
    fn a_folder_of_another_version_is_left_as_it_is() {
        let parent = tempfile::tempdir().unwrap();
        let folder = folder(&parent);
        fs::create_dir(folder.path()).unwrap();
        fs::write(folder.path().join("room.db"), "rows").unwrap();
        let text = refusal(&folder);
        assert!(text.contains("carries no version") && text.contains(JUMAK) && text.contains("begin with"), "{text}");
        assert!(text.contains("has databases but no version.json"), "{text}");
        assert!(text.contains("if they were copied from another folder, copy that file as well"), "{text}");

        let newer = format!(r#"{{"format": {}, "jumak": "9.9.9"}}"#, FORMAT + 1);
        fs::write(folder.path().join(VERSION_FILE), newer).unwrap();
        let text = refusal(&folder);
        assert!(text.contains(&format!("format {}, made by jumak 9.9.9", FORMAT + 1)), "{text}");
        assert!(text.contains("run jumak 9.9.9 or a newer one"), "{text}");

        fs::write(folder.path().join(VERSION_FILE), r#"{"format": 0, "jumak": "0.0.1"}"#).unwrap();
        assert!(refusal(&folder).contains("format 0, made by jumak 0.0.1"));
        fs::write(folder.path().join(VERSION_FILE), "{").unwrap();
        assert!(refusal(&folder).contains("is damaged"));
        let mut there: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        there.sort();
        assert_eq!(there, ["room.db", VERSION_FILE], "not even a lock file is made");
    }
}
