//! Data of another version: every command says whose it is, and touches nothing.

use std::{collections::BTreeMap, fs, path::Path};

use ::mesh::Database;
use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use crate::support::process::{Process, audit_at_rest, jumak};

/// What stands in a data folder: of every file that is kept, what is in it.
fn kept(data: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(data).expect("a folder").map(|entry| entry.expect("an entry").path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "db" || extension == "json"))
        .map(|path| (path.display().to_string(), fs::read(&path).expect("a file")))
        .collect()
}

fn command(words: &[&str], data: &Path) -> (bool, String) {
    let output = jumak().args(words).arg("--data").arg(data).output().expect("the binary runs");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

async fn change(file: &Path, sql: &str) {
    let database = Database::open_file(file, 1).await.expect("a database");
    database.for_migrations().execute_unprepared(sql).await.expect("changed");
    database.close().await;
}

/// Every command that works on a folder refuses this one for this reason, in one line, and leaves it as it was.
fn refuses(data: &Path, away: &TempDir, why: &str) {
    let before = kept(data);
    let to = away.path().join("refused");
    let to = to.to_str().expect("UTF-8");
    for words in
        [&["up", "--listen", "127.0.0.1:0"][..], &["migrate"], &["audit"], &["backup", "--to", to], &["dead-letters"]]
    {
        let (good, said) = command(words, data);
        assert!(!good, "{words:?}: {said}");
        assert!(said.contains(why) && said.contains(env!("CARGO_PKG_VERSION")), "{words:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{words:?}: {said}");
        assert_eq!(kept(data), before, "{words:?} changed something");
    }
    assert!(!Path::new(to).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_touches_data_of_another_version() {
    let place = tempfile::tempdir().expect("a folder");
    let data = place.path().join("data");
    Process::start(&data, &[]).await.stops().await;
    audit_at_rest(&data);

    let (mark, marked) = (data.join("version.json"), "the mark of a folder");
    let current = fs::read_to_string(&mark).expect(marked);
    fs::write(&mark, r#"{"format": 2, "jumak": "9.9.9"}"#).expect(marked);
    refuses(&data, &place, "format 2, made by jumak 9.9.9");
    fs::remove_file(&mark).expect(marked);
    refuses(&data, &place, "carries no version");
    fs::write(&mark, &current).expect(marked);

    // Of a folder whose files do not go together, too: all of these open the bus.
    let bus = data.join("bus.db");
    change(&bus, "UPDATE data_version SET format = 2, jumak = '9.9.9'").await;
    for words in [&["up", "--listen", "127.0.0.1:0"][..], &["audit"], &["dead-letters"]] {
        let (good, said) = command(words, &data);
        assert!(!good && said.contains("format 2, made by jumak 9.9.9"), "{words:?}: {said}");
    }
    change(&bus, &format!("UPDATE data_version SET format = 1, jumak = '{}'", env!("CARGO_PKG_VERSION"))).await;
    for (sql, why) in [
        ("UPDATE data_version SET format = 2, jumak = '9.9.9'", "format 2, made by jumak 9.9.9"),
        ("DROP TABLE data_version", "carries no version"),
    ] {
        change(&data.join("payment.db"), sql).await;
        for words in [&["up", "--listen", "127.0.0.1:0"][..], &["migrate", "payment"], &["audit"]] {
            let (good, said) = command(words, &data);
            assert!(!good && said.contains("the database of payment") && said.contains(why), "{words:?}: {said}");
        }
    }
}
