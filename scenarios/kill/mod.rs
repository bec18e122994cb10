//! A process is killed at each kill point of the lifecycle, as by a power cut, and started again on what it left: the case settles by
//! itself, each answer that was given stays true, and the provider has charged exactly what is confirmed.
//!
//! A table names, for each way through the lifecycle, where the process dies, what its client does then, and how the case has to end.
//! Here it is played on one process that is the whole house. `mesh::kill` plays it on a mesh, where one context dies and the others
//! live on.

pub mod busy;
pub mod cancel;
pub mod create;
mod folder;
pub mod guest;
mod load;
mod lost_files;
pub mod pay;
pub mod register;
pub mod scene;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use contracts::reservation::v1::reservation::State;
use jumak::house::Member;
use mesh::{checkout, killpoint::KillPoint};
use tokio::{sync::Semaphore, task::JoinSet};

use self::{folder::Stage, guest::Step, scene::Scene};

/// Processes of one table at once: most of what they do is wait.
const AT_ONCE: usize = 6;

/// What the client does once the process is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Sends its requests again at once, under the same ids.
    Repeats,
    /// Is gone, and asks only when all has settled.
    IsGone,
}
use Client::{IsGone, Repeats};

/// A line of a table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Where the process dies: a kill point, and the how manieth time that it is reached.
    pub at: (KillPoint, u32),
    /// What the client does then.
    pub client: Client,
    /// How the case ends.
    pub ends: State,
}

const fn row(point: KillPoint, nth: u32, client: Client, ends: State) -> Row {
    Row { at: (point, nth), client, ends }
}

/// A way through the lifecycle, and where it is cut.
#[derive(Debug)]
pub struct Table {
    /// What the guest has before.
    pub scene: Scene,
    /// What the guest does.
    pub script: &'static [Step],
    /// Where a process dies.
    pub rows: &'static [Row],
    /// Of the points that several contexts come to: who dies there in a mesh, and how often they come there at the least.
    pub shared: &'static [(KillPoint, Member, u32)],
}

impl Table {
    /// Who dies in a mesh, in turn, where the row says: each context that comes there so often.
    pub fn dying(&self, row: &Row) -> Vec<Member> {
        let (point, nth) = row.at;
        if let Some(context) = only_context_at(point) {
            return vec![context];
        }
        let so_often = |(at, _, times): &&(KillPoint, Member, u32)| *at == point && nth <= *times;
        self.shared.iter().filter(so_often).map(|(_, context, _)| *context).collect()
    }
}

/// Which context comes to the point; none if several do.
pub fn only_context_at(point: KillPoint) -> Option<Member> {
    if checkout::kill::ALL.contains(&point) {
        // The tables are those of a stay.
        return Some(Member::RESERVATION);
    }
    payment::kill::ALL.contains(&point).then_some(Member::PAYMENT)
}

/// Every point.
pub fn points() -> impl Iterator<Item = KillPoint> {
    let of_all = [mesh::relay::AFTER_PUBLISH, mesh::consumer::BEFORE_ACK];
    checkout::kill::ALL.into_iter().chain(payment::kill::ALL).chain(of_all)
}

/// All tables.
pub static TABLES: [&Table; 7] = [
    &register::REGISTERED,
    &create::APPROVED,
    &create::DECLINED,
    &pay::APPROVED,
    &pay::NEVER_PAID,
    &cancel::CONFIRMED,
    &cancel::HELD,
];

#[test]
fn every_kill_point_is_in_a_table() {
    let in_tables = TABLES.iter().flat_map(|table| table.rows).map(|row| row.at.0.name());
    let missing: BTreeSet<&str> = points().map(KillPoint::name).collect();
    let missing: Vec<_> = missing.difference(&in_tables.collect()).copied().collect();
    assert!(missing.is_empty(), "no table dies at {missing:?}");
}

/// Kills and restarts a house for each row, some at once.
async fn all(table: &'static Table) {
    let stage = Arc::new(Stage::set(table.scene).await);
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let (mut runs, mut playing) = (JoinSet::new(), HashMap::new());
    for row in table.rows {
        let (stage, permits) = (stage.clone(), permits.clone());
        let run = runs.spawn(async move {
            let _permit = permits.acquire().await.expect("a permit");
            stage.play(table, row).await;
        });
        playing.insert(run.id(), row);
    }
    while let Some(run) = runs.join_next_with_id().await {
        if let Err(failed) = run {
            panic!("{:?}, {:?}: {failed}", table.script, playing[&failed.id()]);
        }
    }
}
