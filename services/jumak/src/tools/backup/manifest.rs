//! The manifest: a list of a backup's files with their digests, by which `restore` detects damage.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Component, Path},
};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use mesh::store::version::{DataVersion, Incompatible, JUMAK};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The manifest's file name.
const FILE: &str = "manifest.json";
/// The manifest format that this version writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// A backup's table of contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of the manifest.
    pub format: u32,
    /// The version of Jumak that made the backup.
    pub jumak_version: String,
    /// The format of the data, and the version of Jumak that wrote it. None in a backup from before data had a version.
    #[serde(default)]
    pub data: Option<DataVersion>,
    /// When the backup was made.
    pub create_time: Timestamp,
    /// All files except the manifest.
    pub files: Vec<Entry>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path within the backup, with `/` between the parts.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256 in lowercase hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// The manifest of the files in `folder`, whose data has the version `data`.
    pub fn of(folder: &Path, data: DataVersion, create_time: Timestamp) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        list(folder, "", &mut files)?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self { format: FORMAT, jumak_version: JUMAK.to_owned(), data: Some(data), create_time, files })
    }

    /// Writes the manifest to `folder`.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        fs::write(folder.join(FILE), json + "\n").context("failed to write the manifest")
    }

    /// Reads the manifest in `folder`. Refuses a format or a data version that this version does not understand.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("there is no backup at {}: failed to read its {FILE}", folder.display()))?;
        let manifest: Self = serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
        if manifest.format > FORMAT {
            bail!(
                "{} was made by jumak {}, and this version is too old to read it",
                path.display(),
                manifest.jumak_version
            );
        }
        let data = manifest.data.clone().ok_or(Incompatible::Unmarked).and_then(DataVersion::check);
        data.with_context(|| format!("this version cannot restore the backup at {}", folder.display()))?;
        match manifest.files.iter().find(|entry| !entry.stays_inside()) {
            Some(entry) => bail!("{} names a file outside the backup: {}", path.display(), entry.path),
            None => Ok(manifest),
        }
    }

    /// The total size of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|entry| entry.bytes).sum()
    }
}

impl Entry {
    /// Whether `digest` is the digest of this file.
    pub fn is_of(&self, digest: &Fingerprint) -> bool {
        self.bytes == digest.bytes && self.sha256 == digest.sha256
    }

    fn stays_inside(&self) -> bool {
        !self.path.is_empty() && Path::new(&self.path).components().all(|part| matches!(part, Component::Normal(_)))
    }
}

/// Size and digest of a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    bytes: u64,
    sha256: String,
}

/// Copies `from` to `to`, and returns the fingerprint.
pub fn pass_on(mut from: impl Read, mut to: impl Write) -> io::Result<Fingerprint> {
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
        bytes += read as u64;
    }
    let sha256 = hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ok = write!(text, "{byte:02x}");
        text
    });
    Ok(Fingerprint { bytes, sha256 })
}

fn list(folder: &Path, prefix: &str, files: &mut Vec<Entry>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().with_context(|| format!("the name of {} is not UTF-8", entry.path().display()))?;
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{path}/"), files)?;
        } else {
            let Fingerprint { bytes, sha256 } = pass_on(File::open(entry.path())?, io::sink())?;
            files.push(Entry { path, bytes, sha256 });
        }
    }
    Ok(())
}
