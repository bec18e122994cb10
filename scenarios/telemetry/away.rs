//! A collector that is away, and one that was never asked for.

use std::{
    fs,
    time::{Duration, Instant},
};

use mesh::Role;
use tokio::net::TcpListener;

use super::scraper::{scrape, value};
use crate::support::{eventually, process::Process};

/// An export is given up after ten seconds. A call, or a stop, that waited for one would take as long.
const AN_EXPORT: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn x_a_collector_that_is_away_slows_no_booking_and_no_stop_and_fills_no_log() {
    // Takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    // Was there, and is no more.
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let (silent, gone) = (format!("http://{}", silent.local_addr().expect("an address")), format!("http://{gone}"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let variables = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", gone.as_str()),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", silent.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
        ("JUMAK_METRICS__LISTEN", "127.0.0.1:0"),
    ];
    let process = Process::start(&folder.path().join("data"), &variables).await;
    let channel = process.connect().await;
    let guest = process.person(&channel, "alice", &[Role::Guest]);
    let room = process.person(&channel, "hanok", &[Role::Host]).registers_a_room(1_000).await;

    let failures = r#"jumak_telemetry_export_failures_total{signal="traces"}"#;
    eventually("several exports have failed", || async {
        let begun = Instant::now();
        guest.books(&room, Some("tok_approve")).await.expect("a stay");
        assert!(begun.elapsed() < AN_EXPORT, "a booking took {:?}", begun.elapsed());
        value(&scrape(&process).await, failures).filter(|failures| *failures >= 3.0)
    })
    .await;

    drop((guest, channel));
    let begun = Instant::now();
    let log = process.stops().await;
    assert!(begun.elapsed() < AN_EXPORT, "stopping took {:?}", begun.elapsed());
    let told = log
        .lines()
        .filter(|line| line.contains("failed to export a batch to the collector") && line.contains("traces"))
        .count();
    assert_eq!(told, 1, "{log}");
}

/// Whether the process has anything that could send spans or metrics.
fn exports(process: &Process) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", process.id())).expect("the process");
    let names = threads.map(|thread| fs::read_to_string(thread.expect("a thread").path().join("comm")));
    // A thread may have ended meanwhile.
    names.flatten().any(|name| name.starts_with("OpenTelemetry"))
}

#[tokio::test(flavor = "multi_thread")]
async fn x_nothing_is_exported_unless_it_is_asked_for() {
    let collector = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", collector.local_addr().expect("an address"));
    let named = ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str());
    let soon = [("OTEL_BSP_SCHEDULE_DELAY", "10"), ("OTEL_METRIC_EXPORT_INTERVAL", "10"), ("OTEL_SERVICE_NAME", "inn")];
    for variables in [
        [soon[0], soon[1], soon[2]].to_vec(),
        [soon.as_slice(), &[named, ("OTEL_SDK_DISABLED", "true")]].concat(),
        [soon.as_slice(), &[named, ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none")]].concat(),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let process = Process::start(&folder.path().join("data"), &variables).await;
        let channel = process.connect().await;
        let room = process.person(&channel, "hanok", &[Role::Host]).registers_a_room(1).await;
        process.person(&channel, "alice", &[Role::Guest]).books(&room, Some("tok_approve")).await.expect("a stay");
        assert!(!exports(&process), "{variables:?}");
        drop(channel);
        process.stops().await;
    }
    let connected = tokio::time::timeout(Duration::from_millis(100), collector.accept()).await;
    assert!(connected.is_err(), "the collector was connected to: {connected:?}");

    // What was looked for would have been found.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let variables = [soon.as_slice(), &[named]].concat();
    let process = Process::start(&folder.path().join("data"), &variables).await;
    assert!(exports(&process));
    let connected = tokio::time::timeout(AN_EXPORT, collector.accept()).await;
    assert!(connected.is_ok(), "the collector was never connected to");
    process.stops().await;
}
