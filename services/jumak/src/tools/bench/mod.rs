//! `jumak bench`: measures a system's throughput and latency as its users see them, and compares them with baselines on the same machine.
//!
//! 1. Rooms and guests are created through the API.
//! 2. Clients make calls until the time is over. Latencies go into HDR histograms. In an open loop a latency begins when the call was
//!    due, so that a server that stalls cannot hide it (see [`schedule`]).
//! 3. Before and after that, the baselines are measured: a bare echo server and a fixed yardstick (see [`compare`]).
//! 4. The audit runs, and the provider's charges are counted.

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
    connect::TlsOptions,
    duration,
    options::{ConfigOption, DataOption},
    output,
};

/// The longest measurement. A longer one would show nothing more.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// A higher rate is a typing error.
const HIGHEST_RATE: f64 = 1_000_000.0;

/// Measure throughput and latency, and compare them with baselines on the same machine.
///
/// Without --target, the benchmark starts a temporary embedded system in this process. With --target, it measures a running system, with
/// rooms and guests of its own; it makes tokens with the keys in the data folder, and audits the data there. Each client makes its next
/// call when the last one is answered; with --rate, calls are due at fixed times, and a latency begins when the call was due. Ctrl-C ends
/// the measurement and prints it. The exit status is 1 if the audit has findings, or if more operations fail than --max-errors allows.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The operations to measure
    workload: Workload,
    /// The server's http:// or https:// address, or `mesh` for the local mesh [default: a temporary system]
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// Concurrent clients; with --rate, the most calls in flight
    #[arg(long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    clients: u16,
    /// Connections that they share
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u16).range(1..=64))]
    connections: u16,
    /// An open loop: this many operations are due each second, however fast the server answers
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    rate: Option<f64>,
    /// How long to measure, such as 30s or 5m; at most 1h
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration::between(Duration::from_secs(1), LONGEST))]
    duration: Duration,
    /// How long to run before measuring; at most 1h
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration::between(Duration::ZERO, LONGEST))]
    warmup: Duration,
    /// Rooms to register
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rooms: u32,
    /// Measure this many times and print the median; a temporary system starts with fresh data each time
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=100))]
    repeat: u8,
    /// Do not measure the echo server and the yardstick
    #[arg(long)]
    no_compare: bool,
    /// A PostgreSQL for the yardstick; its role must be allowed to make a database, which is dropped afterwards [default: with --target mesh, the mesh's]
    #[arg(long, value_name = "URL", env = "JUMAK_BENCH_POSTGRES", hide_env_values = true)]
    postgres: Option<String>,
    /// Operations that may fail or be refused in a run
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_errors: u64,
    /// How long the system may take to settle before the audit counts its findings; at most 1h
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::between(Duration::ZERO, LONGEST))]
    settle: Duration,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataOption,
    #[command(flatten)]
    tls: TlsOptions,
    #[command(flatten)]
    configured: ConfigOption,
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
        _ => Err(format!("`{text}` is not a rate; type calls per second, such as 200")),
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
    fn rates_and_durations_out_of_bounds_are_refused() {
        assert_eq!(rate("200"), Ok(200.0));
        assert_eq!(rate("0.5"), Ok(0.5));
        for text in ["0", "-1", "inf", "NaN", "1e9", "fast"] {
            assert!(rate(text).unwrap_err().contains("such as 200"), "{text}");
        }
        let line = |option, time| {
            let parsed = Line::try_parse_from(["bench", "book", option, time]);
            parsed.map(drop).map_err(|error| error.to_string())
        };
        assert!(line("--warmup", "0s").is_ok() && line("--settle", "1h").is_ok());
        assert!(line("--duration", "0s").unwrap_err().contains("use 1s to 1h"));
        for option in ["--duration", "--warmup", "--settle"] {
            assert!(line(option, "4166667d").unwrap_err().contains("to 1h"), "{option}");
        }
    }
}
