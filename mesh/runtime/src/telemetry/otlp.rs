//! Traces and metrics to a collector, by OTLP over gRPC, as the standard `OTEL_…` variables say.
//!
//! The SDK reads what is about the exporters themselves (headers, timeouts, queues, the sampler); here is decided whether there are
//! any. What waits for the collector waits in the SDK's queues, which have an end: a span that finds its queue full is dropped, and no
//! call ever waits.

use mesh_foundation::trace::Sampling;
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::{
    Resource,
    metrics::{MeterProviderBuilder, PeriodicReader},
    trace::SdkTracerProvider,
};
use uuid::Uuid;

use super::{TelemetryError, reported::Reported};

const SERVICE_NAME: Key = Key::from_static_str("service.name");
/// What the SDK's own detector begins a service's name with if it finds none.
const UNNAMED: &str = "unknown_service";

/// What is sent to a collector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub traces: bool,
    pub metrics: bool,
}

impl Wanted {
    /// What the variables ask for: nothing, unless they name a collector.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, TelemetryError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        if set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(Self::default());
        }
        let wants = |signal: &str| {
            let of_signal = |what: &str| format!("OTEL_EXPORTER_OTLP_{signal}_{what}");
            let endpoint = set(&of_signal("ENDPOINT")).or_else(|| set("OTEL_EXPORTER_OTLP_ENDPOINT"));
            let exporter = set(&format!("OTEL_{signal}_EXPORTER"));
            if endpoint.is_none() || exporter.is_some_and(|exporter| exporter.eq_ignore_ascii_case("none")) {
                return Ok(false);
            }
            // Another protocol usually comes with another port, where nobody would understand us.
            for name in [of_signal("PROTOCOL"), "OTEL_EXPORTER_OTLP_PROTOCOL".to_owned()] {
                match set(&name) {
                    Some(protocol) if protocol == "grpc" => break,
                    Some(protocol) => return Err(TelemetryError::Protocol(name, protocol)),
                    None => {}
                }
            }
            Ok(true)
        };
        Ok(Self { traces: wants("TRACES")?, metrics: wants("METRICS")? })
    }
}

/// What all spans and metrics of this process are of. The variables go before `service`.
pub(super) fn resource(service: &str) -> Resource {
    let found = Resource::builder().build();
    let named = found.get(&SERVICE_NAME).is_some_and(|name| !name.as_str().starts_with(UNNAMED));
    let defaults = [
        KeyValue::new("service.namespace", "jumak"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        // Replicas are one service, and each counts for itself.
        KeyValue::new("service.instance.id", Uuid::now_v7().to_string()),
    ];
    let missing = defaults.into_iter().filter(|default| found.get(&default.key).is_none());
    let builder = Resource::builder().with_attributes(missing);
    if named { builder.build() } else { builder.with_service_name(Value::from(service.to_owned())).build() }
}

/// What makes spans and sends them.
pub(super) fn tracer(resource: Resource) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = SpanExporter::builder().with_tonic().build()?;
    Ok(SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(Sampling::configured())
        .with_batch_exporter(Reported::new("traces", exporter))
        .build())
}

/// Has metrics sent, every minute unless `OTEL_METRIC_EXPORT_INTERVAL` says otherwise.
pub(super) fn meter(builder: MeterProviderBuilder) -> Result<MeterProviderBuilder, TelemetryError> {
    let exporter = MetricExporter::builder().with_tonic().build()?;
    Ok(builder.with_reader(PeriodicReader::builder(Reported::new("metrics", exporter)).build()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Wanted, TelemetryError> {
        let variables: HashMap<&str, &str> = variables.iter().copied().collect();
        Wanted::read(|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    const BOTH: Wanted = Wanted { traces: true, metrics: true };
    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");

    #[test]
    fn nothing_is_sent_unless_a_collector_is_named() {
        assert_eq!(read(&[]).unwrap(), Wanted::default());
        assert_eq!(read(&[("OTEL_SERVICE_NAME", "inn")]).unwrap(), Wanted::default());
        assert_eq!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]).unwrap(), Wanted::default());
        assert_eq!(read(&[ENDPOINT]).unwrap(), BOTH);
    }

    #[test]
    fn each_signal_can_be_sent_alone() {
        let traces = read(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4317")]).unwrap();
        assert_eq!(traces, Wanted { traces: true, metrics: false });
        let metrics = read(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")]).unwrap();
        assert_eq!(metrics, Wanted { traces: false, metrics: true });
        assert_eq!(read(&[ENDPOINT, ("OTEL_SDK_DISABLED", "true")]).unwrap(), Wanted::default());
    }

    #[test]
    fn a_protocol_that_is_not_spoken_is_refused_by_its_variable() {
        let error = read(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]).unwrap_err().to_string();
        assert!(error.contains("OTEL_EXPORTER_OTLP_PROTOCOL") && error.contains("http/protobuf"), "{error}");
        let mixed = [
            ENDPOINT,
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ];
        assert_eq!(read(&mixed).unwrap(), BOTH);
    }
}
