//! `/metrics`, in Prometheus' text format.
//!
//! A scraper asks for one page every few seconds. So each connection serves one request and is closed, all of it in a bounded time,
//! and there are few of them: whoever is slow, or many, is cut off, and takes nothing from those who book.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use http::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use opentelemetry::KeyValue;
use prometheus::{Registry, TEXT_FORMAT, TextEncoder};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::metrics;

/// Scrapers at once. One more is closed as soon as it is accepted.
const CONNECTIONS: usize = 16;
/// From the first byte of the request to the last one of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A request is a line and a few headers.
const MAX_REQUEST_BYTES: usize = 16 * 1024;
/// Out of file descriptors, accepting fails again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The listener. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Scrape {
    pub address: SocketAddr,
    _stop: DropGuard,
}

impl Scrape {
    /// Serves what `registry` gathers.
    pub(super) async fn listen(address: SocketAddr, registry: Registry) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, registry, stop.clone()));
        Ok(Self { address, _stop: stop.drop_guard() })
    }
}

async fn accept(listener: TcpListener, registry: Registry, stop: CancellationToken) {
    let running = [KeyValue::new("loop", "metrics.listener")];
    metrics().background_loops.add(1, &running);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let registry = registry.clone();
        tokio::spawn(async move {
            let _place = place;
            if timeout(PATIENCE, serve(stream, registry)).await.is_err() {
                tracing::debug!("a scraper was too slow");
            }
        });
    }
    metrics().background_loops.add(-1, &running);
}

async fn serve(stream: TcpStream, registry: Registry) {
    let answer = service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(&request, &registry))));
    let served = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(MAX_REQUEST_BYTES)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(error = &error as &dyn std::error::Error, "a scraper's connection broke");
    }
}

fn answer(request: &Request<Incoming>, registry: &Registry) -> Response<Full<bytes::Bytes>> {
    if request.uri().path() != "/metrics" {
        return page(StatusCode::NOT_FOUND, "there is nothing here but /metrics\n".to_owned());
    }
    if request.method() != Method::GET {
        let mut refusal = page(StatusCode::METHOD_NOT_ALLOWED, "GET it\n".to_owned());
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return refusal;
    }
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => page(StatusCode::OK, text),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "failed to write the metrics");
            page(StatusCode::INTERNAL_SERVER_ERROR, "failed to write the metrics\n".to_owned())
        }
    }
}

fn page(status: StatusCode, text: String) -> Response<Full<bytes::Bytes>> {
    let mut page = Response::new(Full::from(text));
    *page.status_mut() = status;
    page.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT_FORMAT));
    page
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use opentelemetry::metrics::MeterProvider;
    use opentelemetry_sdk::metrics::SdkMeterProvider;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn listening(registry: Registry) -> Scrape {
        Scrape::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), registry).await.unwrap()
    }

    async fn ask(scrape: &Scrape, request: &str) -> String {
        let mut stream = TcpStream::connect(scrape.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut reply)).await.expect("it is closed").unwrap();
        reply
    }

    #[tokio::test]
    async fn a_scraper_finds_the_instruments_under_prometheus_names() {
        let registry = Registry::new();
        let provider = SdkMeterProvider::builder().with_reader(super::super::exposed(&registry).unwrap()).build();
        let meter = provider.meter("jumak");
        let calls = meter.u64_counter("jumak.server.calls").with_unit("{call}").build();
        calls.add(2, &[KeyValue::new("rpc.method", "jumak.room.v1.RoomService/GetRoom")]);
        meter.f64_gauge("jumak.outbox.lag").with_unit("s").build().record(0.5, &[]);

        let reply = ask(&listening(registry).await, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(reply.starts_with("HTTP/1.1 200 OK"), "{reply}");
        assert!(reply.contains("content-type: text/plain; version=0.0.4"), "{reply}");
        assert!(
            reply.contains(r#"jumak_server_calls_total{rpc_method="jumak.room.v1.RoomService/GetRoom"} 2"#),
            "{reply}"
        );
        assert!(reply.contains("jumak_outbox_lag_seconds 0.5"), "{reply}");
    }

    #[tokio::test]
    async fn there_is_nothing_else_to_be_had() {
        let scrape = listening(Registry::new()).await;
        assert!(ask(&scrape, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.starts_with("HTTP/1.1 404"));
        assert!(ask(&scrape, "POST /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.starts_with("HTTP/1.1 405"));
        let long = format!("GET /metrics HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(2 * MAX_REQUEST_BYTES));
        assert!(ask(&scrape, &long).await.starts_with("HTTP/1.1 431"));
    }

    #[tokio::test]
    async fn one_connection_too_many_is_closed_and_a_place_that_is_left_is_free() {
        let scrape = listening(Registry::new()).await;
        let mut idle = Vec::new();
        for _ in 0..CONNECTIONS {
            idle.push(TcpStream::connect(scrape.address).await.unwrap());
        }
        let mut one_more = TcpStream::connect(scrape.address).await.unwrap();
        let closed = timeout(PATIENCE / 2, one_more.read(&mut [0])).await.expect("closed at once");
        assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
        idle.clear();
        let deadline = tokio::time::Instant::now() + PATIENCE / 2;
        loop {
            let mut stream = TcpStream::connect(scrape.address).await.unwrap();
            let mut reply = Vec::new();
            let asked = stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
            if asked.is_ok() && stream.read_to_end(&mut reply).await.is_ok() && reply.starts_with(b"HTTP/1.1 200") {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "no place became free");
            sleep(Duration::from_millis(5)).await;
        }
    }
}
