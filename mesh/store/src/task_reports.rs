//! Each process writes down, in the databases of its contexts, what it knows about their background tasks. So the audit sees it in every
//! shape, without calling a process, and also when the process is down.
//!
//! 1. The process reports at its start and then every minute; at once if a task begins or ceases to be failing. A report is one commit.
//! 2. The newest report of a process replaces its earlier ones.
//! 3. A process that has not reported for ten minutes is removed by the next report of another. A SQLite file has one process at a time,
//!    so there any other one is removed at once.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mesh_foundation::{
    background::Background,
    clock::{Clock, from_micros},
    driver::{Progress, Task, Turn},
    error::Error,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::{
    db::{Database, Engine},
    store::{
        Reading,
        entity::task_report::{ActiveModel, Column, Entity, Model},
        int,
    },
};

/// The longest text of an error, in characters: as wide as its column.
const MAX_PROBLEM: usize = 400;
/// How often a process reports.
const EVERY: Duration = Duration::from_secs(60);
/// How long the reports of a process that has ended are kept if another one runs.
const KEPT_FOR: Duration = Duration::from_secs(10 * 60);
/// The first pause after a report that failed.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// What a process has reported about one of its tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskReport {
    /// The process: an id that it made at its start.
    pub process: Uuid,
    /// The task's full name: `<context>.<task>`.
    pub task: String,
    /// When the process started it.
    pub start_time: Timestamp,
    /// Its longest rest between two turns.
    pub longest_rest: SignedDuration,
    /// When its last turn ended; none before the first one has.
    pub turn_time: Option<Timestamp>,
    /// How many of its last turns failed in a row.
    pub failures: u32,
    /// Why the last turn failed, if it did.
    pub problem: Option<String>,
    /// When the process reported this, by its own clock like all times of the report.
    pub report_time: Timestamp,
}

/// Starts the task that reports about the tasks of `context`, itself among them.
pub fn start(context: &'static str, database: Database, background: &Background) {
    let (process, tasks) = (Uuid::now_v7(), background.clone());
    let task = Task::new(context, "task_reports", EVERY).retries(FIRST_PAUSE, EVERY);
    task.woken_by(background.failing_changed(context)).start(background, move || {
        let (database, tasks) = (database.clone(), tasks.tasks(context));
        async move { write(&database, process, &tasks, Clock::system().now()).await.map(|()| Turn::Idle) }
    });
}

/// Replaces what `process` has reported, and removes what is out of date.
async fn write(database: &Database, process: Uuid, tasks: &[Progress], now: Timestamp) -> Result<(), Error> {
    let rows = tasks.iter().map(|task| row(process, task, now)).collect::<Result<Vec<_>, _>>()?;
    let replaced = match database.engine() {
        Engine::Sqlite => Condition::all(),
        Engine::Postgres | Engine::MySql => {
            let outdated = (now - KEPT_FOR).as_microsecond();
            Condition::any().add(Column::Process.eq(process)).add(Column::ReportTime.lt(outdated))
        }
    };
    database
        .transact("report_tasks", |tx| {
            let (rows, replaced) = (rows.clone(), replaced.clone());
            async move {
                Entity::delete_many().filter(replaced).exec(&*tx).await?;
                Entity::insert_many(rows).exec_without_returning(&*tx).await?;
                Ok(())
            }
        })
        .await
}

fn row(process: Uuid, task: &Progress, now: Timestamp) -> Result<ActiveModel, Error> {
    let problem = task.last_turn.as_ref().and_then(|turn| turn.outcome.as_ref().err());
    Ok(ActiveModel {
        process: Set(process),
        task: Set(task.name.clone()),
        start_time: Set(task.start_time.as_microsecond()),
        longest_rest: Set(int(task.longest_rest.as_micros())?),
        turn_time: Set(task.last_turn.as_ref().map(|turn| turn.time.as_microsecond())),
        failures: Set(int(task.failures)?),
        problem: Set(problem.map(|problem| problem.chars().take(MAX_PROBLEM).collect())),
        report_time: Set(now.as_microsecond()),
    })
}

/// What every process has reported to that database, by process and task.
pub async fn read(database: &Database) -> Result<Vec<TaskReport>, Error> {
    let rows = Entity::find().order_by_asc(Column::Process).order_by_asc(Column::Task).all(database.read()).await?;
    rows.into_iter().map(report).collect()
}

fn report(row: Model) -> Result<TaskReport, Error> {
    let failures = Reading("tasks", &row.task).count("number of failures", row.failures)?;
    Ok(TaskReport {
        process: row.process,
        task: row.task,
        start_time: from_micros(row.start_time),
        longest_rest: SignedDuration::from_micros(row.longest_rest),
        turn_time: row.turn_time.map(from_micros),
        failures,
        problem: row.problem,
        report_time: from_micros(row.report_time),
    })
}

#[cfg(test)]
mod tests {
    use mesh_foundation::driver::{LastTurn, MAX_FAILURES};
    use mesh_testing::eventually;

    use super::*;
    use crate::testbed::Testbed;

    const MINUTE: Duration = Duration::from_secs(60);

    fn progress(name: &str, last_turn: Option<LastTurn>, failures: u32) -> Progress {
        Progress { name: name.to_owned(), start_time: from_micros(1), longest_rest: MINUTE, last_turn, failures }
    }

    #[tokio::test]
    async fn a_report_replaces_the_processs_earlier_one_and_removes_those_of_processes_that_are_long_gone() {
        let testbed = Testbed::new();
        let database = testbed.database("stay.db").await;
        let (old, new) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let start: Timestamp = "2027-04-30T00:00:00Z".parse().unwrap();
        let told = async || -> Vec<(Uuid, String)> {
            let told = read(&database).await.unwrap();
            told.into_iter().map(|report| (report.process, report.task)).collect()
        };
        let (sweeper, recovery) = ("stay.sweeper".to_owned(), "stay.recovery".to_owned());
        let both = [progress(&sweeper, None, 0), progress(&recovery, None, 0)];
        write(&database, old, &both, start).await.unwrap();
        write(&database, new, &both[..1], start + KEPT_FOR).await.unwrap();
        let all = [(old, recovery), (old, sweeper.clone()), (new, sweeper.clone())];
        let expected = if database.engine() == Engine::Sqlite { &all[2..] } else { &all[..] };
        assert_eq!(told().await, expected, "those that may be running");

        let failed = LastTurn { time: start, outcome: Err("ä".repeat(2 * MAX_PROBLEM)) };
        let later = start + KEPT_FOR + MINUTE;
        write(&database, new, &[progress(&sweeper, Some(failed), 7)], later).await.unwrap();
        let expected = TaskReport {
            process: new,
            task: sweeper,
            start_time: from_micros(1),
            longest_rest: SignedDuration::from_mins(1),
            turn_time: Some(start),
            failures: 7,
            problem: Some("ä".repeat(MAX_PROBLEM)),
            report_time: later,
        };
        assert_eq!(read(&database).await.unwrap(), [expected]);
    }

    #[tokio::test]
    async fn a_process_reports_at_its_start_and_as_soon_as_a_task_is_failing() {
        let testbed = Testbed::new();
        let database = testbed.database("stay.db").await;
        let background = Background::new();
        Task::new("stay", "sweeper", Duration::from_millis(50)).start(&background, || async { Err(Error::Lost) });
        start("stay", database.clone(), &background);
        eventually("it is told", async || {
            let told = read(&database).await.unwrap();
            assert!(told.iter().all(|report| report.task.starts_with("stay.")));
            told.len() == 2 && told[0].failures >= MAX_FAILURES && told[0].problem == Some(Error::Lost.to_string())
        })
        .await;
        background.drain(Duration::from_secs(5)).await;
    }
}
