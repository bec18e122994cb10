//! The data folder: what stands where in it, and that one process at a time uses it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use etcetera::BaseStrategy;

/// What is locked. A file of its own, because a database's file is replaced when it is restored.
pub const LOCK_FILE: &str = "jumak.lock";
/// Whoever asks whether the folder is locked holds the lock for a moment: one that is refused tries again this often, with this pause.
const LOCK_RETRIES: u32 = 2;
const LOCK_PAUSE: Duration = Duration::from_millis(25);
/// A process id has at most ten digits, and the id of a key 43 letters.
const MAX_LOCK_BYTES: u64 = 128;

/// A folder with all that an embedded system keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFolder(PathBuf);

impl DataFolder {
    /// The folder at `path`, which need not be there yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The one that is used when none is named: `jumak` in the platform's folder for a user's data.
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

    /// Where it is.
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

    /// Makes the folder if it is not there; only its owner may look into it, because it holds names and keys.
    pub fn create(&self) -> anyhow::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.0).with_context(|| format!("the data folder {} cannot be made", self.0.display()))?;
        self.refuse_if_shared()
    }

    /// Whoever may write to the folder can put keys, databases and links in the places of those that are used.
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

    /// Elsewhere a folder's permissions are those of the one that it is in, which is the user's own.
    #[cfg(not(unix))]
    fn refuse_if_shared(&self) -> anyhow::Result<()> {
        Ok(())
    }

    /// Makes an empty file if there is none, for its owner alone: names and telephone numbers will stand in it. SQLite takes an empty
    /// file for an empty database, and gives what it puts beside it the same permissions.
    pub(crate) fn create_file(&self, path: &Path) -> anyhow::Result<()> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).with_context(|| format!("the file {} cannot be made", path.display()))?;
        Ok(())
    }

    /// Takes the folder for this process, and makes it if it is not there. One whose data this version does not understand is left as
    /// it is.
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

    /// The lock, or who seems to hold it.
    fn try_lock(&self) -> anyhow::Result<Result<Lock, Option<u32>>> {
        let path = self.0.join(LOCK_FILE);
        // What it points to is not ours to write to.
        if fs::symlink_metadata(&path).is_ok_and(|file| file.file_type().is_symlink()) {
            anyhow::bail!("{} is a link, and a lock file is none; remove it", path.display());
        }
        let open = || OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = open().with_context(|| format!("the file {} cannot be opened", path.display()))?;
        match file.try_lock() {
            // Whoever has just removed the file held it until then: it locks nothing any more.
            Ok(()) if !is_at(&file, &path) => Ok(Err(None)),
            Ok(()) => {
                // For whoever finds it locked. That it cannot be written is no reason not to start.
                if let Err(error) = write_pid(&mut file) {
                    tracing::debug!(%error, "failed to write the process id to the lock file");
                }
                Ok(Ok(Lock { file, path }))
            }
            Err(TryLockError::WouldBlock) => Ok(Err(read_pid(&mut file))),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("the file {} cannot be locked", path.display()))
            }
        }
    }

    /// The id of the process that uses the folder right now, if one does.
    pub fn holder(&self) -> anyhow::Result<Option<u32>> {
        if !self.is_locked()? {
            return Ok(None);
        }
        let path = self.0.join(LOCK_FILE);
        let mut file = File::open(&path).with_context(|| format!("the file {} cannot be opened", path.display()))?;
        Ok(read_pid(&mut file))
    }

    /// The id of the issuer's key that the process goes by that uses the folder right now, if one does and says so.
    pub fn issuer_in_use(&self) -> anyhow::Result<Option<String>> {
        if !self.is_locked()? {
            return Ok(None);
        }
        // Where a locked file cannot be read, nobody can tell.
        let text = File::open(self.0.join(LOCK_FILE)).ok().and_then(|mut file| read_lock(&mut file));
        Ok(text.and_then(|text| text.lines().nth(1).map(str::to_owned)))
    }

    /// Whether it has been used: whether there is anything that a key could be missing for.
    pub fn is_used(&self) -> bool {
        self.bus_file().exists()
    }

    /// Whether a process uses the folder right now.
    pub fn is_locked(&self) -> anyhow::Result<bool> {
        let path = self.0.join(LOCK_FILE);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened.with_context(|| format!("the file {} cannot be opened", path.display()))?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("the file {} cannot be asked for its lock", path.display()))
            }
        }
    }
}

fn in_data_folder(name: &str) -> anyhow::Result<PathBuf> {
    let base = etcetera::choose_base_strategy()
        .map_err(|_| anyhow::anyhow!("there is no home folder to keep data in; name one with --data"))?;
    Ok(base.data_dir().join(name))
}

/// The folder belongs to this process until this is dropped. The system lets go by itself of what a dead process held.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Writes down by which key of the issuer this process goes, for whoever makes tokens meanwhile.
    pub fn goes_by(&mut self, issuer: &str) {
        // That it cannot be written is no reason not to start.
        if let Err(error) = write!(self.file, "\n{issuer}") {
            tracing::debug!(%error, "failed to write the issuer's key to the lock file");
        }
    }

    /// Removes the lock file. Held until this is dropped, so that nobody else's is removed.
    pub fn remove_file(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// Before anything runs that this could hold up.
#[expect(clippy::disallowed_methods, reason = "a start has nothing else to do, and is no future that could wait")]
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

/// Elsewhere an open file is not removed.
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
    fn a_locked_folder_names_its_holder_and_is_free_again_afterwards() {
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

    /// Somebody who only asks is gone again before anybody is refused.
    #[test]
    fn a_folder_that_is_asked_for_its_lock_can_be_locked() {
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
    fn a_lock_file_that_was_removed_meanwhile_locks_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(parent.path().join("data"));
        let lock = folder.lock().unwrap();
        lock.remove_file().unwrap();
        let path = folder.path().join(LOCK_FILE);
        assert!(!is_at(&lock.file, &path), "there is none");
        let next = folder.lock().unwrap();
        assert!(!is_at(&lock.file, &path) && is_at(&next.file, &path), "it is another one");
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
    fn what_a_lock_file_points_to_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(parent.path().join("data"));
        folder.create().unwrap();
        let precious = parent.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        std::os::unix::fs::symlink(&precious, folder.path().join(LOCK_FILE)).unwrap();
        let refusal = folder.lock().unwrap_err().to_string();
        assert!(refusal.contains("is a link"), "{refusal}");
        assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
    }

    #[cfg(unix)]
    #[test]
    fn a_new_folder_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(parent.path().join("data"));
        folder.create().unwrap();
        assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
