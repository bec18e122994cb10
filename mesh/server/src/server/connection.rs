//! Closes idle connections.
//!
//! HTTP/2's own keep-alive tells whether a peer is alive, and not whether it uses the connection. An idle connection costs memory and a
//! file descriptor, takes a place that others could use, and delays a stop. Connections without an authenticated call are closed
//! sooner, because connecting takes no token. This helps against idle and forgotten connections, and not against an attacker: an
//! occasional call without a token keeps a connection open too.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::future::BoxFuture;
use http_body::Body as _;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use super::{body::hold, layer::Reply};

/// The length of HTTP/2's connection preface, which every client sends first.
const PREFACE_BYTES: usize = 24;

/// How long an unused connection is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdleTimeouts {
    /// Until the client has sent the preface.
    pub preface: Duration,
    /// Between two calls, before the first authenticated call.
    pub stranger: Duration,
    /// Between two calls afterwards.
    pub idle: Duration,
    /// The same once the server is stopping: time for the last answer to reach the peer.
    pub closing: Duration,
}

impl IdleTimeouts {
    pub(super) const DEFAULT: Self = Self {
        preface: Duration::from_secs(5),
        // A probe or a load balancer that keeps its connection calls more often. Connections between contexts that seldom call each
        // other are closed, and made again.
        stranger: Duration::from_secs(30),
        idle: Duration::from_secs(300),
        closing: Duration::from_millis(500),
    };
}

/// The usage of a connection. Each of its requests carries this in its extensions.
#[derive(Clone, Debug)]
pub(super) struct Usage(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    calls: usize,
    /// When the last call ended, if none is in flight.
    idle_since: Instant,
    /// Whether a call has been authenticated.
    is_known: bool,
}

impl Usage {
    /// Of a connection that has just been made.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { calls: 0, idle_since: Instant::now(), is_known: false })))
    }

    /// Counts a call in flight until the guard is dropped.
    pub(super) fn begin(&self) -> InUse {
        self.state().calls += 1;
        InUse(self.clone())
    }

    /// Records that a call was authenticated.
    pub(super) fn accepted(&self) {
        self.state().is_known = true;
    }

    /// How long the connection is kept between two calls.
    pub(super) fn kept(&self, patience: &IdleTimeouts) -> Duration {
        if self.state().is_known { patience.idle } else { patience.stranger }
    }

    /// When the connection will have been idle for `patience`; counted from now if it is in use.
    fn idle_at(&self, patience: Duration) -> Instant {
        let state = self.state();
        let since = if state.calls > 0 { Instant::now() } else { state.idle_since };
        since + patience
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call in flight.
pub(super) struct InUse(Usage);

impl InUse {
    /// The connection is in use until the reply is over.
    pub(super) fn until_over(self, reply: Reply) -> Reply {
        if reply.body().is_end_stream() { reply } else { hold(reply, self) }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.calls -= 1;
        state.idle_since = Instant::now();
    }
}

/// A connection that ends, as if its peer had closed it, when it has been idle for too long.
pub(super) struct Connection<S> {
    stream: S,
    usage: Usage,
    patience: IdleTimeouts,
    preface_left: usize,
    /// When to check whether it is still used.
    look: Pin<Box<Sleep>>,
    /// None once the server is stopping.
    stopping: Option<BoxFuture<'static, ()>>,
    _place: OwnedSemaphorePermit,
}

impl<S> Connection<S> {
    pub(super) fn new(
        stream: S,
        patience: IdleTimeouts,
        stopping: CancellationToken,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            stream,
            usage: Usage::new(),
            patience,
            preface_left: PREFACE_BYTES,
            look: Box::pin(sleep_until(Instant::now() + patience.preface)),
            stopping: Some(Box::pin(stopping.cancelled_owned())),
            _place: place,
        }
    }

    /// Ready when the connection has been idle for too long.
    fn poll_unused(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.stopping.as_mut().is_some_and(|stopping| stopping.as_mut().poll(cx).is_ready()) {
            self.stopping = None;
            self.look.as_mut().reset(Instant::now() + self.patience.closing);
        }
        loop {
            ready!(self.look.as_mut().poll(cx));
            let patience = match &self.stopping {
                None => self.patience.closing,
                Some(_) if self.preface_left > 0 => return Poll::Ready(()),
                Some(_) => self.usage.kept(&self.patience),
            };
            let idle_at = self.usage.idle_at(patience);
            if idle_at <= Instant::now() {
                return Poll::Ready(());
            }
            self.look.as_mut().reset(idle_at);
        }
    }
}

impl<S> Connection<S> {
    /// The server writes first, and cannot before the TLS handshake is over. Nothing is read until then, so writes check the timeout.
    fn poll_unheard<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if self.preface_left == 0 {
            return Poll::Pending;
        }
        self.poll_unused(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buf) {
            this.preface_left = this.preface_left.saturating_sub(buf.filled().len() - before);
            return Poll::Ready(read);
        }
        // Nothing read means the end to the reader.
        this.poll_unused(cx).map(Ok)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_write(cx, buf) {
            Poll::Pending => this.poll_unheard(cx),
            written => written,
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_write_vectored(cx, bufs) {
            Poll::Pending => this.poll_unheard(cx),
            written => written,
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_flush(cx) {
            Poll::Pending => this.poll_unheard(cx),
            flushed => flushed,
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S> Connected for Connection<S> {
    type ConnectInfo = Usage;

    fn connect_info(&self) -> Usage {
        self.usage.clone()
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        sync::Semaphore,
        time::timeout,
    };

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(60);
    const PATIENT: IdleTimeouts = IdleTimeouts { preface: LONG, stranger: LONG, idle: LONG, closing: LONG };

    fn connection(patience: IdleTimeouts) -> (DuplexStream, Connection<DuplexStream>, CancellationToken) {
        let (peer, stream) = duplex(64);
        let stopping = CancellationToken::new();
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        (peer, Connection::new(stream, patience, stopping.clone(), place), stopping)
    }

    async fn ends(connection: &mut Connection<DuplexStream>) -> bool {
        timeout(Duration::from_secs(10), connection.read(&mut [0])).await.unwrap().unwrap() == 0
    }

    #[tokio::test]
    async fn a_connection_without_a_preface_is_closed() {
        let (mut peer, mut connection, _stopping) = connection(IdleTimeouts { preface: SHORT, ..PATIENT });
        peer.write_all(b"PRI").await.unwrap();
        connection.read_exact(&mut [0; 3]).await.unwrap();
        assert!(ends(&mut connection).await);
    }

    #[tokio::test]
    async fn a_connection_whose_peer_does_not_read_is_closed() {
        let (_peer, mut connection, _stopping) = connection(IdleTimeouts { preface: SHORT, ..PATIENT });
        let written = timeout(Duration::from_secs(10), connection.write_all(&[0; 65])).await.unwrap();
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    /// Sends the preface, and lets time pass until the connection checks its usage.
    async fn says_hello(peer: &mut DuplexStream, connection: &mut Connection<DuplexStream>) {
        peer.write_all(&[0; PREFACE_BYTES]).await.unwrap();
        connection.read_exact(&mut [0; PREFACE_BYTES]).await.unwrap();
        connection.look.as_mut().reset(Instant::now());
    }

    #[tokio::test]
    async fn unauthenticated_connections_time_out_early_and_authenticated_ones_do_not() {
        let (mut peer, mut connection, _stopping) = connection(IdleTimeouts { stranger: SHORT, ..PATIENT });
        says_hello(&mut peer, &mut connection).await;
        drop(connection.connect_info().begin());
        assert!(ends(&mut connection).await, "what it asked for was not granted");

        let (mut peer, mut connection, _stopping) = self::connection(IdleTimeouts { stranger: SHORT, ..PATIENT });
        says_hello(&mut peer, &mut connection).await;
        connection.connect_info().accepted();
        assert!(timeout(SHORT * 5, connection.read(&mut [0])).await.is_err(), "it is known");
    }

    #[tokio::test]
    async fn a_connection_stays_while_it_is_used_and_not_much_longer() {
        let (mut peer, mut connection, _stopping) =
            connection(IdleTimeouts { stranger: SHORT, idle: SHORT, ..PATIENT });
        says_hello(&mut peer, &mut connection).await;
        let in_use = connection.connect_info().begin();
        assert!(timeout(SHORT * 5, connection.read(&mut [0])).await.is_err(), "it is used");
        drop(in_use);
        assert!(ends(&mut connection).await);
    }

    #[tokio::test]
    async fn an_unused_connection_ends_when_the_server_stops() {
        let (_peer, mut connection, stopping) = connection(IdleTimeouts { closing: SHORT, ..PATIENT });
        let in_use = connection.connect_info().begin();
        stopping.cancel();
        assert!(timeout(SHORT * 5, connection.read(&mut [0])).await.is_err(), "it is used");
        drop(in_use);
        assert!(ends(&mut connection).await);
    }
}
