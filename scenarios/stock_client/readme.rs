//! What the README tells a reader to type does what it says there. The README is the one place where it stands: it is read here, and
//! typed as it is, into one shell.
//!
//! A block of `sh` is typed. A block of no language that follows it is what must come, on standard output or standard error. Blocks
//! that only call `make` are left out: they start servers, and this test.

use std::{env, fs, path::Path, process::Command};

use super::grpcurl::{House, run, tools, workspace};

/// Where the README's server takes calls.
const ADDRESS: &str = "127.0.0.1:8088";
/// Stands before and after what is compared.
const MARK: &str = "=== 8< ===\n";

/// A block to type.
#[derive(Debug, PartialEq, Eq)]
struct Typed {
    lines: String,
    /// What it says; none where the README does not show it. Then it has to succeed.
    says: Option<String>,
}

/// All that a text tells a reader to type.
fn typed(markdown: &str) -> Vec<Typed> {
    let (mut typed, mut lines, mut follows): (Vec<Typed>, _, _) = (Vec::new(), markdown.lines(), false);
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            follows &= line.is_empty();
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let is_typed = language == "sh" && !block.iter().all(|line| line.is_empty() || line.starts_with("make"));
        if is_typed {
            typed.push(Typed { lines: block.join("\n") + "\n", says: None });
        } else if let Some(before) = typed.last_mut().filter(|_| follows && language.is_empty()) {
            before.says = Some(block.join("\n") + "\n");
        }
        follows = is_typed;
    }
    typed
}

/// One script of all of it.
fn script(typed: &[Typed]) -> String {
    let part = |Typed { lines, says }: &Typed| match says {
        None => lines.clone(),
        Some(_) => format!("printf '{MARK}'\n{{\n{lines}}} 2>&1 || true\nprintf '{MARK}'\n"),
    };
    typed.iter().map(part).collect()
}

#[test]
fn what_is_typed_and_what_it_says_are_told_apart() {
    let markdown = "a\n```sh\nmake run\n```\n```\nnot this\n```\n```sh\none\n\ntwo\n```\nb\n```\nnot this\n```\n\
                    ```sh\nthree\n```\n\n```\nfour\nfive\n```\n";
    let quiet = Typed { lines: "one\n\ntwo\n".to_owned(), says: None };
    let says = Typed { lines: "three\n".to_owned(), says: Some("four\nfive\n".to_owned()) };
    assert_eq!(typed(markdown), [quiet, says]);
}

#[tokio::test]
async fn the_readmes_calls_work_as_they_are_pasted() {
    let readme = fs::read_to_string(workspace().join("README.md")).expect("README.md");
    let typed = typed(&readme);
    let script = script(&typed);
    for expected in ["jumak call CreateReservation", "jumak audit", "grpcurl -plaintext"] {
        assert!(script.contains(expected), "the README no longer shows {expected}");
    }

    let house = House::open().await;
    let binary = Path::new(env!("CARGO_BIN_EXE_jumak")).parent().expect("its folder").to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([binary, tools()].into_iter().chain(env::split_paths(&path))).expect("a path");
    // Somewhere else: no file of the workspace is needed, and no other build of it is found.
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", &script.replace(ADDRESS, &house.process.address)])
        .current_dir(elsewhere.path())
        .env("PATH", path)
        .env("JUMAK_DATA", house.data.path())
        .env("JUMAK_TARGET", format!("http://{}", house.process.address));
    let said = run(&mut bash);
    assert!(said.ok, "{}\n{}", said.out, said.err);
    for expected in ["CONFIRMED", "CANCELLED", "the books are in order"] {
        assert!(said.out.contains(expected), "no {expected} in {}", said.out);
    }
    let heard: Vec<&str> = said.out.split(MARK).skip(1).step_by(2).collect();
    let shown: Vec<&Typed> = typed.iter().filter(|typed| typed.says.is_some()).collect();
    assert_eq!(heard.len(), shown.len(), "{}", said.out);
    assert!(!shown.is_empty(), "the README shows no refusal any more");
    for (heard, Typed { lines, says }) in heard.into_iter().zip(shown) {
        // The id under which the log has the call is another one each time.
        let heard = heard.lines().filter(|line| !line.contains("correlation id"));
        let heard: String = heard.map(|line| format!("{line}\n")).collect();
        assert_eq!(Some(heard.as_str()), says.as_deref(), "{lines}");
    }
}
