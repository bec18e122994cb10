//! Keys that are gone, or others than those a system was started with.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use mesh::auth::keys::SigningKey;

use crate::support::process::{Process, jumak};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn token(data: &Path) -> Output {
    jumak().args(["token", "--user", "alice", "--data"]).arg(data).output().expect("the binary runs")
}

/// What a call with that token says: that there is no such room, if the token is taken.
fn call(process: &Process, token: &str) -> String {
    let room = r#"{"name": "rooms/0190163d-8694-739b-aea5-966c26f8ad91"}"#;
    let mut command = jumak();
    command.args(["call", "GetRoom", room, "--target", &process.address, "--token", token]);
    said(&command.output().expect("the binary runs"))
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test]
async fn no_token_is_made_with_another_key_than_the_one_that_a_running_system_goes_by() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let process = Process::start(&data, &[]).await;
    let (key, kept) = (data.join("keys/issuer.pem"), folder.path().join("kept.pem"));
    let first = printed(&token(&data));
    assert!(call(&process, &first).contains("ROOM_NOT_FOUND"));

    fs::rename(&key, &kept).expect("a file");
    let gone = token(&data);
    assert_eq!(gone.status.code(), Some(1));
    let told = said(&gone);
    for word in ["issuer.pem is gone", &format!("process {}", process.id()), "backup", "restart that jumak"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert!(!key.exists(), "and none is made");
    for command in [&["demo", "hotel"][..], &["bench", "book", "--duration", "1s"]] {
        let mut command = self::command(command, &process.address);
        let output = command.arg("--data").arg(&data).output().expect("the binary runs");
        assert!(!output.status.success() && said(&output).contains("issuer.pem is gone"), "{}", said(&output));
    }

    SigningKey::load_or_create(&key).expect("another key");
    let other = said(&token(&data));
    assert!(other.contains("is not the key with which the jumak") && other.contains("issuer.pem"), "{other}");

    // As it says: started again it goes by the new key, and by no other.
    process.stops().await;
    let process = Process::start(&data, &[]).await;
    let second = printed(&token(&data));
    assert!(call(&process, &second).contains("ROOM_NOT_FOUND"));
    assert!(call(&process, &first).contains("TOKEN_INVALID"));

    // Or the old key is put back.
    process.stops().await;
    fs::rename(&kept, &key).expect("a file");
    let process = Process::start(&data, &[]).await;
    assert!(call(&process, &first).contains("ROOM_NOT_FOUND"));
    process.stops().await;
}

fn command(args: &[&str], address: &str) -> Command {
    let mut command = jumak();
    command.args(args).args(["--target", &format!("http://{address}")]);
    command
}

#[tokio::test]
async fn whoever_starts_or_backs_up_without_the_issuers_key_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let started = Process::start(&data, &[]).await.stops().await;
    assert!(!started.contains("is gone"), "a first start makes the keys: {started}");
    let key = data.join("keys/issuer.pem");
    fs::remove_file(&key).expect("a file");
    let gone = said(&token(&data));
    assert!(gone.contains("issuer.pem is gone") && gone.contains("start `jumak up`"), "{gone}");

    let backup = |to: &str| {
        let mut command = jumak();
        command.arg("backup").arg("--data").arg(&data).arg("--to").arg(folder.path().join(to));
        let output = command.output().expect("the binary runs");
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    let told = backup("without");
    assert!(told.contains("no issuer's key") && told.contains("issuer.pem is gone"), "{told}");

    let started = Process::start(&data, &[]).await.stops().await;
    assert!(started.contains("the issuer's key was missing; created a new one"), "{started}");
    assert_eq!(backup("with"), "");
}

#[test]
fn a_key_that_cannot_be_used_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    printed(&token(&data));
    let key = data.join("keys/issuer.pem");
    let good = fs::read_to_string(&key).expect("a key");
    for bad in ["", "no key", &good[..good.len() / 2]] {
        fs::write(&key, bad).expect("a file");
        let told = said(&token(&data));
        assert!(told.contains("issuer.pem holds no Ed25519 private key") && told.contains("backup"), "{told}");
    }
    // As an editor may leave it.
    fs::write(&key, format!("\u{feff}{}", good.replace('\n', "\r\n"))).expect("a file");
    printed(&token(&data));
}

#[test]
fn tokens_for_a_target_are_not_made_with_the_keys_of_nobody() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("elsewhere");
    // Whoever listens there is asked only by one who has a key.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    for args in [&["demo", "hotel"][..], &["bench", "book", "--duration", "1s"]] {
        let output = command(args, &address).arg("--data").arg(&data).output().expect("the binary runs");
        let told = said(&output);
        assert!(!output.status.success() && told.contains("name the target's data folder with --data"), "{told}");
        assert!(!data.exists(), "nothing is made");
    }
}
