//! The data folder: the paths in it, and the lock by which one process at a time uses it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use etcetera::BaseStrategy;

/// The file that is locked. It is not a database's file, because a restore replaces those.
pub const LOCK_FILE: &str = "jumak.lock";
/// A process that checks whether the folder is locked holds the lock for a moment. Therefore a refused process tries again this often,
/// with this pause.
const LOCK_RETRIES: u32 = 2;
const LOCK_PAUSE: Duration = Duration::from_millis(25);
/// A process id has at most ten digits, and the id of a key 43 letters.
const MAX_LOCK_BYTES: u64 = 128;

/// The folder with all data of an embedded system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFolder(PathBuf);

impl DataFolder {
    /// The folder at `path`, which need not be there yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder that is used when none is named: `jumak` in the platform's folder for a user's data.
    pub fn default_path() -> anyhow::Result<PathBuf> {
        in_data_folder("jumak")
    }

    /// The folder of the local mesh: `jumak-mesh`, beside the default one.
    pub fn local_mesh() -> anyhow::Result<Self> {
        in_data_folder("jumak-mesh").map(Self)
    }

    /// The folder at `path`, or the default one if none is named.
    pub fn named(path: Option<&Path>) -> anyhow::Result<Self> {
        path.map_or_else(Self::default_path, |path| Ok(path.to_owned())).map(Self)
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The SQLite file of a context.
    pub fn database_file(&self, context: &str) -> PathBuf {
        self.0.join(format!("{context}.db"))
    }

    /// The SQLite file of the bus.
    pub fn bus_file(&self) -> PathBuf {
        self.database_file("bus")
    }

    /// The private keys.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// The private key of the built-in issuer (`issuer`) or of a context.
    pub fn key_file(&self, owner: &str) -> PathBuf {
        self.keys().join(format!("{owner}.pem"))
    }

    /// Makes the folder if it is not there. Only its owner may read it, because it holds names and keys.
    pub fn create(&self) -> anyhow::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.0).with_context(|| format!("failed to make the data folder {}", self.0.display()))?;
        self.refuse_if_shared()
    }

    /// A user who may write to the folder could replace its keys and databases, or put links in their places.
    #[cfg(unix)]
    fn refuse_if_shared(&self) -> anyhow::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        const WRITABLE_BY_OTHERS: u32 = 0o022;
        let mode = fs::metadata(&self.0)?.permissions().mode();
        anyhow::ensure!(
            mode & WRITABLE_BY_OTHERS == 0,
            "others can write to the data folder {path} (mode {:o}); type `chmod go-w {path}`, or name another folder with --data",
            mode & 0o777,
            path = self.0.display(),
        );
        Ok(())
    }

    /// On other platforms a folder inherits the permissions of its parent, which is the user's own.
    #[cfg(not(unix))]
    fn refuse_if_shared(&self) -> anyhow::Result<()> {
        Ok(())
    }

    /// Makes an empty file if there is none, readable only by its owner, because it will contain names and telephone numbers. SQLite takes
    /// an
    /// empty file for an empty database, and gives the files beside it the same permissions.
    pub(crate) fn create_file(&self, path: &Path) -> anyhow::Result<()> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).with_context(|| format!("failed to make the file {}", path.display()))?;
        Ok(())
    }

    /// Locks the folder for this process, and makes it if it is not there. A folder whose data this version does not understand is refused
    /// and left as it is.
    pub fn lock(&self) -> anyhow::Result<Lock> {
        self.version()?;
        self.create()?;
        let mut retries = LOCK_RETRIES;
        loop {
            match self.try_lock()? {
                Ok(lock) => return Ok(lock),
                Err(_) if retries > 0 => pause(),
                Err(holder) => {
                    let holder = holder.map_or_else(String::new, |pid| format!(" (process {pid})"));
                    anyhow::bail!(
                        "the data folder {} is in use by another jumak{holder}; stop that one, or name another folder with --data",
                        self.0.display()
                    )
                }
            }
            retries -= 1;
        }
    }

    /// The lock, or the id of the process that probably holds it.
    fn try_lock(&self) -> anyhow::Result<Result<Lock, Option<u32>>> {
        let path = self.0.join(LOCK_FILE);
        // A link could make us write to a file elsewhere.
        if fs::symlink_metadata(&path).is_ok_and(|file| file.file_type().is_symlink()) {
            anyhow::bail!("the lock file {} is a symbolic link; remove it", path.display());
        }
        let open = || OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = open().with_context(|| format!("failed to open the file {}", path.display()))?;
        match file.try_lock() {
            // The previous holder has just removed the file, so this lock protects nothing.
            Ok(()) if !is_at(&file, &path) => Ok(Err(None)),
            Ok(()) => {
                // For the message of a process that finds the folder locked. If it cannot be written, the process starts all the same.
                if let Err(error) = write_pid(&mut file) {
                    tracing::debug!(%error, "failed to write the process id to the lock file");
                }
                Ok(Ok(Lock { file, path }))
            }
            Err(TryLockError::WouldBlock) => Ok(Err(read_pid(&mut file))),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("failed to lock the file {}", path.display()))
            }
        }
    }

    /// The id of the process that uses the folder right now, if one does.
    pub fn holder(&self) -> anyhow::Result<Option<u32>> {
        if !self.is_locked()? {
            return Ok(None);
        }
        let path = self.0.join(LOCK_FILE);
        let mut file = File::open(&path).with_context(|| format!("failed to open the file {}", path.display()))?;
        Ok(read_pid(&mut file))
    }

    /// The id of the issuer's key with which the process that uses the folder now was started. None if no process uses it, or if it has not
    /// written the id.
    pub fn issuer_in_use(&self) -> anyhow::Result<Option<String>> {
        if !self.is_locked()? {
            return Ok(None);
        }
        // Some platforms do not let a locked file be read; then the id is unknown.
        let text = File::open(self.0.join(LOCK_FILE)).ok().and_then(|mut file| read_lock(&mut file));
        Ok(text.and_then(|text| text.lines().nth(1).map(str::to_owned)))
    }

    /// Whether the folder has been used, so that its keys should be there.
    pub fn is_used(&self) -> bool {
        self.bus_file().exists()
    }

    /// Whether a process uses the folder right now.
    pub fn is_locked(&self) -> anyhow::Result<bool> {
        let path = self.0.join(LOCK_FILE);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened.with_context(|| format!("failed to open the file {}", path.display()))?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("failed to check the lock of the file {}", path.display()))
            }
        }
    }
}

fn in_data_folder(name: &str) -> anyhow::Result<PathBuf> {
    let base = etcetera::choose_base_strategy()
        .map_err(|_| anyhow::anyhow!("there is no home folder for the data; name a folder with --data"))?;
    Ok(base.data_dir().join(name))
}

/// The lock on a folder: it is held until this is dropped. The operating system releases the locks of a dead process.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Writes the id of the issuer's key that this process uses into the lock file, for `jumak token`.
    pub fn goes_by(&mut self, issuer: &str) {
        // If it cannot be written, the process starts all the same.
        if let Err(error) = write!(self.file, "\n{issuer}") {
            tracing::debug!(%error, "failed to write the issuer's key to the lock file");
        }
    }

    /// Removes the lock file while the lock is held, so that it cannot be another process's file.
    pub fn remove_file(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// Blocks the thread. No other task runs yet that this could delay.
#[expect(clippy::disallowed_methods, reason = "a start has nothing else to do, and this is not an async function")]
fn pause() {
    std::thread::sleep(LOCK_PAUSE);
}

/// Whether the file at `path` is still this one.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |file: fs::Metadata| (file.dev(), file.ino());
    let (Ok(ours), Ok(theirs)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    identity(ours) == identity(theirs)
}

/// On other platforms an open file cannot be removed.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

fn read_pid(file: &mut File) -> Option<u32> {
    read_lock(file)?.lines().next()?.trim().parse().ok()
}

fn read_lock(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.take(MAX_LOCK_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_folder_names_its_holder_and_can_be_locked_again_afterwards() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(parent.path().join("data"));
        assert!(!folder.is_locked().unwrap());
        let lock = folder.lock().unwrap();
        assert!(folder.is_locked().unwrap());
        assert_eq!(folder.holder().unwrap(), Some(std::process::id()));
        let refusal = folder.lock().unwrap_err().to_string();
        assert!(refusal.contains(&format!("(process {})", std::process::id())), "{refusal}");
        assert_eq!(refusal.lines().count(), 1);
        drop(lock);
        assert!(!folder.is_locked().unwrap());
        folder.lock().unwrap();
    }

    /// Checking the lock does not make another process's attempt fail.
    #[test]
    fn a_folder_can_be_locked_while_others_check_its_lock() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(parent.path().join("data"));
        drop(folder.lock().unwrap());
        let asking = File::open(folder.path().join(LOCK_FILE)).unwrap();
        asking.try_lock_shared().unwrap();
        assert!(folder.try_lock().unwrap().is_err());
        std::thread::scope(|scope| {
            let locking = scope.spawn(|| folder.lock());
            drop(asking);
            locking.join().unwrap().unwrap();
        });
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_on_a_removed_file_does_not_count() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(parent.path().join("data"));
        let lock = folder.lock().unwrap();
        lock.remove_file().unwrap();
        let path = folder.path().join(LOCK_FILE);
        assert!(!is_at(&lock.file, &path), "the file was removed");
        let next = folder.lock().unwrap();
        assert!(!is_at(&lock.file, &path) && is_at(&next.file, &path), "another file is at the path");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_can_write_to_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(parent.path().join("data"));
        folder.create().unwrap();
        for mode in [0o777, 0o720, 0o702] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            let refusal = folder.lock().unwrap_err().to_string();
            assert!(refusal.contains("chmod go-w"), "{refusal}");
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        folder.lock().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_file_that_is_a_link_is_refused_and_its_target_is_not_changed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(parent.path().join("data"));
        folder.create().unwrap();
        let precious = parent.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        std::os::unix::fs::symlink(&precious, folder.path().join(LOCK_FILE)).unwrap();
        let refusal = folder.lock().unwrap_err().to_string();
        assert!(refusal.contains("is a symbolic link"), "{refusal}");
        assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
    }

    #[cfg(unix)]
    #[test]
    fn a_new_folder_is_private_to_its_owner() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(parent.path().join("data"));
        folder.create().unwrap();
        assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
