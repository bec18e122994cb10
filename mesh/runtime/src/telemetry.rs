//! How a process tells what it does: logs for people, metrics for alerts, traces for whoever asks where the time went.
//!
//! Metrics are scraped from a listener of their own, if one is configured. Traces and metrics go to a collector if the standard
//! `OTEL_…` variables name one. With neither, nothing is made of either, and nothing is connected to.
//!
//! No log line, span or metric carries personal data, a token, or anything from a request but its method and correlation id.

mod flood;
mod otlp;
mod reported;
mod scrape;

use std::{
    io::{self, IsTerminal},
    net::SocketAddr,
    time::Duration,
};

use mesh_foundation::{output, trace};
use opentelemetry::{global, trace::TracerProvider};
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_prometheus::PrometheusExporter;
use opentelemetry_sdk::{error::OTelSdkError, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use prometheus::Registry;
use tokio::{sync::oneshot, task::AbortHandle, time::timeout};
use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

pub use mesh_foundation::telemetry::{Metrics, counter, metrics};

use self::{flood::Flood, otlp::Wanted, scrape::Scrape};
use crate::config::{Config, LogConfig, LogFormat};

/// How long a stop waits until the collector has what is left. Short: nothing is lost but what tells of the last seconds.
const FLUSH: Duration = Duration::from_secs(2);

/// Why a process cannot tell what it does.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter has a directive that cannot be read.
    #[error("log.filter `{0}` cannot be read")]
    Filter(String, #[source] tracing_subscriber::filter::ParseError),
    /// Something else in this process writes the log already.
    #[error("logging is already initialised")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
    /// A variable asks for a protocol that is not spoken here.
    #[error("{0} is `{1}`, and only `grpc` is spoken; name the collector's gRPC port and protocol")]
    Protocol(String, String),
    /// A variable about the collector cannot be read.
    #[error("the collector cannot be set up")]
    Exporter(#[from] ExporterBuildError),
    /// The metrics cannot be exposed.
    #[error("the metrics cannot be exposed")]
    Metrics(#[from] OTelSdkError),
    /// The listener for scrapers cannot be opened.
    #[error("metrics.listen: {0} cannot be listened on")]
    Listen(SocketAddr, #[source] io::Error),
}

/// What tells of a process while it runs. To be stopped last, so that the stop is told of as well.
#[derive(Debug)]
pub struct Telemetry {
    tracer: Option<SdkTracerProvider>,
    meter: Option<SdkMeterProvider>,
    scrape: Option<Scrape>,
    flood: Flood,
    told: AbortHandle,
}

impl Telemetry {
    /// Starts the log and, where they are asked for, the listener for scrapers and the exporters. `service` is what collectors call
    /// this process unless `OTEL_SERVICE_NAME` says otherwise: `jumak`, or `jumak-` and the contexts that it runs. Once per process, in
    /// its runtime, and before anything else is started.
    pub async fn start(config: &Config, service: &str) -> Result<Self, TelemetryError> {
        let flood = Flood::default();
        init(&config.log, &flood)?;
        let told = flood.start();
        let wanted = Wanted::read(|name| std::env::var(name).ok())?;
        let resource = otlp::resource(service);

        let registry = config.metrics.listen.map(|address| (address, Registry::new()));
        let mut meter = SdkMeterProvider::builder().with_resource(resource.clone());
        if let Some((_, registry)) = &registry {
            meter = meter.with_reader(exposed(registry)?);
        }
        if wanted.metrics {
            meter = otlp::meter(meter)?;
        }
        // Before the first instrument is used, which the listener does.
        let meter = (wanted.metrics || registry.is_some()).then(|| meter.build());
        if let Some(meter) = &meter {
            global::set_meter_provider(meter.clone());
        }
        let tracer = if wanted.traces { Some(otlp::tracer(resource)?) } else { None };
        if let Some(tracer) = &tracer {
            trace::enable(tracer.tracer("jumak"));
        }
        let scrape = match registry {
            None => None,
            Some((address, registry)) => {
                let scrape = Scrape::listen(address, registry).await;
                let scrape = scrape.map_err(|error| TelemetryError::Listen(address, error))?;
                tracing::info!(address = %scrape.address, "metrics can be scraped");
                Some(scrape)
            }
        };
        Ok(Self { tracer, meter, scrape, flood, told })
    }

    /// Where metrics can be scraped, if they can.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.scrape.as_ref().map(|scrape| scrape.address)
    }

    /// Sends what has not been sent yet, and waits for that two seconds at most.
    pub async fn stop(self) {
        let Self { tracer, meter, scrape, flood, told } = self;
        let (done, is_done) = oneshot::channel();
        // A thread of its own, because the SDK blocks: the runtime would wait for a task on its blocking threads however long that is.
        let flush = std::thread::Builder::new().name("telemetry-flush".to_owned()).spawn(move || {
            let traces = tracer.map_or(Ok(()), |tracer| tracer.shutdown_with_timeout(FLUSH));
            let metrics = meter.map_or(Ok(()), |meter| meter.shutdown_with_timeout(FLUSH));
            // Nobody waits any more once the time is over.
            drop(done.send((traces, metrics)));
        });
        let flushed = match flush {
            Ok(_) => timeout(FLUSH, is_done).await.ok().and_then(Result::ok),
            Err(_) => None,
        };
        if !matches!(flushed, Some((Ok(()), Ok(())))) {
            tracing::warn!("failed to export the last spans and metrics to the collector");
        }
        drop(scrape);
        told.abort();
        flood.stop();
    }
}

/// What makes the instruments' values Prometheus' own, in `registry`.
fn exposed(registry: &Registry) -> Result<PrometheusExporter, OTelSdkError> {
    // There is one scope, and a label that says so on every line tells nothing.
    opentelemetry_prometheus::exporter().with_registry(registry.clone()).scope_info_enabled(false).build()
}

/// Starts logging to standard error, so that what a command prints stays clean.
fn init(config: &LogConfig, flood: &Flood) -> Result<(), TelemetryError> {
    let filter =
        EnvFilter::try_new(&config.filter).map_err(|source| TelemetryError::Filter(config.filter.clone(), source))?;
    let registry = tracing_subscriber::registry().with(filter);
    match config.format {
        LogFormat::Text => {
            // Colours are for people; in a file they are noise.
            let ansi = io::stderr().is_terminal();
            let lines = fmt::layer().with_writer(|| output::Log).with_ansi(ansi);
            registry.with(lines.with_filter(flood.clone())).try_init()?;
        }
        LogFormat::Json => {
            let lines = fmt::layer().json().flatten_event(true).with_writer(|| output::Log);
            registry.with(lines.with_filter(flood.clone())).try_init()?;
        }
    }
    Ok(())
}
