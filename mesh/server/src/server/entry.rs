//! The outermost layer: finds the method and the correlation id of a call, and logs and counts its outcome.

use std::{convert::Infallible, sync::Arc};

use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue};
use mesh_foundation::{card_number, error::shown, telemetry::metrics};
use opentelemetry::KeyValue;
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::{
    body::observe,
    deadline,
    layer::{Call, Method, Reply, Rest, refuse},
    methods::Methods,
    trace::CallSpan,
};

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const MAX_CORRELATION_ID: usize = 64;

/// The log target of calls, independent of the module: `log.filter = "info,jumak::calls=debug"`.
const CALLS: &str = "jumak::calls";

/// The outermost layer. It makes a [`Call`] of each request, so that no layer below has to read headers for it.
pub(super) struct Entry<R> {
    pub methods: Methods,
    pub rest: R,
}

/// An [`Entry`], whatever is below it.
pub(super) trait Door: Send + Sync + 'static {
    /// Answers a request.
    fn take(self: Arc<Self>, request: http::Request<Body>) -> BoxFuture<'static, Result<Reply, Infallible>>;
}

impl<R: Rest> Door for Entry<R> {
    fn take(self: Arc<Self>, request: http::Request<Body>) -> BoxFuture<'static, Result<Reply, Infallible>> {
        // Outside the future, because the time counts from when the call arrived, not from when it is first polled.
        let arrived = Instant::now();
        Box::pin(async move { Ok(self.answer(request, arrived).await) })
    }
}

impl<R: Rest> Entry<R> {
    async fn answer(&self, request: http::Request<Body>, arrived: Instant) -> Reply {
        let correlation_id = correlation_id(request.headers());
        let header = HeaderValue::try_from(&correlation_id);
        let path = request.uri().path();
        let mut reply = match self.methods.at(path).cloned() {
            Some(method) => {
                let deadline = deadline::of(request.headers(), method.streams, arrived);
                let span = CallSpan::default();
                self.called(Call { method, correlation_id, deadline, span, request }, arrived).await
            }
            // Not counted by method: the caller can make up any name.
            None => refuse(Status::unimplemented(format!(
                "there is no method {}; reflection lists the methods of this server",
                shown(path)
            ))),
        };
        if let Ok(header) = header {
            reply.headers_mut().insert(CORRELATION_ID, header);
        }
        reply
    }

    async fn called(&self, call: Call, arrived: Instant) -> Reply {
        // A span of level error, so that a log of errors only still shows the case.
        let span = tracing::error_span!(
            "call",
            method = &*call.method.name,
            correlation_id = call.correlation_id,
            trace_id = tracing::field::Empty,
        );
        let mut record = Record {
            log: span.clone(),
            span: call.span.clone(),
            method: call.method.clone(),
            arrived,
            code: Code::Cancelled,
        };
        let reply = self.rest.answer(call).instrument(span).await;
        observe(reply, move |status| record.ended(status.code()))
    }
}

/// Logs and counts a call when it is over: at its last byte, or when its caller hangs up.
struct Record {
    log: Span,
    span: CallSpan,
    method: Arc<Method>,
    arrived: Instant,
    code: Code,
}

impl Record {
    /// Internal errors are logged as errors, and calls that could not be served as warnings. All other answers, refusals included, are
    /// logged at debug, for a `log.filter` that asks for them.
    fn log(&self, duration_ms: f64) {
        let (code, span) = (self.code, &self.log);
        match code {
            Code::Unknown | Code::Internal | Code::DataLoss => {
                tracing::error!(target: CALLS, parent: span, ?code, duration_ms, "answered");
            }
            Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded => {
                tracing::warn!(target: CALLS, parent: span, ?code, duration_ms, "answered");
            }
            _ => tracing::debug!(target: CALLS, parent: span, ?code, duration_ms, "answered"),
        }
    }

    fn ended(&mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let seconds = self.arrived.elapsed().as_secs_f64();
        self.log(seconds * 1_000.0);
        self.span.ended(self.code);
        let method = KeyValue::new("rpc.method", self.method.name.clone());
        // The duration of a stream says nothing about speed.
        if !self.method.streams {
            metrics().call_seconds.record(seconds, std::slice::from_ref(&method));
        }
        metrics().calls.add(1, &[method, KeyValue::new("rpc.grpc.status_code", i64::from(self.code as i32))]);
    }
}

/// The id that the caller sent, if it can be put into logs, headers and events unchanged; else a new one.
fn correlation_id(headers: &HeaderMap) -> String {
    let sent = headers.get(CORRELATION_ID).and_then(|id| id.to_str().ok());
    match sent {
        Some(id) if is_correlation_id(id) => id.to_owned(),
        _ => Uuid::now_v7().to_string(),
    }
}

fn is_correlation_id(id: &str) -> bool {
    (1..=MAX_CORRELATION_ID).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        // It is logged, and stored with what the call does: places that a card number must never reach.
        && !card_number::is_in(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correlation_id_is_taken_over_if_it_is_harmless() {
        for id in ["a", "order-42_B", &"x".repeat(64)] {
            assert!(is_correlation_id(id));
        }
        for id in ["", &"x".repeat(65), "a b", "a\"b", "ä", "a/b", "4111111111111111", "order-4111-1111-1111-1111"] {
            assert!(!is_correlation_id(id));
        }
    }
}
