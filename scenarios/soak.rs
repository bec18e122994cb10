//! Memory under a steady load: once all connections and caches are there, it stays where it is. `make soak` runs the same for longer.

use std::{path::Path, process::Stdio};

use crate::support::process::{Process, jumak};

/// Says for how many seconds the load goes on, in the environment.
const VARIABLE: &str = "JUMAK_SOAK_S";
/// For how long otherwise.
const SHORT_S: u64 = 40;
/// For how long everything is warmed up, with many at once: all connections are opened, and all caches filled. A third of the load, if
/// that is longer.
const WARM_UP_S: u64 = 25;
const AT_ONCE: u32 = 32;
/// Clients of the steady load.
const STEADY: u32 = 8;
/// By how much memory may grow from then on, in KiB, whatever was done: what is left of its bounded caches, and what the allocator keeps
/// between pieces.
const MAX_GROWTH_KIB: u64 = 3 * 1_024;

#[tokio::test]
async fn memory_stays_where_it_is_under_a_steady_load() {
    let seconds = std::env::var(VARIABLE).map_or(SHORT_S, |seconds| seconds.parse().expect("seconds"));
    let folder = tempfile::tempdir().expect("a folder");
    let process = Process::start(folder.path(), &[]).await;
    let begun = anonymous_kib(process.id());
    load(folder.path(), &process.address, AT_ONCE, WARM_UP_S.max(seconds / 3)).await;
    let warm = anonymous_kib(process.id());
    let booked = load(folder.path(), &process.address, STEADY, seconds).await;
    let soaked = anonymous_kib(process.id());
    println!("{begun} KiB at first, {warm} KiB when it was warm, {soaked} KiB after {seconds} s and {booked} bookings");
    assert!(booked >= 5 * seconds, "{booked} bookings are too few to prove anything");
    assert!(soaked <= warm + MAX_GROWTH_KIB, "it grew from {warm} KiB to {soaked} KiB over {booked} bookings");
    process.stops().await;
}

/// Books all the time, as so many clients at once, and tells how many bookings that were.
async fn load(data: &Path, address: &str, clients: u32, seconds: u64) -> u64 {
    let mut bench = jumak();
    bench.args(["bench", "book", "--json", "--no-compare", "--warmup", "0s", "--rooms", "20", "--data"]).arg(data);
    bench.args(["--target", &format!("http://{address}"), "--clients", &clients.to_string()]);
    bench.args(["--duration", &format!("{seconds}s")]).stderr(Stdio::inherit());
    let ran = tokio::task::spawn_blocking(move || bench.output()).await.expect("it ends").expect("it runs");
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("a report");
    assert!(ran.status.success(), "{report:#}");
    report["runs"][0]["succeeded"].as_u64().expect("a number")
}

/// The memory that a process has for itself, without files that are mapped into it.
fn anonymous_kib(process: u32) -> u64 {
    let memory = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).expect("it runs");
    let line = memory.lines().find_map(|line| line.strip_prefix("Anonymous:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
