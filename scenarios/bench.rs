//! `jumak bench`, as it is typed: its figures are those of the books, and it fails when the books do.

use std::path::Path;

use mesh::Database;
use sea_orm::{
    ConnectionTrait,
    sqlx::{self, Connection, PgConnection},
};
use serde_json::{Value, json};
use servers::{Durability, Postgres};

use crate::support::process::{Process, jumak};

/// Runs `jumak bench` to its end: whether it passed, and its report.
async fn bench(arguments: &[&str]) -> (bool, Value) {
    let mut command = jumak();
    command.arg("bench").args(arguments).args(["--json", "--warmup", "0s", "--rooms", "5", "--clients", "4"]);
    let ran = tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("the binary runs");
    let (said, complained) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let report = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}{complained}"));
    (ran.status.success(), report)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is a number"))
}

/// What holds for every run that went well.
fn is_plausible(run: &Value) {
    let latency = &run["latency"];
    let percentiles = ["p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"].map(|name| number(&latency[name]));
    assert!(percentiles[0] > 0.0 && percentiles.is_sorted(), "{latency:#}");
    assert!(number(&run["succeeded"]) > 0.0, "{run:#}");
    let per_second = number(&run["succeeded"]) / number(&run["seconds"]);
    assert!((number(&run["per_second"]) - per_second).abs() < 0.01, "{run:#}");
    for trouble in ["refused", "failed"] {
        assert_eq!(run[trouble], json!({}), "{run:#}");
    }
    assert_eq!(run["books"]["findings"], 0, "{run:#}");
    assert!(number(&run["books"]["checks"]) > 0.0, "{run:#}");
}

fn comparison<'a>(run: &'a Value, name: &str) -> &'a Value {
    let all = run["comparisons"].as_array().expect("comparisons");
    all.iter().find(|comparison| comparison["name"] == name).unwrap_or_else(|| panic!("no {name}: {run:#}"))
}

#[tokio::test]
async fn bookings_that_are_counted_are_charged_at_the_provider() {
    let (passed, report) = bench(&["book", "--duration", "2s", "--no-compare"]).await;
    let run = &report["runs"][0];
    is_plausible(run);
    assert!(passed);
    assert_eq!(run["confirmed"], run["succeeded"], "without a warm-up every booking is measured");
    assert_eq!(run["charges"], run["confirmed"]);
    assert_eq!(report["load"]["loop"], "closed");
}

#[tokio::test]
async fn an_open_loop_accounts_for_every_call_that_was_due() {
    let (passed, report) = bench(&["mix", "--duration", "2s", "--rate", "40", "--no-compare"]).await;
    let run = &report["runs"][0];
    is_plausible(run);
    assert!(passed);
    assert_eq!(number(&run["succeeded"]) + number(&run["not_sent"]), 80.0, "{run:#}");
    for step in ["CreateReservation", "GetReservation", "GetBooking", "SearchRooms"] {
        assert!(number(&run["steps"][step]["count"]) > 0.0, "{step}: {run:#}");
    }
}

#[tokio::test]
async fn a_cancellation_is_measured_until_it_is_refunded() {
    let (passed, report) = bench(&["cancel", "--duration", "2s", "--no-compare"]).await;
    let run = &report["runs"][0];
    is_plausible(run);
    assert!(passed);
    let (whole, refunded) = (number(&run["latency"]["count"]), number(&run["steps"]["until CANCELLED"]["count"]));
    assert!((whole - refunded).abs() < 1.0, "{run:#}");
}

#[tokio::test]
async fn a_booking_is_compared_with_an_echo_and_with_the_yardstick_on_both_engines() {
    let postgres = Postgres::start(Durability::Off).await.expect("PostgreSQL");
    let (passed, report) = bench(&["book", "--duration", "1s", "--postgres", &postgres.url("postgres")]).await;
    let run = &report["runs"][0];
    is_plausible(run);
    assert!(passed);
    let heard = number(&run["heard_per_second"]);
    assert!(heard > 0.0 && heard <= number(&run["per_second"]), "nobody hears of a booking before it is made: {run:#}");
    for name in ["echo", "sqlite", "sqlite-best", "postgres", "postgres-best"] {
        let compared = comparison(run, name);
        assert_eq!(compared["per_second"].as_array().map(Vec::len), Some(2), "before and after: {compared:#}");
        let pace = if name == "echo" { number(&run["per_second"]) } else { heard };
        let ratio = pace / number(&compared["median"]);
        assert!((number(&compared["ratio"]) - ratio).abs() < 1e-6, "{compared:#}");
    }
    let mut connection = PgConnection::connect(&postgres.url("postgres")).await.expect("a connection");
    let left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'jumak_bench%'";
    let left: i64 = sqlx::query_scalar(left).fetch_one(&mut connection).await.expect("a count");
    assert_eq!(left, 0, "the scratch database is gone");
}

#[tokio::test]
async fn a_comparison_that_cannot_run_says_why() {
    let (passed, report) = bench(&["read", "--duration", "1s"]).await;
    let run = &report["runs"][0];
    is_plausible(run);
    assert!(passed);
    assert!(number(&comparison(run, "echo")["median"]) > 0.0, "{run:#}");
    for name in ["sqlite", "sqlite-best", "postgres", "postgres-best"] {
        let why = comparison(run, name)["skipped"].as_str().expect("a reason");
        assert!(why.contains("the yardstick is a booking"), "{why}");
    }
}

/// On a running system, whose books somebody then spoils.
#[tokio::test]
async fn a_benchmark_fails_when_the_audit_does() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let process = Process::start(data.path(), &[]).await;
    let target = format!("http://{}", process.address);
    let folder = data.path().to_str().expect("a plain path");
    let there = ["--target", &target, "--data", folder, "--duration", "1s", "--settle", "1s", "--no-compare"];

    let (passed, report) = bench(&[&["book"], &there[..]].concat()).await;
    is_plausible(&report["runs"][0]);
    assert!(passed);

    sell_a_night_that_nobody_booked(&data.path().join("reservation.db")).await;
    let (passed, report) = bench(&[&["read"], &there[..]].concat()).await;
    assert!(!passed, "{report:#}");
    assert_eq!(report["passed"], false);
    assert!(number(&report["runs"][0]["books"]["findings"]) > 0.0, "{report:#}");
    process.stops().await;
}

async fn sell_a_night_that_nobody_booked(file: &Path) {
    let database = Database::open_file(file, 1).await.expect("the database");
    let spoil = "UPDATE night SET taken = taken + 1 WHERE rowid = (SELECT MIN(rowid) FROM night)";
    let spoiled = database.for_migrations().execute_unprepared(spoil).await.expect("it can be written");
    assert_eq!(spoiled.rows_affected(), 1);
    database.close().await;
}
