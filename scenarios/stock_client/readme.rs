//! What the README tells a reader to type does what it says there. The README is the one place where it stands: it is read here, and
//! typed as it is, into one shell.
//!
//! A block of `sh` is typed line by line. In a block of `console` each line after a `$` is typed, and what follows it is what must
//! come. Blocks that only call `make` are left out: they start servers, and this test.

use std::{env, fs, path::Path, process::Command};

use super::grpcurl::{House, run, tools, workspace};

/// Where the README's server takes calls.
const ADDRESS: &str = "127.0.0.1:8088";
/// Stands before and after what a command of a `console` block says.
const MARK: &str = "=== 8< ===\n";

/// Something to type.
#[derive(Debug, PartialEq, Eq)]
enum Typed {
    /// Lines that have to succeed.
    Lines(String),
    /// A command, and what it says, wherever it says it.
    Says { command: String, said: String },
}

/// All that a text tells a reader to type.
fn typed(markdown: &str) -> Vec<Typed> {
    let (mut typed, mut lines) = (Vec::new(), markdown.lines());
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match language {
            "sh" if block.iter().all(|line| line.is_empty() || line.starts_with("make")) => {}
            "sh" => typed.push(Typed::Lines(block.join("\n"))),
            "console" => {
                for line in block {
                    match (line.strip_prefix("$ "), typed.last_mut()) {
                        (Some(command), _) => {
                            typed.push(Typed::Says { command: command.to_owned(), said: String::new() });
                        }
                        (None, Some(Typed::Says { said, .. })) => {
                            said.push_str(line);
                            said.push('\n');
                        }
                        (None, _) => panic!("nothing was typed that says {line:?}"),
                    }
                }
            }
            _ => {}
        }
    }
    typed
}

/// One script of all of it.
fn script(typed: &[Typed]) -> String {
    let part = |typed: &Typed| match typed {
        Typed::Lines(lines) => format!("{lines}\n"),
        Typed::Says { command, .. } => format!("printf '{MARK}'\n{{ {command}; }} 2>&1 || true\nprintf '{MARK}'\n"),
    };
    typed.iter().map(part).collect()
}

#[test]
fn what_is_typed_and_what_it_says_are_told_apart() {
    let markdown =
        "a\n```sh\nmake run\n```\n```sh\none\n\ntwo\n```\n```\nnot this\n```\n```console\n$ three\nfour\nfive\n```\n";
    let lines = Typed::Lines("one\n\ntwo".to_owned());
    let says = Typed::Says { command: "three".to_owned(), said: "four\nfive\n".to_owned() };
    assert_eq!(typed(markdown), [lines, says]);
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
    let heard = said.out.split(MARK).skip(1).step_by(2);
    let promised = typed.iter().filter_map(|typed| match typed {
        Typed::Says { command, said } => Some((command, said)),
        Typed::Lines(_) => None,
    });
    let mut compared = 0;
    for (heard, (command, promised)) in heard.zip(promised) {
        // The id under which the log has the call is another one each time.
        let heard: String =
            heard.lines().filter(|line| !line.contains("correlation id")).map(|line| format!("{line}\n")).collect();
        assert_eq!(&heard, promised, "{command}");
        compared += 1;
    }
    assert_eq!(compared, typed.iter().filter(|typed| matches!(typed, Typed::Says { .. })).count());
}
