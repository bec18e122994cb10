//! The contexts of a process behind one socket.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{self, Poll},
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture};
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
    ContextService, Health,
    connection::{Connection, Patience, Usage},
    layer::{Reply, refuse},
    own::OwnServices,
};

/// Calls on one connection at once. tonic's default removes hyper's limit.
const MAX_STREAMS_PER_CONNECTION: u32 = 200;
/// Streams that a peer opened and reset before we accepted them (rapid reset), and streams that we had to reset; one more closes the
/// connection. They are h2's and hyper's own limits, the second of which tonic's default removes.
const MAX_PENDING_RESETS: usize = 20;
const MAX_LOCAL_RESETS: usize = 1_024;
/// A token and some metadata are a few KiB.
const MAX_HEADER_BYTES: u32 = 16 * 1024;
/// A peer that is gone without a word is noticed after the two together.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Out of file descriptors, accepting fails again at once; the pause keeps that from taking the whole processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a process serves.
#[derive(Clone, Copy, Debug)]
pub struct ServeOptions {
    /// Whether the contracts can be asked for (gRPC reflection, v1 and v1alpha).
    pub reflection: bool,
    /// How long calls in hand are waited for after the stop.
    pub drain_deadline: Duration,
    /// Connections at once. One more is closed as soon as it is made, so that its client goes elsewhere.
    pub connections: usize,
}

/// Why a process cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The descriptor set is no such set.
    #[error("the contracts cannot be reflected")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The socket failed.
    #[error("the server failed")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves `contexts` on `listener` until `stop`: then says so to health checks, takes no new connection, tells the open ones to go,
/// and waits for the calls in hand, but no longer than the drain deadline.
///
/// It does not drain the contexts, because they may have to go on for callers in this process; whoever stops the process drains
/// them one by one.
pub async fn serve(
    listener: TcpListener,
    contexts: Vec<ContextService>,
    health: Health,
    options: ServeOptions,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let closing = CancellationToken::new();
    let dispatcher = Dispatcher {
        own: OwnServices::new(&contexts, &health, options.reflection, closing.clone())?,
        contexts: Arc::new(
            contexts
                .into_iter()
                .flat_map(|context| context.services().iter().map(move |name| (*name, context.clone())))
                .collect(),
        ),
    };
    let places = Places::new(options.connections, closing.clone());
    let stopped = async {
        stop.cancelled().await;
        // Told before the socket closes: whoever watches hears of it and looks for another server.
        health.stopping().await;
        closing.cancel();
    };
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true)).filter_map(|accepted| async {
        if let Err(error) = &accepted {
            tracing::warn!(error = error as &dyn std::error::Error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
        accepted.map(|stream| places.take(stream)).transpose()
    });
    let serving = Server::builder()
        .max_concurrent_streams(MAX_STREAMS_PER_CONNECTION)
        .http2_max_pending_accept_reset_streams(Some(MAX_PENDING_RESETS))
        .http2_max_local_error_reset_streams(Some(MAX_LOCAL_RESETS))
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .serve_with_incoming_shutdown(dispatcher, incoming, stopped);
    // A connection whose peer does not go, or a handler that does not end, would keep the process for ever.
    let patience = async {
        closing.cancelled().await;
        tokio::time::sleep(options.drain_deadline).await;
    };
    tokio::select! {
        served = serving => Ok(served?),
        () = patience => {
            tracing::warn!("some calls did not finish within the drain deadline and are left behind");
            Ok(())
        }
    }
}

/// Places for connections.
struct Places {
    free: Arc<Semaphore>,
    /// Whether the last connection found none: a log line for each would be one more way to fill the disk.
    full: AtomicBool,
    stopping: CancellationToken,
}

impl Places {
    fn new(places: usize, stopping: CancellationToken) -> Self {
        Self { free: Arc::new(Semaphore::new(places)), full: AtomicBool::new(false), stopping }
    }

    /// The connection in its place, if there is one.
    fn take(&self, stream: TcpStream) -> Option<Connection<TcpStream>> {
        let place = self.free.clone().try_acquire_owned().ok();
        let was_full = self.full.swap(place.is_none(), Ordering::Relaxed);
        if place.is_none() && !was_full {
            tracing::warn!("there are as many connections as this server takes; further ones are closed");
        }
        Some(Connection::new(stream, Patience::DEFAULT, self.stopping.clone(), place?))
    }
}

/// Sends each call to the context that it names.
#[derive(Clone)]
struct Dispatcher {
    contexts: Arc<HashMap<&'static str, ContextService>>,
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
        if let Some(context) = self.contexts.get(service) {
            return context.clone().call(request);
        }
        if !service.starts_with("grpc.") {
            let message = format!("this server has no service {service}; it serves {}", self.names());
            return Box::pin(std::future::ready(Ok(refuse(Status::unimplemented(message)))));
        }
        let own = self.own.clone();
        Box::pin(async move { Ok(own.answer(request).await) })
    }

    fn names(&self) -> String {
        let mut names: Vec<&str> = self.contexts.keys().copied().collect();
        names.sort_unstable();
        names.join(", ")
    }
}
