//! SQLite on a disk that fails and is well again: what was acknowledged stands, and what was refused is not there.
//!
//! Each test runs in a process of its own, on a file system of some megabytes.

use std::{collections::BTreeSet, fs, path::Path};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use servers::small_disk::{Filler, SmallDisk};

use super::*;

const MOUNT_POINT: &str = "JUMAK_TEST_SMALL_DISK";
const MEGABYTES: u32 = 32;

/// Runs the test of that name again, in a process that has a small disk; there, runs `body` on it.
fn on_a_small_disk<Fut: Future<Output = ()>>(test: &str, body: impl FnOnce(PathBuf) -> Fut) {
    if let Some(disk) = std::env::var_os(MOUNT_POINT) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        return runtime.block_on(body(disk.into()));
    }
    let disk = SmallDisk::make(MEGABYTES).unwrap();
    // A file that may not grow is an error then, and not the end of the process.
    let mut command = disk.command("sh");
    command.args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#]).arg(std::env::current_exe().unwrap());
    let test = format!("db::tests::failing_disk::{test}");
    command.args(["--exact", &test, "--nocapture", "--test-threads=1"]).env(MOUNT_POINT, disk.path());
    let output = command.output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

pub(super) async fn open(file: &Path) -> Database {
    let database = Database::open_file(file, 2).await.unwrap();
    let sql = "CREATE TABLE IF NOT EXISTS item (id INTEGER NOT NULL PRIMARY KEY, body BLOB NOT NULL)";
    database.for_migrations().execute_unprepared(sql).await.unwrap();
    database
}

pub(super) async fn add(database: &Database, id: u32, bytes: u32) -> Result<(), Error> {
    database
        .transact("add", |tx| async move {
            let sql = format!("INSERT INTO item (id, body) VALUES ({id}, zeroblob({bytes}))");
            tx.execute_unprepared(&sql).await?;
            Ok(())
        })
        .await
}

/// Writes, and then refuses: the transaction is rolled back.
pub(super) async fn refuse(database: &Database) {
    let outcome: Result<(), _> = database
        .transact("refuse", |tx| async move {
            tx.execute_unprepared("INSERT INTO item (id, body) VALUES (999999, x'00')").await?;
            Err(Error::Refused(mesh_foundation::Refusal::new(mesh_foundation::Reason::INTERNAL, "taken")))
        })
        .await;
    assert!(matches!(outcome, Err(Error::Refused(_))), "{outcome:?}");
}

pub(super) async fn ids(database: &Database) -> BTreeSet<u32> {
    #[derive(FromQueryResult)]
    struct Row {
        id: i64,
    }
    let statement = Statement::from_string(DbBackend::Sqlite, "SELECT id FROM item");
    let rows = Row::find_by_statement(statement).all(database.read()).await.unwrap();
    rows.into_iter().map(|row| u32::try_from(row.id).unwrap()).collect()
}

/// No file may grow beyond so many bytes from now on.
fn limit_files(bytes: Option<u64>) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
}

#[test]
fn what_is_acknowledged_after_a_full_disk_is_kept() {
    on_a_small_disk("what_is_acknowledged_after_a_full_disk_is_kept", |disk| async move {
        let file = disk.join("x.db");
        let database = open(&file).await;
        add(&database, 1, 100).await.unwrap();

        let filler = Filler::fill(&disk).unwrap();
        let full = add(&database, 2, 100_000).await;
        assert!(matches!(full, Err(Error::Store(StoreError::Unavailable(_)))), "{full:?}");
        drop(filler);

        add(&database, 3, 100).await.unwrap();
        refuse(&database).await;
        add(&database, 4, 100).await.unwrap();
        refuse(&database).await;
        let kept = BTreeSet::from([1, 3, 4]);
        assert_eq!(ids(&database).await, kept, "seen by others");
        database.close().await;
        assert_eq!(ids(&open(&file).await).await, kept, "after a restart");
    });
}

#[test]
fn what_is_acknowledged_after_a_file_could_not_grow_is_kept() {
    on_a_small_disk("what_is_acknowledged_after_a_file_could_not_grow_is_kept", |disk| async move {
        let file = disk.join("x.db");
        let database = open(&file).await;
        add(&database, 1, 100).await.unwrap();

        let longest = || Some(fs::metadata(disk.join("x.db-wal")).map_or(0, |log| log.len()));
        // The pages of a small one are first written by COMMIT, which fails with IOERR then: nobody knows.
        limit_files(longest());
        let failed = add(&database, 2, 100).await;
        assert!(matches!(failed, Err(Error::Store(StoreError::CommitUnknown(_)))), "{failed:?}");
        limit_files(None);
        add(&database, 5, 100).await.unwrap();
        // A large one does not fit into the connection's cache: its statement fails, SQLite rolls back by itself, and so ROLLBACK fails.
        limit_files(longest());
        let failed = add(&database, 6, 4_000_000).await;
        assert!(matches!(failed, Err(Error::Store(StoreError::Unavailable(_)))), "{failed:?}");
        limit_files(None);

        add(&database, 3, 100).await.unwrap();
        refuse(&database).await;
        add(&database, 4, 100).await.unwrap();
        database.close().await;
        let kept = ids(&open(&file).await).await;
        assert!(kept.is_superset(&BTreeSet::from([1, 3, 4, 5])), "{kept:?}");
        assert!(!kept.contains(&6) && !kept.contains(&999_999), "{kept:?}");
    });
}

/// What became of one write, as its caller was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Done,
    NotDone,
    Unknown,
}

/// A write that its caller may give up at any moment.
async fn try_to_add(database: &Database, id: u32) -> Told {
    let patience = std::time::Duration::from_micros(rand::random_range(50..4_000));
    let write = add(database, id, rand::random_range(10..40_000));
    let outcome = if rand::random_ratio(1, 4) {
        match tokio::time::timeout(patience, write).await {
            Ok(outcome) => outcome,
            Err(_) => return Told::Unknown,
        }
    } else {
        write.await
    };
    match outcome {
        Ok(()) => Told::Done,
        Err(Error::Store(StoreError::CommitUnknown(_))) => Told::Unknown,
        Err(_) => Told::NotDone,
    }
}

/// Fills the disk, keeps files from growing, and lets both go again, for as long as it is let.
async fn trouble(disk: PathBuf) {
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(rand::random_range(5..60))).await;
        let filler = rand::random_bool(0.5).then(|| Filler::fill(&disk).unwrap());
        if filler.is_none() {
            let longest = fs::metadata(disk.join("x.db-wal")).map_or(0, |log| log.len());
            limit_files(Some(longest + rand::random_range(0..60_000)));
        }
        tokio::time::sleep(std::time::Duration::from_millis(rand::random_range(5..60))).await;
        drop(filler);
        limit_files(None);
    }
}

#[test]
fn under_load_every_acknowledged_write_stands_and_every_refused_one_does_not() {
    let name = "under_load_every_acknowledged_write_stands_and_every_refused_one_does_not";
    on_a_small_disk(name, |disk| async move {
        let file = disk.join("x.db");
        let database = open(&file).await;
        let mut told = std::collections::BTreeMap::new();
        let troubled = tokio::spawn(trouble(disk.clone()));
        let began = Instant::now();
        let mut next = 0;
        while began.elapsed() < Duration::from_secs(8) {
            let writes = (next..next + 8).map(|id| {
                let database = &database;
                async move { (id, try_to_add(database, id).await) }
            });
            told.extend(futures::future::join_all(writes).await);
            next += 8;
            // The disk is small.
            let empty = |tx: Tx| async move {
                tx.execute_unprepared("UPDATE item SET body = x'00' WHERE length(body) > 1").await?;
                Ok(())
            };
            drop(database.transact("empty", empty).await);
        }
        troubled.abort();
        drop(troubled.await);
        limit_files(None);
        drop(fs::remove_file(disk.join("filler")));

        add(&database, next, 10).await.unwrap();
        told.insert(next, Told::Done);
        database.close().await;
        let kept = ids(&open(&file).await).await;
        let count = |wanted: Told| told.values().filter(|one| **one == wanted).count();
        println!("{} done, {} not, {} unknown", count(Told::Done), count(Told::NotDone), count(Told::Unknown));
        assert!(count(Told::Done) > 100 && count(Told::NotDone) > 10, "there was load, and there was trouble");
        for (id, told) in told {
            match told {
                Told::Done => assert!(kept.contains(&id), "{id} was acknowledged"),
                Told::NotDone => assert!(!kept.contains(&id), "{id} was refused"),
                Told::Unknown => {}
            }
        }
    });
}

#[tokio::test]
async fn a_transaction_whose_statement_failed_carries_out_no_other_and_is_not_committed() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder.path().join("x.db")).await;
    let outcome = database
        .transact("goes on", |tx| async move {
            tx.execute_unprepared("INSERT INTO item (id, body) VALUES (1, x'00')").await?;
            assert!(tx.execute_unprepared("INSERT INTO nowhere (id) VALUES (1)").await.is_err());
            assert!(tx.execute_unprepared("INSERT INTO item (id, body) VALUES (2, x'00')").await.is_err());
            Ok(())
        })
        .await;
    assert!(outcome.is_err());
    assert_eq!(ids(&database).await, BTreeSet::new());
}

/// SQLite's READONLY, and its BUSY at BEGIN: the connection that met them is not the one that writes next.
#[tokio::test]
async fn a_file_that_takes_no_writes_is_written_to_again_once_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder.path().join("x.db")).await;
    database.for_migrations().execute_unprepared("PRAGMA query_only = ON").await.unwrap();
    let refused = add(&database, 1, 1).await;
    assert!(matches!(refused, Err(Error::Store(StoreError::Unavailable(_)))), "{refused:?}");
    add(&database, 2, 1).await.unwrap();
    assert_eq!(ids(&database).await, BTreeSet::from([2]));
}

/// A caller may be gone at any point of a transaction. What was not acknowledged may be there or not, and the next one is unharmed.
#[tokio::test]
async fn a_transaction_that_is_dropped_anywhere_harms_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder.path().join("x.db")).await;
    for polls in 0..60 {
        let id = polls * 2;
        let mut write = Box::pin(add(&database, id, 10));
        for _ in 0..polls {
            if futures::poll!(write.as_mut()).is_ready() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_micros(200)).await;
        }
        drop(write);
        add(&database, id + 1, 10).await.unwrap();
        refuse(&database).await;
    }
    let kept = ids(&database).await;
    assert!((0..60).all(|polls| kept.contains(&(polls * 2 + 1))), "{kept:?}");
    assert!(!kept.contains(&999_999));
}
