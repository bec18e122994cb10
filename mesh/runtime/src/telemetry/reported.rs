//! A collector that is away is counted each time and told to the log seldom: there is one to be told of every few seconds, for as long
//! as it stays away, and nothing else depends on it.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use opentelemetry::KeyValue;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    metrics::{Temporality, data::ResourceMetrics, exporter::PushMetricExporter},
    trace::{SpanData, SpanExporter},
};

use super::metrics;

/// How often the log is told at most, of each signal.
const QUIET: Duration = Duration::from_secs(60);

/// An exporter whose failures are counted and told.
#[derive(Debug)]
pub(super) struct Reported<E> {
    signal: &'static str,
    exporter: E,
    last_told: Mutex<Option<Instant>>,
}

impl<E> Reported<E> {
    /// `exporter`, which sends `signal`: traces, or metrics.
    pub(super) fn new(signal: &'static str, exporter: E) -> Self {
        Self { signal, exporter, last_told: Mutex::new(None) }
    }

    fn report(&self, result: OTelSdkResult) -> OTelSdkResult {
        if let Err(error) = &result {
            metrics().export_failures.add(1, &[KeyValue::new("signal", self.signal)]);
            if self.may_tell(Instant::now()) {
                let error = error as &dyn std::error::Error;
                tracing::warn!(signal = self.signal, error, "failed to export a batch to the collector; it is lost");
            }
        }
        result
    }

    fn may_tell(&self, now: Instant) -> bool {
        let mut last_told = self.last_told.lock().unwrap_or_else(PoisonError::into_inner);
        let may = last_told.is_none_or(|last| now.duration_since(last) >= QUIET);
        if may {
            *last_told = Some(now);
        }
        may
    }
}

impl<E: SpanExporter> SpanExporter for Reported<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.report(self.exporter.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Reported<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.report(self.exporter.export(metrics).await)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_told_once_a_minute() {
        let reported = Reported::new("traces", ());
        let begin = Instant::now();
        let told = (0..180).filter(|second| reported.may_tell(begin + Duration::from_secs(*second))).count();
        assert_eq!(told, 3);
    }
}
