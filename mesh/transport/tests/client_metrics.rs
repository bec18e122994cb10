//! What an operator sees of an outage: each thing that the client does about it is counted, and the handbook names the instrument.
//!
//! A test binary of its own, because instruments belong to the process.

// Clippy knows tests by their attribute, and not the functions that they share.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{sync::Arc, time::Duration};

use mesh_foundation::Error;
use mesh_transport::client::{BreakerState, Limits, TokenSource, Upstream, Upstreams};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

struct NoToken;

impl TokenSource for NoToken {
    fn token(&self, _: &str) -> Result<String, Error> {
        Ok("none".to_owned())
    }
}

async fn call(upstream: &Upstream) -> Result<(), tonic::Status> {
    HealthClient::new(upstream.clone()).check(HealthCheckRequest::default()).await.map(|_| ())
}

fn upstream(callee: &str, address: std::net::SocketAddr, limits: Limits) -> Upstream {
    let builder = Upstreams::builder("reservation", Arc::new(NoToken), limits);
    builder.address(callee, &format!("http://{address}")).unwrap().build().get(callee).unwrap()
}

/// The sum of the series of `name` that have all of `labels`.
fn counted(registry: &Registry, name: &str, labels: &[&str]) -> f64 {
    let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    let series = text.lines().filter(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)));
    series.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[tokio::test]
async fn all_that_the_client_does_about_an_outage_is_counted_and_in_the_handbook() {
    let registry = Registry::new();
    let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build().unwrap();
    opentelemetry::global::set_meter_provider(SdkMeterProvider::builder().with_reader(exporter).build());

    // Nobody is there: attempts, then the circuit.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let rest = Duration::from_millis(50);
    let payment =
        upstream("payment", address, Limits { breaker_backoff: rest, breaker_max_backoff: rest, ..Limits::default() });
    while payment.breaker_state() == BreakerState::Closed {
        call(&payment).await.unwrap_err();
    }
    call(&payment).await.unwrap_err();

    // It comes back: a probe, and the circuit closes.
    let server = tonic::transport::Server::builder().add_service(tonic_health::server::health_reporter().1);
    let incoming = TcpListenerStream::new(TcpListener::bind(address).await.unwrap());
    tokio::spawn(server.serve_with_incoming(incoming));
    let back = async {
        while call(&payment).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await
        }
    };
    tokio::time::timeout(Duration::from_secs(10), back).await.expect("it is back");

    // One that never answers: what does not fit is shed.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let room = upstream("room", silent.local_addr().unwrap(), Limits { in_flight: 1, ..Limits::default() });
    let hanging = tokio::spawn({
        let room = room.clone();
        async move { call(&room).await }
    });
    let shed = async {
        while counted(&registry, "jumak_client_refused_locally_total", &["callee=\"room\"", "cause=\"shed\""]) == 0.0 {
            tokio::time::timeout(Duration::from_millis(20), call(&room)).await.ok();
        }
    };
    tokio::time::timeout(Duration::from_secs(10), shed).await.expect("the second one is shed");
    hanging.abort();

    for (instrument, labels) in [
        ("jumak.client.calls", &["rpc_grpc_status_code=\"14\""][..]),
        ("jumak.client.retries", &[]),
        ("jumak.client.refused_locally", &["cause=\"circuit_open\""]),
        ("jumak.client.breaker.changes", &["state=\"open\""]),
        ("jumak.client.breaker.changes", &["state=\"half-open\""]),
        ("jumak.client.breaker.changes", &["state=\"closed\""]),
        ("jumak.client.connect_failures", &[]),
        ("jumak.client.connections", &[]),
    ] {
        let labels: Vec<_> = labels.iter().copied().chain(["callee=\"payment\""]).collect();
        let name = instrument.replace('.', "_");
        assert!(counted(&registry, &name, &labels) > 0.0, "{instrument} {labels:?} counts nothing");
        assert!(include_str!("../../../docs/operations.md").contains(&format!("`{instrument}`")), "{instrument}");
    }
}
