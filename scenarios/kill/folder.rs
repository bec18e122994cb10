//! The house that is one process on a data folder: each row begins on a copy of the same one.

use std::{fs, io, path::Path};

use contracts::provider::v1::{Charge, ChargeRefund};
use mesh::Role;
use tempfile::TempDir;

use super::{
    Row, Table,
    scene::{Cast, House, Scene, Variables, death, play},
};
use crate::support::{
    Person,
    process::{Process, audit_at_rest},
};

/// A data folder at rest, from which each row begins.
pub struct Stage {
    folder: TempDir,
    cast: Cast,
}

impl Stage {
    pub async fn set(scene: Scene) -> Self {
        let mut house = Whole::new();
        house.opens(&Variables::new()).await;
        let cast = Cast::set(&house, scene, "alice").await;
        house.audit().await;
        Self { folder: house.stops().await, cast }
    }

    /// Plays one row, from a copy of this stage.
    pub async fn play(&self, table: &Table, row: &Row) {
        let mut house = Whole::new();
        copy_folder(self.folder.path(), house.folder.path()).expect("a copy");
        play(&mut house, &self.cast, table, row).await;
        let folder = house.stops().await;
        audit_at_rest(folder.path());
    }
}

/// A process that is the whole house.
struct Whole {
    folder: TempDir,
    process: Option<Process>,
}

impl Whole {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), process: None }
    }

    async fn start(&mut self, variables: &Variables) {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.process = Some(Process::start(self.folder.path(), &variables).await);
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }

    /// Stops it in order: the folder with all that it knows.
    async fn stops(self) -> TempDir {
        self.process.expect("it runs").stops().await;
        self.folder
    }
}

impl House for Whole {
    async fn opens_to_die(&mut self, row: &Row, variables: &Variables) {
        let mut variables = variables.clone();
        variables.push(death(row));
        self.start(&variables).await;
    }

    async fn dies(&mut self) -> String {
        self.process.take().expect("it runs").dies().await
    }

    async fn opens(&mut self, variables: &Variables) {
        self.start(variables).await;
    }

    async fn person(&self, name: &str, roles: &[Role]) -> Person {
        let process = self.process();
        process.person(&process.connect().await, name, roles)
    }

    async fn provider_books(&self) -> (Vec<Charge>, Vec<ChargeRefund>) {
        self.person("auditor", &[Role::Admin]).await.provider_books().await
    }

    async fn audit(&self) {
        self.process().audit().await;
    }
}

pub(super) fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
