//! The process is killed at each kill point of the lifecycle, as by a power cut, and started again on what it left: the case settles
//! by itself, each answer that was given stays true, and the provider has charged exactly what is confirmed.
//!
//! A table names, for each way through the lifecycle, where the process dies, what its client does then, and how the case has to end.

mod cancel;
mod create;
mod guest;
mod load;
mod pay;
mod scene;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use contracts::reservation::v1::reservation::State;
use mesh::killpoint::KillPoint;
use tokio::{sync::Semaphore, task::JoinSet};

use self::{
    guest::Step,
    scene::{Scene, Stage},
};

/// Processes of one table at once: most of what they do is wait.
const AT_ONCE: usize = 6;

/// What the client does once the process is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    /// Sends its requests again at once, under the same ids.
    Repeats,
    /// Is gone, and asks only when all has settled.
    IsGone,
}
use Client::{IsGone, Repeats};

/// A line of a table.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// Where the process dies: a kill point, and the how manieth time that it is reached.
    at: (KillPoint, u32),
    /// What the client does then.
    client: Client,
    /// How the case ends.
    ends: State,
}

const fn row(point: KillPoint, nth: u32, client: Client, ends: State) -> Row {
    Row { at: (point, nth), client, ends }
}

/// The tables, with what each of them has to go through.
const TABLES: &[&[Row]] =
    &[create::APPROVED, create::DECLINED, pay::APPROVED, pay::NEVER_PAID, cancel::CONFIRMED, cancel::HELD];

#[test]
fn every_kill_point_is_in_a_table() {
    let points = TABLES.iter().flat_map(|rows| rows.iter()).map(|row| row.at.0.name());
    let missing: BTreeSet<&str> = KillPoint::ALL.iter().map(|point| point.name()).collect();
    let missing: Vec<_> = missing.difference(&points.collect()).copied().collect();
    assert!(missing.is_empty(), "no table dies at {missing:?}");
}

/// Kills and restarts a house for each row, some at once.
async fn all(scene: Scene, script: &'static [Step], rows: &'static [Row]) {
    let stage = Arc::new(Stage::set(scene).await);
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let (mut runs, mut playing) = (JoinSet::new(), HashMap::new());
    for row in rows {
        let (stage, permits) = (stage.clone(), permits.clone());
        let run = runs.spawn(async move {
            let _permit = permits.acquire().await.expect("a permit");
            stage.play(script, row).await;
        });
        playing.insert(run.id(), row);
    }
    while let Some(run) = runs.join_next_with_id().await {
        if let Err(failed) = run {
            panic!("{script:?}, {:?}: {failed}", playing[&failed.id()]);
        }
    }
}
