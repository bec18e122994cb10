//! `jumak serve` as a process: what it says and how it ends, when not all that it needs is there.

use std::{
    fs,
    process::{Child, Output, Stdio},
    time::{Duration, Instant},
};

use jumak::{
    embedded::Keyring,
    house::{DataFolder, Member},
};
use mesh::config::AuthConfig;
use tempfile::TempDir;

use crate::support::{SETTLES, process::jumak};

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(20);

/// The configuration of payment or of its provider, whose callers' keys are there and whose servers are not.
fn configured(folder: &TempDir, start_deadline_ms: u64) -> String {
    let data = DataFolder::at(folder.path());
    let keys = Keyring::open(&data, &AuthConfig::default(), Member::ALL.map(Member::name)).expect("keys");
    let pem = |member: Member| keys.public_key_of(member.name()).expect("a key").to_pem().expect("a PEM");
    let file = folder.path().join("jumak.toml");
    let config = format!(
        "listen = \"127.0.0.1:0\"\nstart_deadline_ms = {start_deadline_ms}\n\
         auth.issuer_public_keys = '''{}'''\nbus.url = \"nats://127.0.0.1:1\"\n\
         [contexts.payment]\ndatabase_url = \"postgres://u:s3cret@127.0.0.1:1/payment\"\nkey_file = {:?}\npublic_keys = '''{}'''\n\
         [contexts.provider]\naddresses = \"http://127.0.0.1:1\"\n[contexts.reservation]\npublic_keys = '''{}'''\n",
        keys.issuer().to_pem().expect("a PEM"),
        data.key_file("payment"),
        pem(Member::PAYMENT),
        pem(Member::RESERVATION),
    );
    fs::write(&file, config).expect("a file");
    file.to_string_lossy().into_owned()
}

/// What is left of a process when the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended long ago: then both do nothing.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn x_a_process_that_is_told_too_little_says_all_that_is_missing_and_ends_with_one() {
    let output = jumak().args(["serve", "reservation"]).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    for key in [
        "contexts.reservation.database_url",
        "contexts.reservation.key_file",
        "contexts.payment.addresses",
        "contexts.room.addresses",
        "auth.issuer_public_keys",
        "bus.url",
    ] {
        assert!(said.contains(key), "{key}\n{said}");
    }
}

#[test]
fn x_a_process_whose_servers_do_not_come_says_so_and_ends_with_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = configured(&folder, 5_000);
    let output = jumak().args(["serve", "payment", "--config", &config]).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains("is not available yet, will retry"), "{said}");
    assert!(said.contains("was not available within") && said.contains("start_deadline_ms"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn x9_a_process_that_is_asked_to_stop_says_where_it_was_and_ends_with_zero() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = configured(&folder, 30_000);
    let out = tempfile::NamedTempFile::new().expect("a file");
    let child = jumak()
        .args(["serve", "provider", "--config", &config, "--data"])
        .arg(folder.path().join("provider"))
        .stdout(out.reopen().expect("a file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut child = Killed(child);
    let waits = Instant::now() + SETTLES;
    let ready = || fs::read_to_string(out.path()).expect("a file").contains("provider ready at 127.0.0.1:");
    until(waits, ready);
    let asked = asked_to_stop(child.0.id());
    assert!(asked, "it could not be asked to stop");
    let mut ended = None;
    until(waits, || {
        ended = child.0.try_wait().expect("its status");
        ended.is_some()
    });
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
}

fn asked_to_stop(pid: u32) -> bool {
    std::process::Command::new("kill").args(["-TERM", &pid.to_string()]).status().is_ok_and(|sent| sent.success())
}

#[expect(clippy::disallowed_methods, reason = "there is no runtime here that this could hold up")]
fn until(deadline: Instant, mut happened: impl FnMut() -> bool) {
    while !happened() {
        assert!(Instant::now() < deadline, "it never happens");
        std::thread::sleep(LOOK);
    }
}
