//! How a connection is made, and made again.
//!
//! Each connection has one task for its whole life, so there is never more than one attempt at a time:
//!
//! 1. Connect. On failure, back off: twice as long each time up to a bound, with jitter, so that a callee that comes back does not get
//!    all connections at once.
//! 2. When a connection ends soon and without any answer, that is a failure too: otherwise a callee that closes each connection at once
//!    would be hammered.
//! 3. When a connection ends later, reconnect at once, so that the first call after a quiet time finds it. Servers close idle
//!    connections; ours close a connection that was never used after half a minute.
//! 4. A backoff ends early when the last replica that is up says that it is stopping: in a rolling update the one before it has just
//!    come back.
//!
//! The task ends with the pool.

use std::{
    error::Error as StdError,
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use mesh_foundation::{background::Backoff, telemetry::metrics};
use opentelemetry::KeyValue;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use tokio_rustls::rustls::ClientConfig;

use super::{Pool, connection::Connection};
use crate::{
    net::{Address, Dialled, Stream, dial},
    tls::Tls,
};

/// A dead peer is noticed after the sum of the two, even while no call is in flight: the outcome of a call on a dead connection would be
/// unknown.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two attempts. Short at most, because it is what a restarted callee waits for its callers.
const FIRST_REST: Duration = Duration::from_millis(50);
const MAX_REST: Duration = Duration::from_millis(500);

/// After a connection that was up for this long there is no backoff: reconnecting this seldom burdens no callee.
const SETTLED: Duration = Duration::from_secs(1);

/// How connections of a pool are made.
pub(in crate::client) struct Dialer {
    /// How long connecting may take, TLS included.
    pub connect_timeout: Duration,
    /// With which certificates, at `https` addresses.
    pub tls: Tls,
}

/// A connection that is up: its sender, its driver, and the peer's address.
type Established =
    (SendRequest<Full<Bytes>>, http2::Connection<TokioIo<Stream>, Full<Bytes>, TokioExecutor>, SocketAddr);

impl Dialer {
    /// How long a call waits for a connection: an attempt that began before it may have to fail first.
    pub(crate) fn patience(&self) -> Duration {
        self.connect_timeout.saturating_mul(2)
    }

    async fn connect(&self, address: &Address) -> io::Result<Established> {
        match timeout(self.connect_timeout, establish(address, &self.tls.client())).await {
            Ok(outcome) => outcome,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "connecting took too long")),
        }
    }
}

async fn establish(address: &Address, tls: &Arc<ClientConfig>) -> io::Result<Established> {
    let Dialled { stream, peer } = dial(address, tls).await?;
    let (sender, driver) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    Ok((sender, driver, peer))
}

/// Starts the task of `connection`.
pub(super) fn start(pool: &Arc<Pool>, connection: &Arc<Connection>) {
    // At once, so that the call that started it waits for it.
    connection.connecting();
    let task = Task {
        pool: Arc::downgrade(pool),
        connection: Arc::downgrade(connection),
        dialer: pool.dialer.clone(),
        hurry: connection.hurry.clone(),
    };
    tokio::spawn(task.run(pool.callee.clone(), connection.address.clone()));
}

/// It holds weak references only: when the pool is dropped, its connections and their tasks end.
struct Task {
    pool: Weak<Pool>,
    connection: Weak<Connection>,
    dialer: Arc<Dialer>,
    /// Notified when the backoff should end early.
    hurry: Arc<Notify>,
}

impl Task {
    async fn run(self, callee: Arc<str>, address: Address) {
        let callee_label = [KeyValue::new("callee", callee.clone())];
        let (mut rests, mut failing) = (Backoff::new(FIRST_REST, MAX_REST), false);
        loop {
            let rest = match self.dialer.connect(&address).await {
                Ok((sender, driver, peer)) => {
                    let Some(pool) = self.pool.upgrade() else { return };
                    let Some(connection) = self.connection.upgrade() else { return };
                    connection.up(sender, peer);
                    pool.came_up();
                    drop((pool, connection));
                    if std::mem::take(&mut failing) {
                        tracing::info!(callee = &*callee, %address, "reconnected");
                    }
                    metrics().client_connections.add(1, &callee_label);
                    let since = Instant::now();
                    let ended = driver.await;
                    metrics().client_connections.add(-1, &callee_label);
                    tracing::debug!(callee = &*callee, %address, ?ended, "a connection ended");
                    let why = ended.err().map_or_else(|| "it was closed".to_owned(), |error| chain(&error));
                    let Some(pool) = self.pool.upgrade() else { return };
                    pool.went_down();
                    let Some(answered) = self.down(why) else { return };
                    let has_settled = since.elapsed() >= SETTLED;
                    if answered || has_settled {
                        rests.succeeded();
                    }
                    (!has_settled).then(|| rests.failed())
                }
                Err(error) => {
                    metrics().client_connect_failures.add(1, &callee_label);
                    // Once for an outage, and not for each attempt.
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(callee = &*callee, %address, error = &error as &dyn StdError, "failed to connect; will retry");
                    }
                    if self.down(chain(&error)).is_none() {
                        return;
                    }
                    Some(rests.failed())
                }
            };
            if let Some(rest) = rest {
                // Either way it is time to connect.
                timeout(rest, self.hurry.notified()).await.ok();
            }
            let Some(connection) = self.connection.upgrade() else { return };
            connection.connecting();
        }
    }

    /// Returns whether the link had ever answered; none if the pool is gone.
    fn down(&self, why: String) -> Option<bool> {
        let (pool, connection) = (self.pool.upgrade()?, self.connection.upgrade()?);
        let answered = connection.down(Some(why));
        pool.changed.notify_waiters();
        Some(answered)
    }
}

/// An error with its causes, on one line.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
