//! A data folder, copied while it is in use, and put back.
//!
//! No commit spans two files, and yet the files belong together: a reservation is confirmed in one because a payment was approved in
//! another. So every writer is stopped at once. Each file's write lock is taken, one after the other; whatever a file holds by then
//! has its causes in the files that were locked before, or holds them itself. The copies are then made by readers, which no lock
//! disturbs, and the writers go on as soon as each reader has its snapshot, however long the copying takes.

mod draft;
mod manifest;
mod restore;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use mesh::{Clock, Database, db::StoreError};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use tokio::{task::JoinHandle, time::sleep};

use self::{draft::Draft, manifest::Manifest};
pub use self::restore::{RestoreArgs, restore};
use crate::embedded::DataFolder;

/// How long the writers of all files together may keep a backup waiting.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether the readers have begun.
const LOOK: Duration = Duration::from_millis(1);
/// The folder of the keys, in a data folder and in a backup.
const KEYS: &str = "keys";

/// Copies a data folder, also while `jumak up` is using it.
#[derive(Clone, Debug, clap::Args)]
pub struct BackupArgs {
    /// The data folder [default: the one that `jumak up` uses]
    #[arg(long, value_name = "DIR", env = "JUMAK_DATA")]
    data: Option<PathBuf>,
    /// Where to put the copy: a folder that is not there yet, or is empty. It will hold the private keys
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// What a backup has copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// How many databases and keys.
    pub files: usize,
    /// How large they are.
    pub bytes: u64,
    /// How long nobody could write.
    pub stopped: Duration,
}

/// Runs `jumak backup`.
pub async fn backup(args: &BackupArgs) -> anyhow::Result<bool> {
    let folder = DataFolder::named(args.data.as_deref())?;
    let Copied { files, bytes, stopped } = copy(&folder, &args.to).await?;
    println!(
        "{files} files, {} KiB, copied from {} to {}; writers waited {} ms",
        bytes.div_ceil(1024),
        folder.path().display(),
        args.to.display(),
        stopped.as_millis()
    );
    Ok(true)
}

/// Copies what is in `folder` to the folder `to`, which appears all at once when it is complete.
pub async fn copy(folder: &DataFolder, to: &Path) -> anyhow::Result<Copied> {
    let databases = databases_in(folder.path())?;
    let draft = Draft::of(to)?;
    let stopped = copy_databases(&databases, draft.path()).await?;
    copy_keys(&folder.keys(), &draft.path().join(KEYS))?;
    let manifest = Manifest::of(draft.path(), Clock::system().now())?;
    manifest.write(draft.path())?;
    draft.publish()?;
    Ok(Copied { files: manifest.files.len(), bytes: manifest.bytes(), stopped })
}

/// The SQLite files of a data folder, in the order in which they are locked.
fn databases_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("there is no data folder at {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "db") && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("there is no database in {}: is it the data folder of `jumak up`?", folder.display());
    }
    files.sort();
    Ok(files)
}

/// Copies the files as they are at one moment, and tells how long nobody could write.
async fn copy_databases(files: &[PathBuf], to: &Path) -> anyhow::Result<Duration> {
    let mut readers = Vec::with_capacity(files.len());
    for file in files {
        readers.push(Reader { database: Database::open_file_to_read(file, 1).await?, target: target(file, to)? });
    }
    let begun = Instant::now();
    let writers = stop_writers(files).await?;
    let copies: Vec<Copy> = readers.into_iter().map(Reader::copy).collect();
    while !copies.iter().all(Copy::has_its_snapshot) {
        sleep(LOOK).await;
    }
    for writer in writers {
        writer.go_on().await?;
    }
    let stopped = begun.elapsed();
    for copy in copies {
        copy.task.await??;
    }
    Ok(stopped)
}

/// Where the copy of `file` is made.
fn target(file: &Path, to: &Path) -> anyhow::Result<PathBuf> {
    let name = file.file_name().with_context(|| format!("{} is no file", file.display()))?;
    Ok(to.join(name))
}

/// The write lock of one file.
struct Writer {
    database: Database,
    lock: DatabaseTransaction,
}

impl Writer {
    async fn go_on(self) -> anyhow::Result<()> {
        self.lock.rollback().await?;
        self.database.close().await;
        Ok(())
    }
}

async fn stop_writers(files: &[PathBuf]) -> anyhow::Result<Vec<Writer>> {
    let deadline = Instant::now() + PATIENCE;
    let mut writers = Vec::with_capacity(files.len());
    for file in files {
        let database = Database::open_file(file, 1).await?;
        let lock = lock(&database, deadline).await.with_context(|| {
            format!("{} was being written to for {PATIENCE:?}; nothing was copied, try again", file.display())
        })?;
        writers.push(Writer { database, lock });
    }
    Ok(writers)
}

async fn lock(database: &Database, deadline: Instant) -> Result<DatabaseTransaction, StoreError> {
    let immediate = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    loop {
        match database.for_migrations().begin_with_options(immediate).await.map_err(StoreError::from) {
            Err(StoreError::Conflict(_)) if Instant::now() < deadline => {}
            outcome => return outcome,
        }
    }
}

/// A connection that reads one file, and where it is to be copied.
struct Reader {
    database: Database,
    target: PathBuf,
}

/// A copy that is being made.
struct Copy {
    target: PathBuf,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Reader {
    fn copy(self) -> Copy {
        let target = self.target.clone();
        let task = tokio::spawn(async move {
            let path = self.target.to_str().with_context(|| format!("{} is not UTF-8", self.target.display()))?;
            let into = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO ?", [path.into()]);
            self.database.read().execute_raw(into).await.with_context(|| format!("{path} cannot be written"))?;
            self.database.close().await;
            Ok(())
        });
        Copy { target, task }
    }
}

impl Copy {
    /// SQLite opens the one read transaction in which it copies before it writes the first byte.
    fn has_its_snapshot(&self) -> bool {
        self.task.is_finished() || fs::metadata(&self.target).is_ok_and(|target| target.len() > 0)
    }
}

/// Copies the files with their permissions: a key that others can read is refused by whoever starts with it.
fn copy_keys(from: &Path, to: &Path) -> anyhow::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("{} cannot be read", from.display()))?,
    };
    draft::private_folder(to)?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))
                .with_context(|| format!("the key {} cannot be copied", entry.path().display()))?;
        }
    }
    Ok(())
}
