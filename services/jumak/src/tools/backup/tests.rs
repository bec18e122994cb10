use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use mesh::Database;
use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use super::*;

/// A folder with all required databases, two more that each hold a number, and a key.
struct House(TempDir);

impl House {
    async fn new() -> Self {
        let house = Self(tempfile::tempdir().unwrap());
        house.folder().create().unwrap();
        house.folder().mark().unwrap();
        for name in ["provider", "payment", "room", "reservation", "bus"] {
            house.database(name).await.close().await;
        }
        for name in ["cause", "effect"] {
            let database = house.database(name).await;
            let make = "CREATE TABLE number (value INTEGER NOT NULL); INSERT INTO number VALUES (0)";
            database.for_migrations().execute_unprepared(make).await.unwrap();
            database.close().await;
        }
        draft::private_folder(&house.folder().keys()).unwrap();
        fs::write(house.folder().key_file("issuer"), "a key").unwrap();
        house
    }

    fn folder(&self) -> DataFolder {
        DataFolder::at(self.0.path().join("data"))
    }

    fn place(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    async fn database(&self, name: &str) -> Database {
        self.folder().create().unwrap();
        Database::open_file(&self.folder().database_file(name), 2).await.unwrap()
    }
}

async fn number(file: &Path) -> i64 {
    let database = Database::open_file_to_read(file, 1).await.unwrap();
    let row = Statement::from_string(DbBackend::Sqlite, "SELECT value FROM number");
    let value = database.read().query_one_raw(row).await.unwrap().unwrap().try_get("", "value").unwrap();
    database.close().await;
    value
}

async fn set(database: &Database, number: i64) {
    let update = format!("UPDATE number SET value = {number}");
    database.for_migrations().execute_unprepared(&update).await.unwrap();
}

/// Writes each number to `cause`, and after that commit to `effect`, until `stop`.
async fn write(cause: &Database, effect: &Database, stop: &AtomicBool) {
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        written += 1;
        set(cause, written).await;
        set(effect, written).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_writers_are_stopped_nothing_changes_and_every_effect_has_its_cause() {
    let house = House::new().await;
    let (cause, effect) = (house.database("cause").await, house.database("effect").await);
    let files = databases_in(&house.folder()).unwrap();
    let numbered = ["cause", "effect"].map(|name| house.folder().database_file(name));
    let numbers = async || (number(&numbered[0]).await, number(&numbered[1]).await);
    let stop = AtomicBool::new(false);
    let looking = async {
        for _ in 0..20 {
            let writers = Writers::stop(&files).await.unwrap();
            let before = numbers().await;
            sleep(Duration::from_millis(20)).await;
            assert_eq!(numbers().await, before, "a writer was not stopped");
            assert!(before.0 == before.1 || before.0 == before.1 + 1, "{} led to {}", before.0, before.1);
            writers.resume().await.unwrap();
            while numbers().await.1 <= before.1 {
                sleep(Duration::from_millis(1)).await;
            }
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(write(&cause, &effect, &stop), looking);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_of_one_moment_and_not_older_than_its_request() {
    let house = House::new().await;
    let (cause, effect) = (house.database("cause").await, house.database("effect").await);
    let stop = AtomicBool::new(false);
    let copying = async {
        for round in 0..20 {
            let before = number(&house.folder().database_file("effect")).await;
            let to = house.place(&format!("backup-{round}"));
            copy(&house.folder(), &to).await.unwrap();
            let (cause, effect) = (number(&to.join("cause.db")).await, number(&to.join("effect.db")).await);
            assert!(cause == effect || cause == effect + 1, "round {round}: {cause} led to {effect}");
            assert!(effect >= before, "round {round}: {effect} is from before {before}");
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(write(&cause, &effect, &stop), copying);
}

/// The writers continue once the readers have their snapshots. A small file is copied before its first byte is written out, a large one
/// long after.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_with_its_snapshot_does_not_see_later_writes() {
    let house = House::new().await;
    let database = house.database("cause").await;
    for (round, mebibytes) in [0, 32].into_iter().enumerate() {
        let before = i64::try_from(round).unwrap();
        let fill = format!(
            "CREATE TABLE IF NOT EXISTS filling (bytes BLOB NOT NULL);
             WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < {mebibytes})
             INSERT INTO filling SELECT randomblob(1048576) FROM count"
        );
        database.for_migrations().execute_unprepared(&fill).await.unwrap();
        set(&database, before).await;

        let file = house.folder().database_file("cause");
        let target = house.place(&format!("copy-{round}.db"));
        let reader = Reader { database: Database::open_file_to_read(&file, 1).await.unwrap(), target: target.clone() };
        let copy = reader.copy();
        while !copy.has_its_snapshot() {
            tokio::task::yield_now().await;
        }
        set(&database, 100).await;
        copy.task.await.unwrap().unwrap();
        assert_eq!(number(&target).await, before, "{mebibytes} MiB");
    }
}

#[tokio::test]
async fn a_restore_brings_back_what_was_copied() {
    let house = House::new().await;
    let database = house.database("cause").await;
    set(&database, 42).await;
    let copied = copy(&house.folder(), &house.place("backup")).await.unwrap();
    assert_eq!(copied.files, 9);
    database.close().await;

    let restored = DataFolder::at(house.place("somewhere/restored"));
    restore_files(&house.place("backup"), &restored).unwrap();
    assert_eq!(number(&restored.database_file("cause")).await, 42);
    assert_eq!(fs::read_to_string(restored.key_file("issuer")).unwrap(), "a key");
    // The backup's own files are not restored.
    assert!(!restored.path().join("manifest.json").exists());
    let left: Vec<_> =
        fs::read_dir(house.place("somewhere")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["restored"]);
}

#[cfg(unix)]
#[tokio::test]
async fn restored_keys_and_databases_are_private_whatever_the_backups_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::new().await;
    let set_mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let check = |folder: &Path| {
        for (path, expected) in [("", 0o700), ("keys", 0o700), ("keys/issuer.pem", 0o600), ("room.db", 0o600)] {
            assert_eq!(mode(&folder.join(path)), expected, "{path} in {}", folder.display());
        }
    };
    let backup = house.place("backup");
    set_mode(&house.folder().database_file("room"), 0o644);
    copy(&house.folder(), &backup).await.unwrap();
    check(&backup);

    set_mode(&backup.join("room.db"), 0o444);
    set_mode(&backup.join("keys/issuer.pem"), 0o400);
    let restored = DataFolder::at(house.place("restored"));
    restore_files(&backup, &restored).unwrap();
    check(restored.path());
}

#[tokio::test]
async fn a_backup_fails_if_a_required_database_is_missing() {
    for name in ["provider", "payment", "room", "reservation", "bus"] {
        let house = House::new().await;
        fs::remove_file(house.folder().database_file(name)).unwrap();
        let refusal = copy(&house.folder(), &house.place("backup")).await.unwrap_err().to_string();
        assert!(refusal.contains(&format!("{name}.db is missing")), "{refusal}");
        assert!(!house.place("backup").exists());
    }
}

/// A system that starts during a restore is refused, and a failed restore leaves the folder as it was.
#[tokio::test]
async fn a_folder_is_locked_while_it_is_restored() {
    let house = House::new().await;
    let folder = DataFolder::at(house.place("restored"));
    let draft = Draft::of_data(&folder).unwrap();
    let refusal = folder.lock().unwrap_err().to_string();
    assert!(refusal.contains("is in use"), "{refusal}");
    drop(draft);
    assert!(!folder.path().exists(), "it was not there before");

    folder.create().unwrap();
    drop(Draft::of_data(&folder).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it was there, and empty");

    Draft::of_data(&folder).unwrap().publish().unwrap();
    drop(folder.lock().unwrap());
}

#[tokio::test]
async fn a_damaged_backup_is_refused_as_a_whole() {
    let house = House::new().await;
    let backup = house.place("backup");
    copy(&house.folder(), &backup).await.unwrap();
    let restored = DataFolder::at(house.place("restored"));

    let mut bytes = fs::read(backup.join("effect.db")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(backup.join("effect.db"), &bytes).unwrap();
    let refusal = restore_files(&backup, &restored).unwrap_err().to_string();
    assert!(refusal.contains("effect.db is damaged"), "{refusal}");
    assert!(!restored.path().exists());

    fs::remove_file(backup.join("effect.db")).unwrap();
    let refusal = restore_files(&backup, &restored).unwrap_err().to_string();
    assert!(refusal.contains("failed to read the backup's effect.db"), "{refusal}");
    assert!(!restored.path().exists());
}

#[tokio::test]
async fn a_manifest_cannot_name_files_outside_its_backup() {
    let house = House::new().await;
    let backup = house.place("backup");
    copy(&house.folder(), &backup).await.unwrap();
    for elsewhere in ["../data/cause.db", "/etc/hostname", "keys/../../data/cause.db"] {
        let mut manifest = Manifest::read(&backup).unwrap();
        elsewhere.clone_into(&mut manifest.files[0].path);
        let twin = house.place("twin");
        fs::create_dir_all(&twin).unwrap();
        manifest.write(&twin).unwrap();
        let refusal = restore_files(&twin, &DataFolder::at(house.place("restored"))).unwrap_err().to_string();
        assert!(refusal.contains("outside the backup"), "{refusal}");
    }
}

#[tokio::test]
async fn backup_and_restore_never_overwrite_a_folder() {
    let house = House::new().await;
    let refusal = copy(&house.folder(), house.folder().path()).await.unwrap_err().to_string();
    assert!(refusal.contains("is not empty"), "{refusal}");

    let backup = house.place("backup");
    copy(&house.folder(), &backup).await.unwrap();
    let refusal = restore_files(&backup, &house.folder()).unwrap_err().to_string();
    assert!(refusal.contains("is not empty"), "{refusal}");

    // A folder that contains only the lock file of a stopped process counts as empty; with the lock of a running process it does not.
    let restored = DataFolder::at(house.place("restored"));
    let lock = restored.lock().unwrap();
    let refusal = restore_files(&backup, &restored).unwrap_err().to_string();
    assert!(refusal.contains("is in use"), "{refusal}");
    drop(lock);
    restore_files(&backup, &restored).unwrap();
}

#[tokio::test]
async fn a_backup_of_a_folder_without_databases_fails() {
    let house = House::new().await;
    let empty = DataFolder::at(house.place("empty"));
    let refusal = copy(&empty, &house.place("backup")).await.unwrap_err().to_string();
    assert!(refusal.contains("there is no data folder"), "{refusal}");
    empty.create().unwrap();
    let refusal = copy(&empty, &house.place("backup")).await.unwrap_err().to_string();
    assert!(refusal.contains("--data"), "{refusal}");
    assert!(!house.place("backup").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_has_the_version_of_its_data_and_another_version_is_not_restored() {
    let house = House::new().await;
    let backup = house.place("backup");
    copy(&house.folder(), &backup).await.unwrap();
    let restored = DataFolder::at(house.place("restored"));
    assert_eq!(restore_files(&backup, &restored).unwrap().data, Some(DataVersion::current()));
    assert_eq!(restored.version().unwrap(), Some(DataVersion::current()));

    let manifest = backup.join("manifest.json");
    let written = fs::read_to_string(&manifest).unwrap();
    let mut newer: serde_json::Value = serde_json::from_str(&written).unwrap();
    newer["data"] = serde_json::json!({"format": 99, "jumak": "9.9.9"});
    let mut unmarked = newer.clone();
    unmarked.as_object_mut().unwrap().remove("data");
    for (manifest_now, why) in [(newer, "format 99, made by jumak 9.9.9"), (unmarked, "carries no version")] {
        fs::write(&manifest, manifest_now.to_string()).unwrap();
        let said = format!("{:#}", restore_files(&backup, &DataFolder::at(house.place("never"))).unwrap_err());
        assert!(said.contains("cannot restore the backup") && said.contains(why), "{said}");
        assert!(!house.place("never").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_another_version_is_not_copied() {
    let house = House::new().await;
    let refused = async || {
        let said = format!("{:#}", copy(&house.folder(), &house.place("backup")).await.unwrap_err());
        assert!(!house.place("backup").exists());
        said
    };
    let mark = house.folder().path().join(VERSION_FILE);
    let current = fs::read_to_string(&mark).unwrap();
    fs::write(&mark, r#"{"format": 99, "jumak": "9.9.9"}"#).unwrap();
    assert!(refused().await.contains("format 99, made by jumak 9.9.9"));
    fs::remove_file(&mark).unwrap();
    assert!(refused().await.contains("carries no version"));
    fs::write(&mark, current).unwrap();

    let database = house.database("payment").await;
    let newer = "CREATE TABLE data_version (id INTEGER PRIMARY KEY, format INTEGER NOT NULL, jumak TEXT NOT NULL); \
                 INSERT INTO data_version VALUES (1, 99, '9.9.9')";
    database.for_migrations().execute_unprepared(newer).await.unwrap();
    database.close().await;
    let said = refused().await;
    assert!(said.contains("failed to copy") && said.contains("payment.db") && said.contains("format 99"), "{said}");
}
