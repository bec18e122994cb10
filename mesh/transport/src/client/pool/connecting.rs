//! How a connection comes up, and comes up again.
//!
//! Each connection has one task for its whole life, so there is never more than one attempt at a time. After a failure it rests, twice
//! as long each time up to a bound, and by chance a little less, so that a callee that comes back is not met by everybody at once.
//! A connection that came up and soon went down again without having answered anything has failed too: a callee that closes at once
//! what it accepts would otherwise be hammered. One that ends later has not: servers close what nobody uses, ours what nobody has
//! used yet after half a minute, and most of them at the same moment. It is made again at once, so that a first call after a quiet
//! time finds it. A rest ends early when the last replica that is up says that it is stopping: in a rolling update the one before it
//! has just come back. The task ends with the pool.

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

/// A dead peer is noticed after the two together, also while no call is in flight: a call sent into a dead connection would end
/// with nobody knowing whether it took effect.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two attempts. Short at most, because it is what a restarted callee waits for its callers.
const FIRST_REST: Duration = Duration::from_millis(50);
const MAX_REST: Duration = Duration::from_millis(500);

/// A connection that was up for so long needs no rest after it: making one this often hammers nobody.
const SETTLED: Duration = Duration::from_secs(1);

/// How connections of a pool are made.
pub(in crate::client) struct Dialer {
    /// How long one may take, TLS included.
    pub connect_timeout: Duration,
    /// With which certificates, at `https` addresses.
    pub tls: Tls,
}

/// A connection that is up: what takes requests, what moves it on, and who is at the other end.
type Established =
    (SendRequest<Full<Bytes>>, http2::Connection<TokioIo<Stream>, Full<Bytes>, TokioExecutor>, SocketAddr);

impl Dialer {
    /// How long a call waits for a connection: an attempt that had begun before may have to fail first.
    pub fn patience(&self) -> Duration {
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
    // At once, so that the call that started it knows that there is something to wait for.
    connection.connecting();
    let task = Task {
        pool: Arc::downgrade(pool),
        connection: Arc::downgrade(connection),
        dialer: pool.dialer.clone(),
        hurry: connection.hurry.clone(),
    };
    tokio::spawn(task.run(pool.callee.clone(), connection.address.clone()));
}

/// It keeps nothing alive: with the pool go its connections, and with them their ends.
struct Task {
    pool: Weak<Pool>,
    connection: Weak<Connection>,
    dialer: Arc<Dialer>,
    /// Told when there is no time to rest.
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
                        tracing::info!(callee = &*callee, %address, "connected again");
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
                        tracing::warn!(callee = &*callee, %address, error = &error as &dyn StdError, "cannot connect");
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

    /// Tells whether the link had ever answered; none if the pool is gone.
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
