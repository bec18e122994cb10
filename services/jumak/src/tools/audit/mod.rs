//! The auditor: reads the books of every context and of the provider, and checks that they are consistent.
//!
//! 1. A [`Reading`] holds the contents of all books at one moment.
//! 2. The [rules](Rule) are pure functions of it.
//! 3. Contexts follow each other by events, so they agree a moment later. While a system runs, the audit reads twice, a grace period apart,
//!    and reports only what it finds both times.

mod bus;
mod findings;
mod index;
mod reading;
mod report;
mod rule;
mod rules;
mod tasks;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use mesh::config::Config;

pub use self::{
    findings::{Finding, Verdict},
    reading::{KnownEvent, MyPage, OpenRequest, OutboxEvent, Reading, read},
    rule::Rule,
    rules::judge,
    tasks::ReportedTask,
};
use crate::{
    cli::{duration, options::DataOption, output, target::TargetOption},
    embedded::DataFolder,
};

/// The pause between two readings in [`settle`].
const LOOK: Duration = Duration::from_millis(200);

/// The longest value of `--grace`.
const LONGEST_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// Read all contexts and prove the books.
///
/// The audit checks that no night is oversold, that confirmed cases are paid once, that cancelled cases are refunded once, that no other
/// case is charged, that nothing is stuck, and that background tasks run. It lists the last turn of each background task. If it has findings, it prints every row at fault and exits with 1. It works while
/// `jumak up` runs, on an unused data folder or backup, and on a mesh whose databases and bus are configured.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: DataOption,
    #[command(flatten)]
    targeted: TargetOption,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// How late something may be before it counts as stuck; while a system runs, also the pause before the second reading; at most 1d
    #[arg(long, value_name = "TIME", value_parser = duration::between(Duration::ZERO, LONGEST_GRACE), default_value = "30s")]
    grace: Duration,
}

/// Runs `jumak audit`: true if the books are in order.
pub async fn run(args: &Args) -> anyhow::Result<bool> {
    let (folder, config) = (args.data.folder()?, args.targeted.load()?);
    let grace = SignedDuration::try_from(args.grace)?;
    let mut reading = read(&folder, &config, grace).await?;
    let mut verdict = judge(&reading);
    if !verdict.passed() && bus::is_live(&folder, &config)? {
        let seconds = args.grace.as_secs();
        output::note(format_args!(
            "there are findings, which may resolve by themselves in a running system; checking again in {seconds} s"
        ));
        tokio::time::sleep(args.grace).await;
        reading = read(&folder, &config, grace).await?;
        verdict = judge(&reading).confirming(&verdict);
    }
    if args.json {
        output::line(report::json(&verdict, &reading))?;
    } else {
        output::line(report::text(&verdict, &reading))?;
    }
    Ok(verdict.passed())
}

/// Checks the books of a reading.
pub fn check(reading: &Reading) -> Vec<Finding> {
    judge(reading).findings
}

/// Reads the books of a running system again and again until there are no findings, for at most `within`. Returns the last verdict.
/// There is no grace period, so a verdict without findings means that no work is left.
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
