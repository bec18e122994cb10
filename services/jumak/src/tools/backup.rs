//! Copies a data folder while it is in use, and restores it.
//!
//! 1. All [`Writers`] are stopped.
//! 2. A reader of each database begins a snapshot. The write locks do not block readers.
//! 3. The writers continue.
//! 4. The readers copy their snapshots. This may take long and blocks no writer.

mod draft;
mod manifest;
mod restore;
#[cfg(test)]
mod tests;
mod writers;

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use mesh::{
    Clock, Database,
    config::Config,
    store::version::{self, DataVersion},
};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tokio::{task::JoinHandle, time::sleep};

use self::{draft::Draft, manifest::Manifest};
pub use self::{
    restore::{RestoreArgs, restore, restore_files},
    writers::Writers,
};
use crate::{
    cli::{
        options::{ConfigOption, DataOption},
        output,
    },
    embedded::{DataFolder, Member},
    house::VERSION_FILE,
};

/// The pause between two checks whether the readers have their snapshots.
const LOOK: Duration = Duration::from_millis(1);
/// The folder of the keys in a backup: the same as in a data folder.
const KEYS: &str = "keys";
/// The issuer's key in it.
const ISSUER_FILE: &str = "issuer.pem";

/// Copy a data folder, also while it is in use.
///
/// The copy holds what all databases held at one moment. Writers wait for some milliseconds.
#[derive(Clone, Debug, clap::Args)]
pub struct BackupArgs {
    /// The folder for the copy; it must be empty or not exist. It will contain the private keys
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    data: DataOption,
    #[command(flatten)]
    configured: ConfigOption,
}

/// The result of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The number of databases and keys.
    pub files: usize,
    /// Their total size.
    pub bytes: u64,
    /// How long the writers were stopped.
    pub stopped: Duration,
}

/// Runs `jumak backup`.
pub async fn backup(args: &BackupArgs) -> anyhow::Result<bool> {
    let folder = args.data.folder()?;
    let config = args.configured.load()?;
    refuse_what_is_elsewhere(&config)?;
    let Copied { files, bytes, stopped } = copy(&folder, &args.to).await?;
    output::line(format_args!(
        "copied {files} files, {} KiB, from {} to {}; writers waited {} ms",
        bytes.div_ceil(1024),
        folder.path().display(),
        args.to.display(),
        stopped.as_millis()
    ))?;
    if config.auth.built_in && !args.to.join(KEYS).join(ISSUER_FILE).exists() {
        output::note(missing_key(&folder, &config));
    }
    Ok(true)
}

/// The warning about a copy without the issuer's key.
fn missing_key(folder: &DataFolder, config: &Config) -> String {
    match &config.auth.issuer_key_file {
        Some(file) => format!(
            "the copy has no issuer's key, because the key is configured to be {}; back that file up as well",
            file.display()
        ),
        None => format!(
            "the copy has no issuer's key, because {} is gone; a restored system makes a new key and refuses today's tokens",
            folder.keys().join(ISSUER_FILE).display()
        ),
    }
}

/// A copy without one of the databases would be inconsistent.
fn refuse_what_is_elsewhere(config: &Config) -> anyhow::Result<()> {
    match Member::ALL.into_iter().find(|member| config.database_url(member.name()).is_some()) {
        Some(member) => bail!(
            "the database of {member} is configured to be elsewhere, so a copy of the data folder would lack it; \
             back the databases up with their own tools"
        ),
        None => Ok(()),
    }
}

/// Copies `folder` to the folder `to`. `to` appears only when it is complete.
pub async fn copy(folder: &DataFolder, to: &Path) -> anyhow::Result<Copied> {
    folder.version()?;
    let databases = databases_in(folder)?;
    let draft = Draft::of(to)?;
    let stopped = copy_databases(&databases, draft.path()).await?;
    copy_keys(&folder.keys(), &draft.path().join(KEYS))?;
    let version = copy_version(folder, draft.path())?;
    let manifest = Manifest::of(draft.path(), version, Clock::system().now())?;
    manifest.write(draft.path())?;
    draft.publish()?;
    Ok(Copied { files: manifest.files.len(), bytes: manifest.bytes(), stopped })
}

/// The SQLite files of a data folder. None may be missing, because a copy without it would be unusable.
fn databases_in(folder: &DataFolder) -> anyhow::Result<Vec<PathBuf>> {
    let path = folder.path();
    let entries = fs::read_dir(path).with_context(|| format!("there is no data folder at {}", path.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "db") && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("there is no database in {}; name the data folder with --data", path.display());
    }
    let required = Member::ALL.into_iter().filter(|member| !member.is_optional());
    let mut required = required.map(|member| folder.database_file(member.name())).chain([folder.bus_file()]);
    if let Some(missing) = required.find(|file| !files.contains(file)) {
        bail!("{} is missing, and a copy without it would be unusable; nothing was copied", missing.display());
    }
    files.sort();
    Ok(files)
}

/// Copies the files as of one moment, and returns how long the writers were stopped.
async fn copy_databases(files: &[PathBuf], to: &Path) -> anyhow::Result<Duration> {
    let mut readers = Vec::with_capacity(files.len());
    for file in files {
        let name = file.file_name().with_context(|| format!("{} is not a file", file.display()))?;
        let database = Database::open_file_to_read(file, 1).await?;
        let version = version::check(database.read()).await;
        version.with_context(|| format!("failed to copy {}", file.display()))?;
        readers.push(Reader { database, target: to.join(name) });
    }
    let writers = Writers::stop(files).await?;
    let copies: Vec<Copy> = readers.into_iter().map(Reader::copy).collect();
    while !copies.iter().all(Copy::has_its_snapshot) {
        sleep(LOOK).await;
    }
    let stopped = writers.resume().await?;
    for copy in copies {
        copy.task.await??;
    }
    Ok(stopped)
}

/// A connection that reads one file, and the target of the copy.
struct Reader {
    database: Database,
    target: PathBuf,
}

/// A copy in progress.
struct Copy {
    target: PathBuf,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Reader {
    fn copy(self) -> Copy {
        let target = self.target.clone();
        let task = tokio::spawn(async move {
            let path = self.target.to_str().with_context(|| format!("{} is not UTF-8", self.target.display()))?;
            // SQLite would create the file with public permissions. It also accepts an empty file, so a private one is created first.
            draft::private_file(&self.target)?;
            let into = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO ?", [path.into()]);
            self.database.read().execute_raw(into).await.with_context(|| format!("failed to write {path}"))?;
            self.database.close().await;
            Ok(())
        });
        Copy { target, task }
    }
}

impl Copy {
    /// Whether the copy has begun. SQLite begins the read transaction of the copy before it writes the first byte.
    fn has_its_snapshot(&self) -> bool {
        self.task.is_finished() || fs::metadata(&self.target).is_ok_and(|target| target.len() > 0)
    }
}

/// Copies the folder's version file.
fn copy_version(folder: &DataFolder, to: &Path) -> anyhow::Result<DataVersion> {
    let version = folder.version()?.with_context(|| format!("{} has no version", folder.path().display()))?;
    let mut copy = draft::private_file(&to.join(VERSION_FILE))?;
    let failed = || format!("failed to copy {}", folder.path().join(VERSION_FILE).display());
    copy.write_all(serde_json::to_string_pretty(&version)?.as_bytes()).with_context(failed)?;
    copy.write_all(b"\n").with_context(failed)?;
    Ok(version)
}

/// Copies the files with private permissions, because a key that others can read is refused at start.
fn copy_keys(from: &Path, to: &Path) -> anyhow::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("failed to read {}", from.display()))?,
    };
    draft::private_folder(to)?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let failed = || format!("failed to copy the key {}", entry.path().display());
            let mut key = File::open(entry.path()).with_context(failed)?;
            let mut copy = draft::private_file(&to.join(entry.file_name()))?;
            io::copy(&mut key, &mut copy).with_context(failed)?;
        }
    }
    Ok(())
}
