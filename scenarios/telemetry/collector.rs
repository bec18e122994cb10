//! A collector: takes what OTLP brings, and keeps it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

/// A running collector. Its server ends with the test's runtime.
#[derive(Clone)]
pub struct Collector {
    received: Arc<Mutex<Received>>,
    /// `http://…`.
    pub endpoint: String,
}

#[derive(Default)]
struct Received {
    spans: Vec<Span>,
    /// The names of the services that sent spans.
    services: Vec<String>,
    metrics: Vec<String>,
    /// All of it as it came.
    bytes: Vec<u8>,
}

impl Collector {
    pub async fn listen() -> Self {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let collector = Self { received: Arc::default(), endpoint };
        let server = Server::builder()
            .add_service(TraceServiceServer::new(collector.clone()))
            .add_service(MetricsServiceServer::new(collector.clone()));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        collector
    }

    /// The spans of a trace, by its id in hexadecimal.
    pub fn trace(&self, trace_id: &str) -> Vec<Span> {
        let received = self.received.lock().expect("a lock");
        received.spans.iter().filter(|span| hex(&span.trace_id) == trace_id).cloned().collect()
    }

    pub fn services(&self) -> Vec<String> {
        self.received.lock().expect("a lock").services.clone()
    }

    /// The names of the metrics that came.
    pub fn metrics(&self) -> Vec<String> {
        self.received.lock().expect("a lock").metrics.clone()
    }

    /// Whether anything that came holds this text.
    pub fn holds(&self, text: &str) -> bool {
        self.received.lock().expect("a lock").bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        let mut received = self.received.lock().expect("a lock");
        received.bytes.extend(request.encode_to_vec());
        for of_resource in request.resource_spans {
            let resource = of_resource.resource.unwrap_or_default();
            received.services.extend(text(&resource.attributes, "service.name"));
            received.spans.extend(of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let request = request.into_inner();
        let mut received = self.received.lock().expect("a lock");
        received.bytes.extend(request.encode_to_vec());
        let scopes = request.resource_metrics.into_iter().flat_map(|of_resource| of_resource.scope_metrics);
        received.metrics.extend(scopes.flat_map(|of_scope| of_scope.metrics).map(|metric| metric.name));
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

/// An attribute of that name, if it is a text.
pub fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

/// An attribute of that name, if it is a number.
pub fn number(attributes: &[KeyValue], name: &str) -> Option<i64> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::IntValue(number) => Some(*number),
        _ => None,
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
