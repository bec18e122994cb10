//! What stands beside the workload in the same run, on the same machine: so that a ratio is left when the figures have travelled.
//!
//! Each is measured before and after the workload, because a machine is not the same machine a minute later; what counts is the
//! median of the two.

pub mod disk;
pub mod echo;
pub mod pgbench;
pub mod sqlite;

use std::time::Duration;

use serde::Serialize;

use self::{echo::Echo, pgbench::Pgbench, sqlite::Sqlite};
use super::{
    median::Spread,
    workload::{Sample, Workload},
    yardstick::Way,
};

/// A comparison is measured for no longer than this each time.
const LONGEST: Duration = Duration::from_secs(5);

/// What is compared with, and how it went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Its short name.
    pub name: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// What it is, in a sentence.
    pub what: String,
    /// What was measured, or why nothing was.
    #[serde(flatten)]
    pub came_to: CameTo,
}

/// What a comparison came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum CameTo {
    /// It was measured.
    Measured {
        /// Per second, before the workload and after it.
        per_second: Vec<f64>,
        /// The median of the two.
        median: f64,
        /// The workload's operations per second, divided by that: to the yardstick those that everybody has heard of. Only in a closed
        /// loop, where both are as fast as they can.
        #[serde(skip_serializing_if = "Option::is_none")]
        ratio: Option<f64>,
    },
    /// It could not be.
    Skipped {
        /// Why.
        skipped: String,
    },
}

/// How hard to press: as hard as the workload does.
#[derive(Clone, Copy, Debug)]
pub struct Pressure {
    /// Clients at once.
    pub clients: usize,
    /// Connections that they share.
    pub connections: usize,
    /// How long is measured each time.
    pub duration: Duration,
}

impl Pressure {
    /// As hard as a workload of so many clients and connections that is measured for `duration`.
    pub fn new(clients: usize, connections: usize, duration: Duration) -> Self {
        Self { clients, connections, duration: duration.min(LONGEST) }
    }
}

/// How fast the workload went, in operations per second.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// As clients were answered.
    pub answered: f64,
    /// From the first call until the last consumer had heard of the last booking; none if nothing was booked.
    pub heard: Option<f64>,
}

/// Everything that the workload is compared with, ready to be measured.
#[derive(Debug)]
pub struct Comparisons {
    pressure: Pressure,
    rivals: Vec<(Rival, anyhow::Result<Vec<f64>>)>,
}

#[derive(Debug)]
enum Rival {
    Disk,
    Echo(Echo),
    Sqlite(Sqlite),
    Pgbench(Pgbench),
    /// One that is not there, and why.
    None(&'static str, String),
}

impl Comparisons {
    /// Those that make sense for `workload`: an echo of its calls, and the yardstick where bookings are made.
    pub async fn of(
        workload: Workload,
        samples: Vec<(u32, Sample)>,
        pressure: Pressure,
        postgres: Option<&str>,
    ) -> Self {
        let or_none =
            |name, rival: anyhow::Result<Rival>| rival.unwrap_or_else(|error| Rival::None(name, format!("{error:#}")));
        let echo = Echo::start(samples, pressure).await.map(Rival::Echo);
        let mut rivals = vec![Rival::Disk, or_none(echo::NAME, echo)];
        for way in [Way::Plain, Way::Best] {
            let (lite, postgres_name) = (sqlite::name(way), pgbench::name(way));
            if workload != Workload::Book {
                let why = format!("the yardstick is a booking, and {} is something else", workload.name());
                rivals.extend([Rival::None(lite, why.clone()), Rival::None(postgres_name, why)]);
                continue;
            }
            rivals.push(or_none(lite, Sqlite::prepare(way).await.map(Rival::Sqlite)));
            let pgbench = match postgres {
                Some(url) => Pgbench::prepare(url, way).await.map(Rival::Pgbench),
                None => Err(anyhow::anyhow!("no PostgreSQL was named; name one with --postgres URL")),
            };
            rivals.push(or_none(postgres_name, pgbench));
        }
        Self { pressure, rivals: rivals.into_iter().map(|rival| (rival, Ok(Vec::new()))).collect() }
    }

    /// Measures each once more.
    pub async fn measure(&mut self) {
        for (rival, measured) in &mut self.rivals {
            let Ok(figures) = measured else { continue };
            let figure = match rival {
                Rival::Disk => disk::measure().await,
                Rival::Echo(echo) => echo.measure(self.pressure).await,
                Rival::Sqlite(sqlite) => sqlite.measure(self.pressure).await,
                Rival::Pgbench(pgbench) => pgbench.measure(self.pressure).await,
                Rival::None(_, why) => Err(anyhow::anyhow!(why.clone())),
            };
            match figure {
                Ok(figure) => figures.push(figure),
                Err(error) => *measured = Err(error),
            }
        }
    }

    /// What they came to, beside the workload's pace, which is given only if it went as fast as it could.
    pub async fn finish(self, pace: Option<Pace>) -> Vec<Comparison> {
        let (answered, heard) = (pace.map(|pace| pace.answered), pace.and_then(|pace| pace.heard));
        let mut all = Vec::new();
        for (rival, measured) in self.rivals {
            let (name, unit, what, per_second) = match &rival {
                Rival::Disk => (disk::NAME, "syncs", disk::WHAT.to_owned(), None),
                Rival::Echo(echo) => (echo::NAME, "calls", echo.what(), answered),
                Rival::Sqlite(sqlite) => (sqlite.name(), "bookings", sqlite.what(), heard),
                Rival::Pgbench(pgbench) => (pgbench.name(), "bookings", pgbench.what().to_owned(), heard),
                Rival::None(name, _) => (*name, "", String::new(), None),
            };
            all.push(Comparison { name, unit, what, came_to: came_to(measured, per_second) });
            if let Rival::Pgbench(pgbench) = rival {
                pgbench.clear().await;
            }
        }
        all
    }
}

fn came_to(measured: anyhow::Result<Vec<f64>>, per_second: Option<f64>) -> CameTo {
    let skipped = |why: String| CameTo::Skipped { skipped: why };
    match measured {
        Err(error) => skipped(format!("{error:#}")),
        Ok(figures) => match Spread::of(figures.iter().copied()) {
            None => skipped("the run was stopped before it".to_owned()),
            Some(Spread { median, .. }) => {
                let ratio = per_second.filter(|_| median > 0.0).map(|per_second| per_second / median);
                CameTo::Measured { per_second: figures, median, ratio }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_that_to_the_median_of_before_and_after() {
        let CameTo::Measured { median, ratio, .. } = came_to(Ok(vec![1_000.0, 3_000.0]), Some(500.0)) else {
            panic!("it was measured")
        };
        assert_eq!((median, ratio), (2_000.0, Some(0.25)));
    }

    #[test]
    fn an_open_loop_has_no_ratio_and_what_was_not_measured_says_why() {
        let CameTo::Measured { ratio, .. } = came_to(Ok(vec![1_000.0]), None) else { panic!("it was measured") };
        assert_eq!(ratio, None);
        let why = came_to(Err(anyhow::anyhow!("pgbench was not found")), Some(500.0));
        assert_eq!(serde_json::to_value(why).unwrap(), serde_json::json!({ "skipped": "pgbench was not found" }));
    }
}
