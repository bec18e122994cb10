//! SQLite's failures at each step of a transaction, and what must hold after each: what was refused is not there, the connection that
//! met the failure is closed, and all goes on without a restart.
//!
//! What can fail where, as far as it can be brought about from outside: FULL and a write's IOERR at a statement and at COMMIT are in
//! [`failing_disk`](super::failing_disk), BUSY at BEGIN in [`sqlite`](super::sqlite). After BEGIN IMMEDIATE nothing is BUSY any more, and
//! neither COMMIT nor ROLLBACK reads a page or asks whether it may write: in a write-ahead log COMMIT only writes frames, and ROLLBACK
//! forgets them. ROLLBACK does fail after a failure with which SQLite has rolled back by itself, as after a write's IOERR.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::Path,
};

use tempfile::TempDir;

use super::{
    failing_disk::{add, ids, open, refuse},
    real_servers::code,
    *,
};

const READONLY: u32 = 8;
const IOERR_SHORT_READ: u32 = 522;
const CORRUPT: u32 = 11;
const CONSTRAINT: u32 = 19;
const NOTADB: u32 = 26;

/// A database whose writing connection is marked, and a stranger who writes to the same file, so that nothing stays in anybody's cache.
struct Scene {
    database: Database,
    stranger: Database,
    file: PathBuf,
    _folder: TempDir,
}

impl Scene {
    /// Item 1 is there.
    async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.db");
        let (database, stranger) = (open(&file).await, open(&file).await);
        add(&database, 1, 100).await.unwrap();
        database.for_migrations().execute_unprepared("CREATE TEMP TABLE mark (x)").await.unwrap();
        Self { database, stranger, file, _folder: folder }
    }

    /// The stranger writes, which takes a new page.
    async fn stranger_writes(&self) {
        self.stranger.for_migrations().execute_unprepared("CREATE TABLE IF NOT EXISTS more (x)").await.unwrap();
        add(&self.stranger, 2, 10_000).await.unwrap();
    }

    /// All that is written is in the file, and nothing in the log.
    async fn is_checkpointed(&self) {
        let checkpoint = self.stranger.checkpoint().await.unwrap();
        assert_eq!(checkpoint, write_ahead_log::Checkpoint::Complete);
    }

    fn log(&self) -> PathBuf {
        let mut log = self.file.as_os_str().to_owned();
        log.push("-wal");
        log.into()
    }

    /// That a write was refused with that code, and was told to be what it is.
    fn assert_refused(outcome: Result<(), Error>, with: u32) {
        let Err(Error::Store(error)) = outcome else { panic!("it is not refused: {outcome:?}") };
        let told: u32 = code(&error).parse().unwrap();
        assert!(told == with || told & 0xff == with, "{error:?}");
        assert!(matches!(error, StoreError::Unavailable(_)) || with == CONSTRAINT, "{error:?}");
    }

    /// That the connection which met the failure is closed, and writes are whole, are taken back, and are kept.
    async fn goes_on(self, mut kept: BTreeSet<u32>) {
        add(&self.database, 101, 10_000).await.unwrap();
        let mark = "SELECT COUNT(*) AS n FROM sqlite_temp_schema WHERE name = 'mark'";
        assert_eq!(number(self.database.for_migrations(), mark).await, 0, "the connection is used again");
        refuse(&self.database).await;
        add(&self.database, 102, 100).await.unwrap();
        kept.extend([101, 102]);
        assert_eq!(ids(&self.stranger).await, kept, "seen by others");
        self.stranger.close().await;
        self.database.close().await;
        let again = open(&self.file).await;
        assert_eq!(ids(&again).await, kept, "after a restart");
        let sound = "SELECT COUNT(*) AS n FROM pragma_integrity_check WHERE integrity_check = 'ok'";
        assert_eq!(number(again.read(), sound).await, 1);
    }
}

/// Bytes of a file that are something else until they are put back.
struct Spoilt<'a> {
    file: &'a Path,
    at: u64,
    was: Vec<u8>,
}

impl<'a> Spoilt<'a> {
    fn overwritten(file: &'a Path, at: usize, bytes: usize) -> Self {
        let was = fs::read(file).unwrap()[at..at + bytes].to_vec();
        let spoilt = Self { file, at: at as u64, was };
        spoilt.write(&vec![0xff; bytes]);
        spoilt
    }

    fn cut_off(file: &'a Path, at: usize) -> Self {
        let was = fs::read(file).unwrap()[at..].to_vec();
        OpenOptions::new().write(true).open(file).unwrap().set_len(at as u64).unwrap();
        Self { file, at: at as u64, was }
    }

    fn write(&self, bytes: &[u8]) {
        OpenOptions::new().write(true).open(self.file).unwrap().write_all_at(bytes, self.at).unwrap();
    }

    fn put_back(self) {
        self.write(&self.was);
    }
}

#[tokio::test]
async fn a_connection_that_may_not_write_is_refused_at_begin_and_closed() {
    let scene = Scene::set().await;
    scene.database.for_migrations().execute_unprepared("PRAGMA query_only = ON").await.unwrap();
    let began = AtomicBool::new(false);
    let refused = scene.database.transact("never", |_| async {
        began.store(true, Ordering::Relaxed);
        Ok(())
    });
    Scene::assert_refused(refused.await, READONLY);
    assert!(!began.into_inner(), "it was refused at BEGIN");
    scene.goes_on(BTreeSet::from([1])).await;
}

#[tokio::test]
async fn a_connection_that_may_not_write_is_refused_at_a_statement_and_closed() {
    let scene = Scene::set().await;
    let refused = scene.database.transact("refused", |tx| async move {
        tx.execute_unprepared("INSERT INTO item (id, body) VALUES (3, x'00')").await?;
        tx.execute_unprepared("PRAGMA query_only = ON").await?;
        tx.execute_unprepared("INSERT INTO item (id, body) VALUES (4, x'00')").await?;
        Ok(())
    });
    Scene::assert_refused(refused.await, READONLY);
    scene.goes_on(BTreeSet::from([1])).await;
}

#[tokio::test]
async fn a_file_whose_header_is_overwritten_is_refused_at_begin_and_is_used_again_once_it_is_well() {
    let scene = Scene::set().await;
    scene.stranger_writes().await;
    scene.is_checkpointed().await;
    let spoilt = Spoilt::overwritten(&scene.file, 0, 16);
    Scene::assert_refused(add(&scene.database, 3, 100).await, NOTADB);
    spoilt.put_back();
    scene.goes_on(BTreeSet::from([1, 2])).await;
}

#[tokio::test]
async fn a_file_whose_pages_are_overwritten_is_refused_at_a_statement_and_is_used_again_once_it_is_well() {
    let scene = Scene::set().await;
    scene.stranger_writes().await;
    scene.is_checkpointed().await;
    let page = number(scene.stranger.read(), "SELECT rootpage AS n FROM sqlite_schema WHERE name = 'item'").await;
    let page_size = number(scene.stranger.read(), "SELECT page_size AS n FROM pragma_page_size").await;
    let at = usize::try_from((page - 1) * page_size).unwrap();
    let spoilt = Spoilt::overwritten(&scene.file, at, usize::try_from(page_size).unwrap());
    let other = &AtomicBool::new(false);
    let refused = scene.database.transact("refused", |tx| async move {
        tx.execute_unprepared("INSERT INTO more (x) VALUES (1)").await?;
        other.store(true, Ordering::Relaxed);
        tx.execute_unprepared("INSERT INTO item (id, body) VALUES (3, x'00')").await?;
        Ok(())
    });
    Scene::assert_refused(refused.await, CORRUPT);
    assert!(other.load(Ordering::Relaxed), "what is in other pages goes");
    spoilt.put_back();
    assert_eq!(number(scene.stranger.read(), "SELECT COUNT(*) AS n FROM more").await, 0, "and is taken back");
    scene.goes_on(BTreeSet::from([1, 2])).await;
}

#[tokio::test]
async fn a_log_that_was_cut_off_is_refused_at_begin_and_is_used_again_once_it_is_well() {
    let scene = Scene::set().await;
    scene.stranger_writes().await;
    let log = scene.log();
    let spoilt = Spoilt::cut_off(&log, 32);
    Scene::assert_refused(add(&scene.database, 3, 100).await, IOERR_SHORT_READ);
    spoilt.put_back();
    scene.goes_on(BTreeSet::from([1, 2])).await;
}

#[tokio::test]
async fn a_log_that_was_cut_off_is_refused_at_a_statement_and_is_used_again_once_it_is_well() {
    let scene = Scene::set().await;
    scene.stranger_writes().await;
    let (log, spoilt) = (&scene.log(), &std::sync::Mutex::new(None));
    let refused = scene.database.transact("refused", |tx| async move {
        *spoilt.lock().unwrap() = Some(Spoilt::cut_off(log, 32));
        tx.execute_unprepared("INSERT INTO item (id, body) VALUES (3, x'00')").await?;
        Ok(())
    });
    Scene::assert_refused(refused.await, IOERR_SHORT_READ);
    spoilt.lock().unwrap().take().expect("it was begun").put_back();
    scene.goes_on(BTreeSet::from([1, 2])).await;
}

/// After it SQLite leaves the transaction open: whoever came next would write into it.
#[tokio::test]
async fn a_commit_that_a_constraint_refuses_leaves_nobody_inside_its_transaction() {
    let scene = Scene::set().await;
    let part = "CREATE TABLE part (of INTEGER NOT NULL REFERENCES item (id) DEFERRABLE INITIALLY DEFERRED)";
    scene.stranger.for_migrations().execute_unprepared(part).await.unwrap();
    let refused = scene.database.transact("refused", |tx| async move {
        tx.execute_unprepared("INSERT INTO part (of) VALUES (999)").await?;
        Ok(())
    });
    Scene::assert_refused(refused.await, CONSTRAINT);
    assert_eq!(number(scene.stranger.read(), "SELECT COUNT(*) AS n FROM part").await, 0);
    scene.goes_on(BTreeSet::from([1])).await;
}
