//! The grpcurl that `make test` installs, and what it is called against.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use mesh::Role;
use tempfile::TempDir;

use crate::support::process::Process;

/// The workspace's own folder.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder with the tools of this project.
pub fn tools() -> PathBuf {
    let bin = workspace().join(".tools/bin");
    assert!(
        bin.join("grpcurl").is_file(),
        "there is no grpcurl in .tools/bin; `scripts/install-tools.sh grpcurl`, which `make test` runs first, puts one there"
    );
    bin
}

/// A house to call, with a token for somebody who is guest and host.
pub struct House {
    pub process: Process,
    pub data: TempDir,
    token: String,
}

/// What a command said, and whether it succeeded.
pub struct Said {
    pub out: String,
    pub err: String,
    pub ok: bool,
}

impl House {
    pub async fn open() -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        let process = Process::start(data.path(), &[]).await;
        let token = process.token("alice", &[Role::Guest, Role::Host]);
        Self { process, data, token }
    }

    /// grpcurl with these options, the address, and what comes after it.
    pub fn grpcurl(&self, options: &[&str], rest: &[&str]) -> Said {
        let token = format!("authorization: Bearer {}", self.token);
        self.without_a_token(&[&["-H", &token], options].concat(), rest)
    }

    /// The same for somebody who has no token.
    pub fn without_a_token(&self, options: &[&str], rest: &[&str]) -> Said {
        run(Command::new(tools().join("grpcurl")).arg("-plaintext").args(options).arg(&self.process.address).args(rest))
    }

    /// A call that succeeds: what it printed.
    pub fn call(&self, method: &str, request: &str) -> String {
        let said = self.grpcurl(&["-d", request], &[method]);
        assert!(said.ok, "{method}: {}", said.err);
        said.out
    }
}

pub fn run(command: &mut Command) -> Said {
    let output = command.output().expect("the command runs");
    Said {
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        ok: output.status.success(),
    }
}
