//! Killed, and then somebody removes a file that belongs to a database: what was confirmed is there, or the house does not open and says
//! what to do.

use std::{fs, path::Path};

use contracts::reservation::v1::{Reservation, reservation::State};
use mesh::Role;
use tempfile::TempDir;
use tokio::{process::Command, time::timeout};

use super::folder::copy_folder;
use crate::support::{
    SETTLES,
    process::{Process, audit_at_rest, jumak},
};

/// A folder as a crash leaves it: what came before a clean stop is in the files, and what came after it in the logs beside them.
struct Crashed {
    folder: TempDir,
    booked: Reservation,
}

impl Crashed {
    async fn make() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut booked = None;
        for stops in [true, false] {
            let process = Process::start(folder.path(), &[]).await;
            let channel = process.connect().await;
            let room = process.person(&channel, "hana", &[Role::Host]).registers_a_room(1).await;
            let guest = process.person(&channel, "gil", &[Role::Guest]);
            booked = Some(guest.books(&room, Some("tok_approve")).await.expect("booked"));
            process.audit().await;
            if stops {
                process.stops().await;
                assert_eq!(files(folder.path(), "-wal"), [""; 0], "a clean stop leaves no log that could be lost");
            } else {
                process.kill();
            }
        }
        Self { folder, booked: booked.expect("two lives") }
    }

    fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().expect("a temporary folder");
        copy_folder(self.folder.path(), copy.path()).expect("a copy");
        copy
    }

    /// The house opens on it, and all that was confirmed is there.
    async fn is_whole(&self, data: &Path) {
        let process = Process::start(data, &[]).await;
        let guest = process.person(&process.connect().await, "gil", &[Role::Guest]);
        let there = guest.reservation(&self.booked.name).await.expect("it is there");
        assert_eq!(there.state(), State::Confirmed);
        process.audit().await;
        process.stops().await;
        audit_at_rest(data);
    }
}

/// The names of the files in the folder that end so.
fn files(data: &Path, end: &str) -> Vec<String> {
    let entries = fs::read_dir(data).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(end)).collect()
}

async fn refused(data: &Path, words: &[&str]) -> (String, String) {
    let mut command = Command::from(jumak());
    command.args(words).arg("--data").arg(data).kill_on_drop(true);
    let ran = timeout(SETTLES, command.output()).await.unwrap_or_else(|_| panic!("{words:?} has no objection"));
    let ran = ran.expect("the binary runs");
    assert!(!ran.status.success(), "{words:?} has no objection");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&ran.stdout), text(&ran.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_without_what_its_callers_were_told_is_stored_does_not_open_and_says_what_to_do() {
    let crashed = Crashed::make().await;
    for context in ["room", "reservation", "payment"] {
        let copy = crashed.copy();
        let data = copy.path();
        let name = format!("{context}.db-wal");
        let log = fs::read(data.join(&name)).expect("a log");
        fs::remove_file(data.join(&name)).expect("removed");
        let (books, _) = refused(data, &["audit"]).await;
        assert!(books.contains(&format!("of {context}: it was acknowledged to its caller")), "{books}");
        // However often: nothing has been touched.
        for words in [&["up", "--listen", "127.0.0.1:0"][..], &["up", "--listen", "127.0.0.1:0"], &["migrate"]] {
            let (_, why) = refused(data, words).await;
            let told =
                [format!("the database of {context}"), format!("{name} was removed"), "restore a backup".to_owned()];
            assert!(told.iter().all(|part| why.contains(part)), "{words:?}: {why}");
            assert_eq!(why.lines().count(), 1, "{why}");
        }
        fs::write(data.join(&name), log).expect("put back");
        crashed.is_whole(data).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_with_the_log_of_the_bus_or_with_the_index_of_a_log() {
    let crashed = Crashed::make().await;
    let indexes = files(crashed.folder.path(), "-shm");
    assert!(indexes.len() > 1, "{indexes:?}");
    for removed in [vec!["bus.db-wal".to_owned()], indexes] {
        let copy = crashed.copy();
        for name in removed {
            fs::remove_file(copy.path().join(name)).expect("removed");
        }
        crashed.is_whole(copy.path()).await;
    }
}
