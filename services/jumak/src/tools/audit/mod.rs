//! The auditor: reads the books of every context and of the provider, and checks that they are consistent.
//!
//! 1. A [`Reading`] has the contents of all books at one moment.
//! 2. The [rules](Rule) are pure functions of it.
//! 3. Contexts agree by events, and so a moment later. While a system is running, only findings of two readings, a grace period apart, are
//!    faults.

mod bus;
mod findings;
mod index;
mod reading;
mod report;
mod rule;
mod rules;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use mesh::config::Config;

pub use self::{
    findings::{Finding, Verdict},
    reading::{KnownEvent, MyPage, OpenRequest, Reading, Told, read},
    rule::Rule,
    rules::judge,
};
use crate::{
    cli::{duration, output, place::Place, target::Targeted},
    embedded::DataFolder,
};

/// How often the books of a running system are read until they are in order.
const LOOK: Duration = Duration::from_millis(200);

/// An event that is later than this is stuck.
const LONGEST_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// Read all contexts and prove the books.
///
/// Sold is not more than there is; what is confirmed is paid once, what is cancelled is refunded once, what never came about is not
/// charged; nothing is stuck. Exits with 1 and every row at fault if that is not so. Works while `jumak up` is running, on a data
/// folder or a backup that nobody uses, and on a mesh whose databases and bus are configured.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    targeted: Targeted,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// How late something may be before it counts as stuck; while a system is running, also how long to wait for a second look; at most 1d
    #[arg(long, value_name = "TIME", value_parser = duration::between(Duration::ZERO, LONGEST_GRACE), default_value = "30s")]
    grace: Duration,
}

/// Runs `jumak audit`: true if the books are in order.
pub async fn run(args: &Args) -> anyhow::Result<bool> {
    let (folder, config) = (args.place.folder()?, args.targeted.load()?);
    let grace = SignedDuration::try_from(args.grace)?;
    let mut reading = read(&folder, &config, grace).await?;
    let mut verdict = judge(&reading);
    if !verdict.passed() && bus::is_live(&folder, &config)? {
        let seconds = args.grace.as_secs();
        output::note(format_args!(
            "there are findings, which may settle by themselves in a running system; checking again in {seconds} s"
        ));
        tokio::time::sleep(args.grace).await;
        reading = read(&folder, &config, grace).await?;
        verdict = judge(&reading).confirming(&verdict);
    }
    if args.json {
        output::line(report::json(&verdict, reading.time))?;
    } else {
        output::line(report::text(&verdict, reading.time))?;
    }
    Ok(verdict.passed())
}

/// Checks the books of a reading.
pub fn check(reading: &Reading) -> Vec<Finding> {
    judge(reading).findings
}

/// Reads the books of a running system until they are in order, for `within` at most: then what is still wrong. Nothing is given any
/// grace, so that books in order are those of a house at rest.
pub async fn settle(folder: &DataFolder, config: &Config, within: Duration) -> anyhow::Result<Verdict> {
    let deadline = Instant::now() + within;
    loop {
        let verdict = judge(&read(folder, config, SignedDuration::ZERO).await?);
        if verdict.passed() || Instant::now() >= deadline {
            return Ok(verdict);
        }
        tokio::time::sleep(LOOK).await;
    }
}
