//! The baselines: they run on the same machine in the same run as the workload, so that the ratio to them can be compared across machines.
//!
//! Each baseline is measured before and after the workload, because a machine's speed changes within minutes. The result is the median of
//! the two.

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

/// The longest measurement of a baseline.
const LONGEST: Duration = Duration::from_secs(5);

/// A baseline and its result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Its short name.
    pub name: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// What it measures.
    pub what: String,
    /// The result, or why there is none.
    #[serde(flatten)]
    pub came_to: Measurement,
}

/// The result of a baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Measurement {
    /// It was measured.
    Measured {
        /// Per second, before the workload and after it.
        per_second: Vec<f64>,
        /// The median of the two.
        median: f64,
        /// The workload's operations per second, divided by the median. For the yardstick, the operations that every consumer has handled.
        /// Only
        /// in a closed loop, in which both run as fast as they can.
        #[serde(skip_serializing_if = "Option::is_none")]
        ratio: Option<f64>,
    },
    /// It was not measured.
    Skipped {
        /// Why.
        skipped: String,
    },
}

/// The load on a baseline: the same as the workload's.
#[derive(Clone, Copy, Debug)]
pub struct BaselineLoad {
    /// Concurrent clients.
    pub clients: usize,
    /// Connections that they share.
    pub connections: usize,
    /// The length of each measurement.
    pub duration: Duration,
}

impl BaselineLoad {
    /// The load of a workload with these clients and connections that is measured for `duration`.
    pub fn new(clients: usize, connections: usize, duration: Duration) -> Self {
        Self { clients, connections, duration: duration.min(LONGEST) }
    }
}

/// The workload's throughput, in operations per second.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Until clients were answered.
    pub answered: f64,
    /// From the first call until the last consumer had handled the last booking; none if nothing was booked.
    pub heard: Option<f64>,
}

/// All baselines of a workload, ready to be measured.
#[derive(Debug)]
pub struct Comparisons {
    load: BaselineLoad,
    baselines: Vec<(Baseline, anyhow::Result<Vec<f64>>)>,
}

#[derive(Debug)]
enum Baseline {
    Disk,
    Echo(Echo),
    Sqlite(Sqlite),
    Pgbench(Pgbench),
    /// A baseline that cannot be measured, and why.
    None(&'static str, String),
}

impl Comparisons {
    /// The baselines of `workload`: the echo server for its calls, and the yardstick if it is a booking.
    pub async fn of(
        workload: Workload,
        samples: Vec<(u32, Sample)>,
        load: BaselineLoad,
        postgres: Option<&str>,
    ) -> Self {
        let or_none = |name, baseline: anyhow::Result<Baseline>| {
            baseline.unwrap_or_else(|error| Baseline::None(name, format!("{error:#}")))
        };
        let echo = Echo::start(samples, load).await.map(Baseline::Echo);
        let mut baselines = vec![Baseline::Disk, or_none(echo::NAME, echo)];
        for way in [Way::Plain, Way::Best] {
            let (lite, postgres_name) = (sqlite::name(way), pgbench::name(way));
            if workload != Workload::Book {
                let why = format!("the yardstick is a booking, but the workload is {}", workload.name());
                baselines.extend([Baseline::None(lite, why.clone()), Baseline::None(postgres_name, why)]);
                continue;
            }
            baselines.push(or_none(lite, Sqlite::prepare(way).await.map(Baseline::Sqlite)));
            let pgbench = match postgres {
                Some(url) => Pgbench::prepare(url, way).await.map(Baseline::Pgbench),
                None => Err(anyhow::anyhow!("no PostgreSQL is given; name one with --postgres URL")),
            };
            baselines.push(or_none(postgres_name, pgbench));
        }
        Self { load, baselines: baselines.into_iter().map(|baseline| (baseline, Ok(Vec::new()))).collect() }
    }

    /// Measures each baseline once more.
    pub async fn measure(&mut self) {
        for (baseline, measured) in &mut self.baselines {
            let Ok(figures) = measured else { continue };
            let figure = match baseline {
                Baseline::Disk => disk::measure().await,
                Baseline::Echo(echo) => echo.measure(self.load).await,
                Baseline::Sqlite(sqlite) => sqlite.measure(self.load).await,
                Baseline::Pgbench(pgbench) => pgbench.measure(self.load).await,
                Baseline::None(_, why) => Err(anyhow::anyhow!(why.clone())),
            };
            match figure {
                Ok(figure) => figures.push(figure),
                Err(error) => *measured = Err(error),
            }
        }
    }

    /// The results, with ratios to the workload's throughput. `pace` is given only for a closed loop.
    pub async fn finish(self, pace: Option<Pace>) -> Vec<Comparison> {
        let (answered, heard) = (pace.map(|pace| pace.answered), pace.and_then(|pace| pace.heard));
        let mut all = Vec::new();
        for (baseline, measured) in self.baselines {
            let (name, unit, what, per_second) = match &baseline {
                Baseline::Disk => (disk::NAME, "syncs", disk::WHAT.to_owned(), None),
                Baseline::Echo(echo) => (echo::NAME, "calls", echo.what(), answered),
                Baseline::Sqlite(sqlite) => (sqlite.name(), "bookings", sqlite.what(), heard),
                Baseline::Pgbench(pgbench) => (pgbench.name(), "bookings", pgbench.what().to_owned(), heard),
                Baseline::None(name, _) => (*name, "", String::new(), None),
            };
            all.push(Comparison { name, unit, what, came_to: came_to(measured, per_second) });
            if let Baseline::Pgbench(pgbench) = baseline {
                pgbench.clear().await;
            }
        }
        all
    }
}

fn came_to(measured: anyhow::Result<Vec<f64>>, per_second: Option<f64>) -> Measurement {
    let skipped = |why: String| Measurement::Skipped { skipped: why };
    match measured {
        Err(error) => skipped(format!("{error:#}")),
        Ok(figures) => match Spread::of(figures.iter().copied()) {
            None => skipped("the run was stopped before it was measured".to_owned()),
            Some(Spread { median, .. }) => {
                let ratio = per_second.filter(|_| median > 0.0).map(|per_second| per_second / median);
                Measurement::Measured { per_second: figures, median, ratio }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_uses_the_median_of_before_and_after() {
        let Measurement::Measured { median, ratio, .. } = came_to(Ok(vec![1_000.0, 3_000.0]), Some(500.0)) else {
            panic!("it was measured")
        };
        assert_eq!((median, ratio), (2_000.0, Some(0.25)));
    }

    #[test]
    fn an_open_loop_has_no_ratio_and_a_skipped_baseline_has_its_reason() {
        let Measurement::Measured { ratio, .. } = came_to(Ok(vec![1_000.0]), None) else { panic!("it was measured") };
        assert_eq!(ratio, None);
        let why = came_to(Err(anyhow::anyhow!("pgbench was not found")), Some(500.0));
        assert_eq!(serde_json::to_value(why).unwrap(), serde_json::json!({ "skipped": "pgbench was not found" }));
    }
}
