//! What the processes of a mesh count, as a scraper finds it.

use std::{fs, path::Path};

use jumak::house::Member;

use crate::{
    support::{Inn, setup::Setup},
    telemetry::scraper::scrape_at,
};

/// A configuration under which each process can be scraped, on a port of its own.
pub fn scraped(setup: Setup) -> Setup {
    setup.with("metrics.listen", "127.0.0.1:0")
}

/// Where one process can be scraped.
#[derive(Clone, Debug)]
pub struct Meters(String);

/// What a process had counted at one moment.
#[derive(Clone, Debug)]
pub struct Counted(Vec<String>);

impl Meters {
    /// Those of a process that runs. Restarted, it has others.
    pub fn of(inn: &Inn, member: Member, replica: u16) -> Self {
        let log = inn.folder().path().join("logs").join(format!("{member}-{replica}.log"));
        Self(announced_in(&log).unwrap_or_else(|| panic!("{member} {replica} does not say where it can be scraped")))
    }

    /// What the process has counted until now.
    pub async fn read(&self) -> Counted {
        Counted(scrape_at(&self.0).await)
    }
}

impl Counted {
    /// The sum of all series of that name which have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let of_name = |line: &&String| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let wanted = self.0.iter().filter(of_name).filter(|line| labels.iter().all(|label| line.contains(label)));
        wanted.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    /// How often the circuit to payment has come to be in that state.
    pub fn circuit_to_payment(&self, state: &str) -> f64 {
        self.sum("jumak_client_breaker_changes_total", &[("callee", "payment"), ("state", state)])
    }
}

/// The last address that the log names: each start adds one.
fn announced_in(log: &Path) -> Option<String> {
    let log = fs::read_to_string(log).ok()?;
    let line = log.lines().rfind(|line| line.contains("metrics can be scraped"))?;
    Some(line.rsplit_once("address=")?.1.trim().to_owned())
}
