//! `jumak bench`: how fast a system is, as its users see it, and beside it what the same machine can do without it.
//!
//! Rooms and guests are made through the API, then clients call until the time is over. Latencies go into HDR histograms; in an open
//! loop they begin when a call was due, so that a server which stalls cannot hide it (see [`schedule`]). The same run measures a bare
//! echo server and a fixed yardstick (see [`compare`]), proves the books, and counts the charges at the provider.

mod child;
pub mod compare;
mod drive;
mod median;
mod outcome;
mod progress;
mod recorder;
pub mod report;
mod run;
mod schedule;
mod setup;
mod target;
mod workload;
mod yardstick;

use std::time::Duration;

pub use self::workload::Workload;
use self::{
    report::{Described, Overall, Report},
    schedule::Pace,
};
use crate::cli::{
    duration,
    line::TlsOptions,
    output,
    place::{Configured, Place},
};

/// Longer measurements say nothing more.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// Above it a rate is a mistake of the typist.
const HIGHEST_RATE: f64 = 1_000_000.0;

/// Measure throughput and latency, and compare with what the machine can do.
///
/// Without --target, an embedded system is started in a temporary folder, in this process. With it, a running system is measured, with
/// rooms and guests of its own; tokens are made with the keys in the data folder, where the audit reads the books as well. Clients call
/// as soon as they have been answered; with --rate calls are due at fixed times, and latency begins when a call was due. Ctrl-C ends
/// the measurement and prints it. Exits with 1 if the audit finds something or more operations fail than --max-errors allows.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What is done
    workload: Workload,
    /// The server to measure, at http:// or https://, or `mesh` for the local mesh [default: a system of its own]
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// Clients at once; with --rate, the most calls in flight
    #[arg(long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    clients: u16,
    /// Connections that they share
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u16).range(1..=64))]
    connections: u16,
    /// An open loop: so many operations are due each second, whatever the server does
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    rate: Option<f64>,
    /// How long to measure: as in 30s or 5m, at most 1h
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration::between(Duration::from_secs(1), LONGEST))]
    duration: Duration,
    /// How long to run before, at most 1h
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration::between(Duration::ZERO, LONGEST))]
    warmup: Duration,
    /// Rooms to register
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rooms: u32,
    /// Measure so many times, each on fresh data if the system is its own, and print the median
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=100))]
    repeat: u8,
    /// Leave the echo server and the yardstick out
    #[arg(long)]
    no_compare: bool,
    /// A PostgreSQL for the yardstick; its role must be allowed to make a database, which is dropped afterwards [default: with --target mesh, the mesh's]
    #[arg(long, value_name = "URL", env = "JUMAK_BENCH_POSTGRES", hide_env_values = true)]
    postgres: Option<String>,
    /// Operations that may fail or be refused in a run
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_errors: u64,
    /// How long the books may take to come to rest before they are judged, at most 1h
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::between(Duration::ZERO, LONGEST))]
    settle: Duration,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    tls: TlsOptions,
    #[command(flatten)]
    configured: Configured,
}

impl Args {
    fn pace(&self) -> Pace {
        self.rate.map_or(Pace::Closed, |rate| Pace::Open { rate })
    }

    fn described(&self) -> Described {
        let (kind, rate) = Described::kind_of(self.pace());
        Described {
            kind,
            rate,
            clients: self.clients.into(),
            connections: self.connections.into(),
            rooms: self.rooms,
            warmup_s: self.warmup.as_secs_f64(),
            duration_s: self.duration.as_secs_f64(),
        }
    }
}

/// Measures; false means that a run failed.
pub async fn run(args: &Args) -> anyhow::Result<bool> {
    let stop = run::stop_on_interrupt()?;
    let mut runs = Vec::new();
    for number in 1..=args.repeat {
        if stop.is_cancelled() {
            break;
        }
        let Some(run) = run::once(args, &stop).await? else { break };
        if !args.json {
            if args.repeat > 1 {
                output::line(format_args!("run {number} of {}", args.repeat))?;
            }
            output::line(report::run_text(&run, args.max_errors)?)?;
        }
        runs.push(run);
    }
    let passed = !runs.is_empty() && runs.iter().all(|run| run.faults(args.max_errors).is_empty());
    let summary = Overall::of(&runs);
    if args.json {
        let target = args.target.clone().unwrap_or_else(|| "embedded".to_owned());
        let report = Report { workload: args.workload, target, load: args.described(), runs, summary, passed };
        output::line(serde_json::to_string_pretty(&report)?)?;
    } else if let Some(summary) = summary.filter(|_| runs.len() > 1) {
        output::line(report::overall_text(&summary)?)?;
    }
    Ok(passed)
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= HIGHEST_RATE => Ok(rate),
        _ => Err(format!("`{text}` is no rate; type calls per second, as in 200")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        _args: Args,
    }

    #[test]
    fn what_has_no_bounds_is_not_measured() {
        assert_eq!(rate("200"), Ok(200.0));
        assert_eq!(rate("0.5"), Ok(0.5));
        for text in ["0", "-1", "inf", "NaN", "1e9", "fast"] {
            assert!(rate(text).unwrap_err().contains("as in 200"), "{text}");
        }
        let line = |option, time| {
            let parsed = Line::try_parse_from(["bench", "book", option, time]);
            parsed.map(drop).map_err(|error| error.to_string())
        };
        assert!(line("--warmup", "0s").is_ok() && line("--settle", "1h").is_ok());
        assert!(line("--duration", "0s").unwrap_err().contains("it is 1s to 1h"));
        for option in ["--duration", "--warmup", "--settle"] {
            assert!(line(option, "4166667d").unwrap_err().contains("to 1h"), "{option}");
        }
    }
}
