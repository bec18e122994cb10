//! What is typed and what is in files, as far as it is wrong or merely written by another program.

use std::{
    fs,
    io::Write as _,
    process::{Output, Stdio},
};

use mesh::Role;

use crate::support::process::{Process, jumak};

/// A file as Notepad saves it.
fn marked(json: &str) -> String {
    format!("\u{feff}{}", json.replace('\n', "\r\n"))
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_time_that_no_clock_holds_is_refused_with_its_bounds() {
    let cases: [(&[&str], &str); 7] = [
        (&["call", "GetRoom", "{}", "--token", "x", "--timeout"], "use 1s to 1d"),
        (&["audit", "--grace"], "use 0s to 1d"),
        (&["token", "--user", "alice", "--ttl"], "use 1s to 30d"),
        (&["bench", "book", "--duration"], "use 1s to 1h"),
        (&["bench", "book", "--warmup"], "use 0s to 1h"),
        (&["bench", "book", "--settle"], "use 0s to 1h"),
        (&["bench", "book", "--rate"], "type calls per second"),
    ];
    for (args, bounds) in cases {
        for time in ["4166667d", "106751991167300d", "99999999999999999999d", "-1d"] {
            let output = jumak().args(args).arg(time).output().expect("the binary runs");
            let said = said(&output);
            assert_eq!(output.status.code(), Some(2), "{args:?} {time}: {said}");
            let in_words =
                said.contains(bounds) || said.contains("such as 30m") || said.contains("unexpected argument");
            assert!(in_words && !said.contains("panicked"), "{args:?} {time}: {said}");
        }
    }
}

#[test]
fn a_token_that_would_be_refused_for_its_length_is_not_made() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let token = |user: &str, roles: &str| {
        let mut command = jumak();
        command.args(["token", "--user", user, "--roles", roles, "--data"]).arg(folder.path().join("data"));
        command.output().expect("the binary runs")
    };
    let output = token(&"x".repeat(6_100), "guest");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(said(&output).contains("at most 8192 are accepted; shorten the user's name"), "{}", said(&output));
    let roles = vec!["guest"; 2_000].join(",");
    let output = token("alice", &roles);
    assert!(output.status.success() && output.stdout.len() < 500, "each role is named once");
}

#[tokio::test]
async fn requests_and_configurations_are_read_as_other_programs_write_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("jumak.toml");
    fs::write(&config, marked("[room]\ntime_zone = \"Europe/Rome\"\n[limits]\nin_flight = 100\n")).expect("a file");
    let config = config.to_str().expect("a path");
    let process = Process::start(&folder.path().join("data"), &[("JUMAK_CONFIG", config)]).await;
    let json = marked(
        "{\n\"room\": {\n\"display_name\": \"Sea view\",\n\"nightly_rate\": {\"currency_code\": \"KRW\", \"units\": 80000}}}\n",
    );
    let file = folder.path().join("room.json");
    fs::write(&file, &json).expect("a file");
    let call = |request: &str| {
        let mut command = jumak();
        command.args(["call", "CreateRoom", request, "--only", "time_zone"]);
        command.args(["--target", &process.address]).env("TOKEN", process.token("hanok", &[Role::Host]));
        command
    };
    let from_file = call(&format!("@{}", file.display())).output().expect("the binary runs");
    assert_eq!(said(&from_file), "Europe/Rome\n");

    let mut command = call("-");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    child.stdin.take().expect("its input").write_all(json.as_bytes()).expect("it reads");
    assert_eq!(said(&child.wait_with_output().expect("its end")), "Europe/Rome\n");

    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(json.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    fs::write(&file, wide).expect("a file");
    let refused = said(&call(&format!("@{}", file.display())).output().expect("the binary runs"));
    assert!(refused.contains("room.json") && refused.contains("save it as UTF-8"), "{refused}");
    process.stops().await;
}
