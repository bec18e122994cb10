//! Readers of what is printed that are gone before all of it was.

use std::{
    io::{BufRead, BufReader, PipeReader, pipe},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use mesh::Role;
use tokio::time::Instant;

use crate::{
    support::{
        SETTLES, eventually,
        process::{Process, audit_at_rest, jumak},
    },
    telemetry::scraper::{scrape, value},
};

/// What the panic of a process ends it with.
const PANICKED: i32 = 101;
/// How often it is looked whether a process has ended.
const LOOK: Duration = Duration::from_millis(20);

/// A process that is killed, by its own pid, if a test ends before it does.
struct Spawned(Child);

impl Drop for Spawned {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Spawned {
    async fn ends(&mut self) -> ExitStatus {
        let deadline = Instant::now() + SETTLES;
        loop {
            if let Some(status) = self.0.try_wait().expect("its status") {
                return status;
            }
            assert!(Instant::now() < deadline, "it never ended");
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Starts a command whose standard output, and standard error if `both`, go into one pipe, and returns the end that reads.
fn piped(command: &mut Command, both: bool) -> (Spawned, BufReader<PipeReader>) {
    let (reader, writer) = pipe().expect("a pipe");
    command.stdout(writer.try_clone().expect("a pipe"));
    command.stderr(if both { writer.into() } else { Stdio::inherit() });
    let child = command.spawn().expect("the binary starts");
    // What holds the other end of the pipe has to go, or the reader would not be the last one to leave.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    (Spawned(child), BufReader::new(reader))
}

/// The first line that holds that word.
fn line_with(reader: &mut impl BufRead, word: &str) -> String {
    let line = reader.lines().map(|line| line.expect("a line")).find(|line| line.contains(word));
    line.unwrap_or_else(|| panic!("it never says `{word}`"))
}

fn signal(child: &Spawned, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.0.id().to_string()]).status().expect("kill");
    assert!(sent.success(), "the process is gone");
}

/// `jumak up 2>&1 | tee log`, and Ctrl-C: `tee` goes at once.
#[tokio::test]
async fn a_server_whose_log_nobody_reads_any_more_stops_as_it_should() {
    for format in ["text", "json"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = jumak();
        command.args(["up", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path().join("data"));
        command.env("JUMAK_LOG__FILTER", "debug").env("JUMAK_LOG__FORMAT", format);
        let (mut up, mut reader) = piped(&mut command, true);
        line_with(&mut reader, "Ctrl-C stops");
        drop(reader);
        signal(&up, "-INT");
        assert_eq!(up.ends().await.code(), Some(0), "{format}");
        let data = folder.path().join("data");
        audit_at_rest(&data);
    }
}

#[tokio::test]
async fn a_server_serves_though_nobody_reads_where_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = jumak();
    command.args(["up", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path().join("data"));
    command.env("JUMAK_METRICS__LISTEN", "127.0.0.1:0");
    let (out, writer) = pipe().expect("a pipe");
    let (err, log) = pipe().expect("a pipe");
    drop(out);
    let child = command.stdout(writer).stderr(log).spawn().expect("the binary starts");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut up = Spawned(child);
    line_with(&mut BufReader::new(err), "failed to write to standard output");
    assert!(up.0.try_wait().expect("its status").is_none(), "it goes on");
    signal(&up, "-TERM");
    assert_eq!(up.ends().await.code(), Some(0));
}

/// No command panics, whoever has left, and one that fails says so by its status all the same.
#[tokio::test]
async fn a_command_whose_reader_has_left_ends_quietly() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let data = data.to_str().expect("a path");
    let cases: [(&[&str], i32); 10] = [
        (&["help"], 0),
        (&["call", "--list"], 0),
        (&["call", "CreateRoom", "--describe"], 0),
        (&["call", "NoSuchMethod"], 1),
        (&["call", "GetRoom", "{}", "--token", "x", "--target", "http://127.0.0.1:1"], 1),
        (&["call", "--no-such-option"], 2),
        (&["token", "--user", "alice", "--data", data], 0),
        (&["demo", "hotel"], 0),
        (&["serve", "room"], 1),
        (&["audit", "--data", "/no/such/folder"], 1),
    ];
    for (args, status) in cases {
        let mut command = jumak();
        command.args(args);
        let (mut child, reader) = piped(&mut command, true);
        drop(reader);
        let ended = child.ends().await.code();
        assert_ne!(ended, Some(PANICKED), "{args:?}");
        assert_eq!(ended, Some(status), "{args:?}");
    }
}

/// `jumak call WatchMyPage … | head -1`, where nothing else ever happens.
#[tokio::test]
async fn a_stream_ends_when_its_reader_leaves() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let process = Process::start(&folder.path().join("data"), &[("JUMAK_METRICS__LISTEN", "127.0.0.1:0")]).await;
    let channel = process.connect().await;
    let guest = process.person(&channel, "alice", &[Role::Guest]);
    let room = process.person(&channel, "hanok", &[Role::Host]).registers_a_room(1).await;
    let made = guest.books(&room, Some("tok_approve")).await.expect("a stay");
    guest.booking(&made).await.expect("on my page");

    let mut command = jumak();
    command.args(["call", "WatchMyPage", r#"{"name": "users/me/myPage"}"#]);
    command.args(["--target", &format!("http://{}", process.address)]).env("TOKEN", guest.token());
    let (mut call, mut reader) = piped(&mut command, false);
    line_with(&mut reader, "position");
    let open = r#"jumak_server_calls_in_flight{context="mypage"}"#;
    let streams = async || value(&scrape(&process).await, open);
    assert_eq!(streams().await, Some(1.0));
    drop(reader);
    let left = Instant::now();
    assert_eq!(call.ends().await.code(), Some(0));
    assert!(left.elapsed() < Duration::from_secs(3), "it took {:?}", left.elapsed());
    eventually("the server has let go of the stream", || async { (streams().await == Some(0.0)).then_some(()) }).await;
    drop((guest, channel));
    process.stops().await;
}
