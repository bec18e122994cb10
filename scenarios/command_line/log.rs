//! The log: what an operator needs, and no more of it than a disk holds.

use contracts::room::v1::CreateRoomRequest;
use futures::future::join_all;
use mesh::Role;

use crate::support::{nights::two_nights, process::Process};

/// Good calls, and answers that something cannot be had.
async fn a_days_work(process: &Process) {
    let channel = process.connect().await;
    let guest = process.person(&channel, "alice", &[Role::Guest]);
    let room = process.person(&channel, "hanok", &[Role::Host]).registers_a_room(1).await;
    let made = guest.books(&room, Some("tok_approve")).await.expect("a stay");
    guest.books(&room, Some("tok_approve")).await.expect_err("sold out");
    guest.books(&room, Some("4111111111111111")).await.expect_err("no card");
    guest.reservation(&format!("{}x", made.name)).await.expect_err("no such stay");
    let forged = process.person(&channel, "hanok", &[Role::Guest]);
    forged.rooms().create_room(CreateRoomRequest::default()).await.expect_err("no host");
    guest.cancels(&made.name).await.expect("cancelled");
}

#[tokio::test]
async fn a_days_work_leaves_no_line_for_each_call() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The default, which `Process` goes over.
    let filter = mesh::config::LogConfig::default().filter;
    let process = Process::start(&folder.path().join("data"), &[("JUMAK_LOG__FILTER", &filter)]).await;
    a_days_work(&process).await;
    let log = process.stops().await;
    assert!(!log.contains("answered") && !log.contains(" call{"), "{log}");
}

#[tokio::test]
async fn whoever_asks_for_it_is_told_of_each_call() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let filter = ("JUMAK_LOG__FILTER", "info,jumak::calls=debug");
    let process = Process::start(&folder.path().join("data"), &[filter, ("JUMAK_LOG__FORMAT", "json")]).await;
    a_days_work(&process).await;
    let log = process.stops().await;
    let lines: Vec<serde_json::Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let calls = |method: &str, code: &str| {
        let is_one = |line: &&serde_json::Value| {
            line["message"] == "answered"
                && line["code"] == code
                && line["span"]["method"].as_str().is_some_and(|name| name.ends_with(method))
        };
        lines.iter().filter(is_one).count()
    };
    assert_eq!(calls("/CreateReservation", "Ok"), 1, "{log}");
    assert_eq!(calls("/CreateReservation", "FailedPrecondition"), 1);
    assert_eq!(calls("/CreateReservation", "InvalidArgument"), 1);
    assert_eq!(calls("/CreateRoom", "PermissionDenied"), 1);
    assert_eq!(calls("/CreatePayment", "Ok"), 1, "a neighbour's call as well");
}

#[tokio::test]
async fn a_flood_of_one_cause_fills_no_disk_and_is_counted() {
    const CALLS: usize = 300;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let variables = [("JUMAK_LIMITS__IN_FLIGHT_PER_PERSON", "1"), ("JUMAK_LOG__FORMAT", "json")];
    let process = Process::start(&folder.path().join("data"), &variables).await;
    let channel = process.connect().await;
    let guest = process.person(&channel, "alice", &[Role::Guest]);
    let room = process.person(&channel, "hanok", &[Role::Host]).registers_a_room(10).await;
    let calls = (0..CALLS).map(|_| {
        let (guest, request) = (guest.clone(), two_nights(&room, Some("tok_slow_1000")));
        async move { guest.reservations().create_reservation(request).await }
    });
    let refused = join_all(calls)
        .await
        .into_iter()
        .filter(|answer| answer.as_ref().is_err_and(|status| status.code() == tonic::Code::ResourceExhausted));
    let refused = refused.count();
    assert!(refused > CALLS / 2, "only {refused} were turned away");
    drop((guest, channel));
    let log = process.stops().await;
    let lines: Vec<serde_json::Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told = lines.iter().filter(|line| line["message"] == "answered" && line["code"] == "ResourceExhausted").count();
    assert!((1..=20).contains(&told), "{told} lines of {refused} calls: {log}");
    let left_out = |line: &serde_json::Value| (line["like"] == "answered").then(|| line["lines"].as_u64()).flatten();
    let left_out: u64 = lines.iter().filter_map(left_out).sum();
    assert_eq!(told as u64 + left_out, refused as u64, "all of them are told of, or counted: {log}");
}
