//! Serves the contexts of a process behind one socket.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{self, Poll},
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture};
use mesh_foundation::error::shown;
use mesh_transport::tls::Tls;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;
use tonic::{
    Status,
    body::Body,
    transport::{Server, server::TcpIncoming},
};
use tower::Service;

use super::{
    Contexts, Health,
    connection::{Connection, IdleTimeouts, Usage},
    contexts::{Behind, starting},
    layer::{Reply, refuse},
    line::Line,
    own::OwnServices,
};

/// Calls on one connection at once. tonic's default removes hyper's limit.
const MAX_STREAMS_PER_CONNECTION: u32 = 200;
/// Limits on streams that a peer opened and reset before we accepted them (rapid reset), and on streams that we had to reset; one more
/// closes the connection. The values are the defaults of h2 and hyper; tonic's default removes the second.
const MAX_PENDING_RESETS: usize = 20;
const MAX_LOCAL_RESETS: usize = 1_024;
/// A token and some metadata take a few KiB.
const MAX_HEADER_BYTES: u32 = 16 * 1024;
/// A peer that disappeared is noticed after the sum of the two.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Without free file descriptors, each accept fails at once; the pause keeps the loop from using a whole processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a process serves.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Whether gRPC reflection (v1 and v1alpha) is served.
    pub reflection: bool,
    /// How long a stop waits for calls in flight.
    pub drain_deadline: Duration,
    /// Concurrent connections. A further one is closed at once, so that its client goes to another replica.
    pub connections: usize,
    /// If it has a certificate, the listener speaks TLS, and only TLS.
    pub tls: Option<Tls>,
}

/// Why a process cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The descriptor set cannot be read.
    #[error("the contracts cannot be reflected")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The socket failed.
    #[error("the server failed")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves `contexts` on `listener` until `stop`. Then, in this order:
///
/// 1. Health checks answer NOT_SERVING.
/// 2. New connections are not accepted, and the peers of open ones are asked to close them (GOAWAY).
/// 3. Calls in flight are waited for, up to the drain deadline.
///
/// It does not drain the contexts, because they may still be needed by callers in this process; the caller drains them one by one.
pub async fn serve(
    listener: TcpListener,
    contexts: Contexts,
    health: Health,
    options: ServeOptions,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let closing = CancellationToken::new();
    let dispatcher =
        Dispatcher { own: OwnServices::new(&contexts, &health, options.reflection, closing.clone())?, contexts };
    let places = Places::new(options.connections, options.tls, closing.clone());
    let stopped = async {
        stop.cancelled().await;
        // Before the socket closes, so that health watchers look for another server.
        health.stopping().await;
        closing.cancel();
    };
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true)).filter_map(|accepted| async {
        if let Err(error) = &accepted {
            tracing::warn!(error = error as &dyn std::error::Error, "failed to accept a connection; will retry");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
        accepted.map(|socket| places.take(socket)).transpose()
    });
    let serving = Server::builder()
        .max_concurrent_streams(MAX_STREAMS_PER_CONNECTION)
        .http2_max_pending_accept_reset_streams(Some(MAX_PENDING_RESETS))
        .http2_max_local_error_reset_streams(Some(MAX_LOCAL_RESETS))
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .serve_with_incoming_shutdown(dispatcher, incoming, stopped);
    // A peer that does not close its connection, or a handler that does not end, would keep the process for ever.
    let patience = async {
        closing.cancelled().await;
        tokio::time::sleep(options.drain_deadline).await;
    };
    tokio::select! {
        served = serving => Ok(served?),
        () = patience => {
            tracing::warn!("some calls did not finish within the drain deadline and are dropped");
            Ok(())
        }
    }
}

/// Permits for connections.
struct Places {
    free: Arc<Semaphore>,
    /// Whether the last connection was refused. Only the first of a row is logged, because a line for each could fill the disk.
    full: AtomicBool,
    tls: Option<Tls>,
    stopping: CancellationToken,
}

impl Places {
    fn new(places: usize, tls: Option<Tls>, stopping: CancellationToken) -> Self {
        Self { free: Arc::new(Semaphore::new(places)), full: AtomicBool::new(false), tls, stopping }
    }

    /// The connection with its permit, if there is one.
    fn take(&self, socket: TcpStream) -> Option<Connection<Line>> {
        let place = self.free.clone().try_acquire_owned().ok();
        let was_full = self.full.swap(place.is_none(), Ordering::Relaxed);
        if place.is_none() && !was_full {
            tracing::warn!("the limit of connections is reached; further connections are closed");
        }
        let place = place?;
        let line = Line::new(socket, self.tls.as_ref());
        Some(Connection::new(line, IdleTimeouts::DEFAULT, self.stopping.clone(), place))
    }
}

/// Sends each call to the context that it names.
#[derive(Clone)]
struct Dispatcher {
    contexts: Contexts,
    own: OwnServices,
}

impl Service<http::Request<Body>> for Dispatcher {
    type Response = Reply;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Reply, Infallible>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let in_use = request.extensions().get::<Usage>().map(Usage::begin);
        let answer = self.dispatch(request);
        Box::pin(async move {
            let reply = answer.await?;
            Ok(match in_use {
                Some(in_use) => in_use.until_over(reply),
                None => reply,
            })
        })
    }
}

impl Dispatcher {
    fn dispatch(&self, request: http::Request<Body>) -> BoxFuture<'static, Result<Reply, Infallible>> {
        let service = request.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
        match self.contexts.behind(service) {
            Behind::Context(mut context) => return context.call(request),
            Behind::Starting => return Box::pin(std::future::ready(Ok(refuse(starting(service))))),
            Behind::Nothing => {}
        }
        if !service.starts_with("grpc.") {
            let message = format!("this server has no service {}; it serves {}", shown(service), self.names());
            return Box::pin(std::future::ready(Ok(refuse(Status::unimplemented(message)))));
        }
        let own = self.own.clone();
        Box::pin(async move { Ok(own.answer(request).await) })
    }

    fn names(&self) -> String {
        let mut names = self.contexts.services().to_vec();
        names.sort_unstable();
        names.join(", ")
    }
}
