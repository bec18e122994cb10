//! A connection that nobody uses does not stay.
//!
//! HTTP/2's own keep-alive tells whether a peer is alive, and not whether they want anything. A peer who says nothing, or who leaves a
//! connection open for days, costs memory and a file descriptor, has a place that others could use, and holds up a stop. Who has not
//! made a call that was accepted has the least claim to that place: connecting takes no token. That helps against the idle and the
//! forgotten, and not against the hostile: a call without a token every now and then keeps a stranger's place as well.

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

/// What every client says first.
const PREFACE_BYTES: usize = 24;

/// How long an unused connection is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Until it has said what every client says first.
    pub preface: Duration,
    /// Between two calls, before one was accepted.
    pub stranger: Duration,
    /// Between two calls afterwards.
    pub idle: Duration,
    /// The same once the server is stopping: the last answer's way to the peer.
    pub closing: Duration,
}

impl Patience {
    pub const DEFAULT: Self = Self {
        preface: Duration::from_secs(5),
        // A probe or a balancer that keeps its connection asks more often. A context's own connections to one that it seldom calls
        // do not, and are made again.
        stranger: Duration::from_secs(30),
        idle: Duration::from_secs(300),
        closing: Duration::from_millis(500),
    };
}

/// Whether a connection is used. Each of its requests carries this in its extensions.
#[derive(Clone, Debug)]
pub(super) struct Usage(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    calls: usize,
    /// When the last call ended, if none is in hand.
    idle_since: Instant,
    /// Whether a call has been accepted.
    is_known: bool,
}

impl Usage {
    /// Of a connection that has just been made.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State { calls: 0, idle_since: Instant::now(), is_known: false })))
    }

    /// A call in hand, until it is dropped.
    pub fn begin(&self) -> InUse {
        self.state().calls += 1;
        InUse(self.clone())
    }

    /// A call has shown by its token that its caller may use this server.
    pub fn accepted(&self) {
        self.state().is_known = true;
    }

    /// How long the connection is kept between two calls.
    pub fn kept(&self, patience: &Patience) -> Duration {
        if self.state().is_known { patience.idle } else { patience.stranger }
    }

    /// When nobody has used the connection for so long; from now on, if it is used.
    fn idle_at(&self, patience: Duration) -> Instant {
        let state = self.state();
        let since = if state.calls > 0 { Instant::now() } else { state.idle_since };
        since + patience
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call in hand.
pub(super) struct InUse(Usage);

impl InUse {
    /// The connection is in use until the reply is over.
    pub fn until_over(self, reply: Reply) -> Reply {
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

/// A connection that ends, as if its peer had closed it, when it has not been used for too long.
pub(super) struct Connection<S> {
    stream: S,
    usage: Usage,
    patience: Patience,
    preface_left: usize,
    /// When to see whether it is still used.
    look: Pin<Box<Sleep>>,
    /// None once the server is stopping.
    stopping: Option<BoxFuture<'static, ()>>,
    _place: OwnedSemaphorePermit,
}

impl<S> Connection<S> {
    pub fn new(stream: S, patience: Patience, stopping: CancellationToken, place: OwnedSemaphorePermit) -> Self {
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

    /// Ready when the connection has been unused for too long.
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
    /// The server speaks first, and before a TLS handshake is over it cannot: then nobody reads, and patience is kept here.
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
        // Nothing read: to the reader, the end.
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
    const PATIENT: Patience = Patience { preface: LONG, stranger: LONG, idle: LONG, closing: LONG };

    fn connection(patience: Patience) -> (DuplexStream, Connection<DuplexStream>, CancellationToken) {
        let (peer, stream) = duplex(64);
        let stopping = CancellationToken::new();
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        (peer, Connection::new(stream, patience, stopping.clone(), place), stopping)
    }

    async fn ends(connection: &mut Connection<DuplexStream>) -> bool {
        timeout(Duration::from_secs(10), connection.read(&mut [0])).await.unwrap().unwrap() == 0
    }

    #[tokio::test]
    async fn a_peer_who_says_nothing_is_not_waited_for() {
        let (mut peer, mut connection, _stopping) = connection(Patience { preface: SHORT, ..PATIENT });
        peer.write_all(b"PRI").await.unwrap();
        connection.read_exact(&mut [0; 3]).await.unwrap();
        assert!(ends(&mut connection).await);
    }

    #[tokio::test]
    async fn a_peer_who_takes_nothing_is_not_waited_for_either() {
        let (_peer, mut connection, _stopping) = connection(Patience { preface: SHORT, ..PATIENT });
        let written = timeout(Duration::from_secs(10), connection.write_all(&[0; 65])).await.unwrap();
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    /// Says what every client says first, and time passes until the connection looks at itself.
    async fn says_hello(peer: &mut DuplexStream, connection: &mut Connection<DuplexStream>) {
        peer.write_all(&[0; PREFACE_BYTES]).await.unwrap();
        connection.read_exact(&mut [0; PREFACE_BYTES]).await.unwrap();
        connection.look.as_mut().reset(Instant::now());
    }

    #[tokio::test]
    async fn a_peer_whom_nobody_knows_gives_up_its_place_soon_and_one_who_was_let_in_does_not() {
        let (mut peer, mut connection, _stopping) = connection(Patience { stranger: SHORT, ..PATIENT });
        says_hello(&mut peer, &mut connection).await;
        drop(connection.connect_info().begin());
        assert!(ends(&mut connection).await, "what it asked for was not granted");

        let (mut peer, mut connection, _stopping) = self::connection(Patience { stranger: SHORT, ..PATIENT });
        says_hello(&mut peer, &mut connection).await;
        connection.connect_info().accepted();
        assert!(timeout(SHORT * 5, connection.read(&mut [0])).await.is_err(), "it is known");
    }

    #[tokio::test]
    async fn a_connection_stays_while_it_is_used_and_not_much_longer() {
        let (mut peer, mut connection, _stopping) = connection(Patience { stranger: SHORT, idle: SHORT, ..PATIENT });
        says_hello(&mut peer, &mut connection).await;
        let in_use = connection.connect_info().begin();
        assert!(timeout(SHORT * 5, connection.read(&mut [0])).await.is_err(), "it is used");
        drop(in_use);
        assert!(ends(&mut connection).await);
    }

    #[tokio::test]
    async fn an_unused_connection_ends_when_the_server_stops() {
        let (_peer, mut connection, stopping) = connection(Patience { closing: SHORT, ..PATIENT });
        let in_use = connection.connect_info().begin();
        stopping.cancel();
        assert!(timeout(SHORT * 5, connection.read(&mut [0])).await.is_err(), "it is used");
        drop(in_use);
        assert!(ends(&mut connection).await);
    }
}
