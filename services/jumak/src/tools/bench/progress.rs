//! A progress bar for terminals.

use std::{
    io::IsTerminal,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(200);

/// A bar that fills with time. It disappears when this is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    _ticks: Option<AbortOnDropHandle<()>>,
}

impl Progress {
    /// Shows a bar for a run of length `time`, unless `quiet` or standard error is not a terminal.
    pub fn show(quiet: bool, time: Duration, done: Arc<AtomicU64>, stop: CancellationToken) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden(), _ticks: None };
        }
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let style = ProgressStyle::with_template("{elapsed:>4} {bar:40} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(milliseconds).with_style(style);
        let ticks = tokio::spawn(tick(bar.clone(), time, done, stop));
        Self { bar, _ticks: Some(AbortOnDropHandle::new(ticks)) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

async fn tick(bar: ProgressBar, time: Duration, done: Arc<AtomicU64>, stop: CancellationToken) {
    let begun = Instant::now();
    while !stop.is_cancelled() && begun.elapsed() < time {
        bar.set_position(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
        bar.set_message(format!("{} done", done.load(Ordering::Relaxed)));
        tokio::time::sleep(TICK).await;
    }
}
