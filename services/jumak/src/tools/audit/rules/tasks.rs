//! Checks that the background tasks of running processes take their turns, and that the turns succeed.

use mesh::driver::MAX_FAILURES;

use crate::audit::{findings::Verdict, index::Index, rule::Rule, tasks::ReportedTask};

pub fn check(index: &Index<'_>, verdict: &mut Verdict) {
    // Of a process that is down nothing is expected.
    for task in index.reading.tasks.iter().filter(|task| task.is_up) {
        let resource = format!("{} in process {}", task.report.task, task.report.process);
        verdict.note(Rule::TasksRun, resource, fault(task));
    }
}

fn fault(task: &ReportedTask) -> Option<String> {
    let report = &task.report;
    if task.waited() > task.may_wait() {
        let since = report.turn_time.unwrap_or(report.start_time);
        let may_wait = task.may_wait().as_secs();
        return Some(format!(
            "no turn had ended since {since} when the process reported at {}, and one should at least every {may_wait} s: the task \
             stands still; restart the process, and report a bug with the process's log",
            report.report_time
        ));
    }
    (report.failures >= MAX_FAILURES).then(|| {
        let (failures, problem) = (report.failures, report.problem.as_deref().unwrap_or("for an unknown reason"));
        format!(
            "its last {failures} turns failed ({problem}): its work waits until a turn succeeds, and it keeps trying; remove the cause, which \
             the process's log describes under the task's name"
        )
    })
}
