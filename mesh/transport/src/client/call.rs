//! A unary call and its reply. Both are read into memory: the call so that it can be sent again, the reply so that its status is known.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::HeaderName};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};

use super::{
    failure::Failure,
    outgoing::{DEFAULT_DEADLINE, Idempotent, Outgoing},
};

/// The largest message in either direction, with the five bytes that frame it: the limit of tonic's servers.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024 + 5;

const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Reads details with and without padding, as gRPC demands.
const DETAILS: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A call on its way through the stack.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// What is sent.
    pub request: http::Request<Bytes>,
    /// When the caller stops listening.
    pub deadline: Instant,
    /// Whether it may be sent twice.
    pub idempotent: bool,
}

impl Call {
    /// Reads what a generated client sends.
    pub(super) async fn read(request: http::Request<Body>) -> Result<Self, Failure> {
        let (head, body) = request.into_parts();
        let deadline = match head.extensions.get::<Outgoing>() {
            Some(outgoing) => outgoing.deadline,
            None => Instant::now() + DEFAULT_DEADLINE,
        };
        let idempotent = head.extensions.get::<Idempotent>().is_some() || reads(head.uri.path());
        let body = Limited::new(body, MAX_BODY_BYTES).collect().await.map_err(Failure::unreadable_request)?.to_bytes();
        Ok(Self { request: http::Request::from_parts(head, body), deadline, idempotent })
    }

    /// The method as metrics and spans name it: `jumak.payment.v1.PaymentService/CreatePayment`.
    pub(super) fn method(&self) -> &str {
        self.request.uri().path().trim_start_matches('/')
    }
}

/// Whether a method only reads, by its name.
fn reads(path: &str) -> bool {
    let method = path.rsplit('/').next().unwrap_or_default();
    method.starts_with("Get") || method.starts_with("List")
}

/// The reply to a call that succeeded.
#[derive(Debug)]
pub(super) struct Reply {
    head: http::response::Parts,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

impl Reply {
    /// Reads what `callee` answers; any status but OK is a failure.
    pub(super) async fn read(callee: &str, response: http::Response<Body>) -> Result<Self, Failure> {
        let (head, body) = response.into_parts();
        let status_in_head = status_in(&head.headers);
        if let Some(status) = status_in_head.as_ref().filter(|status| status.code() != Code::Ok) {
            return Err(Failure::answered(callee, status.clone()));
        }
        let collected = Limited::new(body, MAX_BODY_BYTES).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Failure::answered(callee, Status::out_of_range("the reply is larger than a message may be"))
            } else {
                Failure::broken(callee, error)
            }
        })?;
        let trailers = collected.trailers().cloned();
        let status = trailers.as_ref().and_then(status_in).or(status_in_head);
        let status = status.unwrap_or_else(|| without_grpc_status(head.status));
        if status.code() != Code::Ok {
            return Err(Failure::answered(callee, status));
        }
        Ok(Self { head, body: collected.to_bytes(), trailers })
    }

    /// The reply as a generated client expects it.
    pub(super) fn into_response(self) -> http::Response<Body> {
        let trailers = self.trailers;
        let body = Full::new(self.body).with_trailers(async move { trailers.map(Ok) });
        http::Response::from_parts(self.head, Body::new(body))
    }
}

/// The status that headers or trailers carry. Details that are no base64 are left out, because tonic panics on them.
fn status_in(headers: &HeaderMap) -> Option<Status> {
    match headers.get(GRPC_STATUS_DETAILS) {
        Some(details) if DETAILS.decode(details).is_err() => {
            let mut readable = headers.clone();
            readable.remove(GRPC_STATUS_DETAILS);
            Status::from_header_map(&readable)
        }
        _ => Status::from_header_map(headers),
    }
}

/// The gRPC status for an HTTP status without one, as a proxy between us and the callee returns it:
/// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>.
fn without_grpc_status(status: StatusCode) -> Status {
    let code = match status {
        StatusCode::BAD_REQUEST => Code::Internal,
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND => Code::Unimplemented,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(code, format!("the reply ended without a gRPC status (HTTP {})", status.as_u16()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_reads_says_so_in_its_name() {
        assert!(reads("/jumak.payment.v1.PaymentService/GetPayment"));
        assert!(reads("/jumak.payment.v1.PaymentService/ListRefunds"));
        assert!(!reads("/jumak.payment.v1.PaymentService/CreatePayment"));
        assert!(!reads("/jumak.list.v1.ListService/Purge"));
    }
}
