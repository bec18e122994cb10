//! Makes the call.

use std::{error::Error as _, str::FromStr, time::Duration};

use anyhow::Context as _;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use tonic::{
    Request, Status, TimeoutExpired,
    client::Grpc,
    metadata::{AsciiMetadataKey, AsciiMetadataValue},
    transport::Channel,
};

use super::codec::DynamicCodec;
use crate::cli::output;

/// How long to wait for an answer by default: longer than the server takes for any call.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The hint for a call with an unknown outcome.
const REPEATED_SAFELY: &str = "a call that was made with --request-id can be repeated safely";

/// A header from the command line: `key=value`, or `key: value` as in grpcurl.
#[derive(Clone, Debug)]
pub struct Header(AsciiMetadataKey, AsciiMetadataValue);

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once(['=', ':']).ok_or("it has no value; type a key, `=` and a value")?;
        let key = key.trim().parse().map_err(|_| format!("`{key}` is not a valid header name"))?;
        let value =
            value.trim().parse().map_err(|_| "the value has characters that a header cannot contain".to_owned())?;
        Ok(Self(key, value))
    }
}

/// A request with its token and headers. An `authorization` header takes precedence over `token`.
pub fn request(
    message: DynamicMessage,
    token: Option<&str>,
    headers: &[Header],
) -> anyhow::Result<Request<DynamicMessage>> {
    const AUTHORIZATION: &str = "authorization";
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    for Header(key, value) in headers {
        metadata.append(key.clone(), value.clone());
    }
    if metadata.contains_key(AUTHORIZATION) {
        return Ok(request);
    }
    let token = token.map(str::trim).filter(|token| !token.is_empty()).context(
        "there is no token; type `export TOKEN=$(jumak token --user alice --roles guest,host)` first, or pass one with --token",
    )?;
    let mut bearer: AsciiMetadataValue =
        format!("Bearer {token}").parse().context("the token has characters that a token cannot contain")?;
    bearer.set_sensitive(true);
    metadata.insert(AUTHORIZATION, bearer);
    Ok(request)
}

/// Sets the call's timeout, unless a header does.
pub fn limit(request: &mut Request<DynamicMessage>, method: &MethodDescriptor, timeout: Option<Duration>) {
    let by_default = || {
        let is_open = method.is_server_streaming() || request.metadata().contains_key("grpc-timeout");
        (!is_open).then_some(TIMEOUT)
    };
    if let Some(timeout) = timeout.or_else(by_default) {
        request.set_timeout(timeout);
    }
}

/// Makes the call and passes each reply to `each`. The inner error is the server's refusal. A stream is abandoned as soon as `left`
/// resolves, because its reader has gone. Any other call runs to its end, because its outcome would be unknown otherwise.
pub async fn send(
    channel: Channel,
    method: &MethodDescriptor,
    request: Request<DynamicMessage>,
    mut each: impl FnMut(DynamicMessage) -> anyhow::Result<()>,
    left: impl Future<Output = ()>,
) -> anyhow::Result<Result<(), Status>> {
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name()).parse()?;
    let codec = DynamicCodec::new(method.output());
    let mut client = Grpc::new(channel);
    client.ready().await.context("the connection was lost")?;
    if !method.is_server_streaming() {
        return match client.unary(request, path, codec).await {
            Ok(reply) => each(reply.into_inner()).map(Ok),
            Err(status) => refusal(status),
        };
    }
    let mut left = std::pin::pin!(left);
    let opened = tokio::select! {
        () = &mut left => return Err(output::Unprinted::unread().into()),
        opened = client.server_streaming(request, path, codec) => opened,
    };
    let mut replies = match opened {
        Ok(replies) => replies.into_inner(),
        Err(status) => return refusal(status),
    };
    loop {
        let message = tokio::select! {
            // Closing the connection ends the stream at the server.
            () = &mut left => return Err(output::Unprinted::unread().into()),
            message = replies.message() => message,
        };
        match message {
            Ok(Some(reply)) => each(reply)?,
            Ok(None) => return Ok(Ok(())),
            Err(status) => return refusal(status),
        }
    }
}

/// The status, if the server sent it. A broken connection or a local timeout is an outer error instead, because the call's outcome is
/// unknown.
fn refusal(status: Status) -> anyhow::Result<Result<(), Status>> {
    // `*cause` calls `source` on the cause itself, and not on the reference to it.
    let causes = || std::iter::successors(status.source(), |cause| (*cause).source());
    if causes().any(|cause| cause.is::<TimeoutExpired>()) {
        return Err(anyhow::anyhow!(
            "no answer arrived within the timeout; set a longer one with --timeout; {REPEATED_SAFELY}"
        ));
    }
    if causes().any(|cause| cause.is::<tonic::transport::Error>()) {
        return Err(anyhow::anyhow!(
            "the connection broke before the whole answer arrived; if the server uses TLS, begin the target with https://; {REPEATED_SAFELY}"
        ));
    }
    Ok(Err(status))
}

#[cfg(test)]
mod tests {
    use mesh::config::TlsConfig;

    use super::*;
    use crate::cli::connect;

    /// The server never answers.
    #[tokio::test]
    async fn a_timeout_is_not_reported_as_a_broken_connection() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let method = crate::call::Methods::of(mesh::server::contracts().unwrap()).find("GetRoom").unwrap();
        let mut request = Request::new(DynamicMessage::new(method.input()));
        limit(&mut request, &method, Some(Duration::from_millis(1)));
        let channel = connect::connect(&silent.local_addr().unwrap().to_string(), &TlsConfig::default()).await.unwrap();
        let told = send(channel, &method, request, |_| Ok(()), std::future::pending()).await.unwrap_err().to_string();
        assert!(told.contains("--timeout") && !told.contains("broke"), "{told}");
        let status = refusal(Status::deadline_exceeded("too late")).unwrap().unwrap_err();
        assert_eq!(status.code(), tonic::Code::DeadlineExceeded, "the server's own status is a refusal");
    }

    #[test]
    fn a_calls_timeout_is_the_option_or_the_header_or_the_default() {
        let pool = mesh::server::contracts().unwrap();
        let methods = crate::call::Methods::of(pool);
        let timeout = |name: &str, header: Option<&str>, timeout| {
            let method = methods.find(name).unwrap();
            let mut request = Request::new(DynamicMessage::new(method.input()));
            if let Some(header) = header {
                request.metadata_mut().insert("grpc-timeout", header.parse().unwrap());
            }
            limit(&mut request, &method, timeout);
            request.metadata().get("grpc-timeout").map(|timeout| timeout.to_str().unwrap().to_owned())
        };
        assert_eq!(timeout("GetRoom", None, None).as_deref(), Some("10000000u"));
        assert_eq!(timeout("GetRoom", Some("1n"), None).as_deref(), Some("1n"));
        assert_eq!(timeout("GetRoom", Some("1n"), Some(Duration::from_secs(2))).as_deref(), Some("2000000u"));
        assert_eq!(timeout("WatchMyPage", None, None), None);
    }
}
