//! What the processes have reported about their background tasks.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use mesh::task_reports::TaskReport;

/// A process that has not reported for this long is down: three times as long as a process waits between two reports, so that a report
/// may be late, and clocks may differ.
const DOWN_AFTER: SignedDuration = SignedDuration::from_mins(3);
/// How long a turn may take, besides ten rests.
const LONG_TURN: SignedDuration = SignedDuration::from_secs(60);

/// A background task of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedTask {
    /// The process's newest report.
    pub report: TaskReport,
    /// Whether the process is running, as far as its report's age tells.
    pub is_up: bool,
}

impl ReportedTask {
    /// A report as it is read at `now`. If the system is not `live`, no process runs.
    pub fn read(report: TaskReport, live: bool, now: Timestamp) -> Self {
        let age = now.duration_since(report.report_time);
        Self { is_up: live && age < DOWN_AFTER, report }
    }

    /// How long its process had waited for the end of a turn when it reported.
    pub fn waited(&self) -> SignedDuration {
        let TaskReport { start_time, turn_time, report_time, .. } = &self.report;
        report_time.duration_since(turn_time.unwrap_or(*start_time))
    }

    /// How long that may be.
    pub fn may_wait(&self) -> SignedDuration {
        self.report.longest_rest.saturating_mul(10).saturating_add(LONG_TURN)
    }
}

/// Its last turn, and when the process was last seen.
impl fmt::Display for ReportedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.report.turn_time, &self.report.problem) {
            (None, _) => f.write_str("no turn has ended")?,
            (Some(time), None) => write!(f, "succeeded at {time}")?,
            (Some(time), Some(problem)) => {
                write!(f, "failed at {time}, {} in a row: {problem}", self.report.failures)?;
            }
        }
        if self.is_up { Ok(()) } else { write!(f, "; the process is down, last seen at {}", self.report.report_time) }
    }
}
