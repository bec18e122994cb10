//! The connections to one callee: several to each of its addresses, because one HTTP/2 connection is one lock, and because a callee
//! has replicas.
//!
//! A call takes the better of two connections chosen by chance: the one with fewer calls in flight. Two are enough to keep the load
//! even, and unlike a search for the best they do not send everybody to the same one at once.
//!
//! While one connection is up, a connection that is down delays no call: each connection is made by its own task. If none is up, a call
//! waits for those that are connecting; if all have failed and back off, it fails at once.
//!
//! A connection that is up may still be a bad choice. It is avoided for a while when its peer says that it is stopping or starting, or
//! left a call without an answer; and a connection that has not answered yet gets a single call as a trial. This is a preference only:
//! if no better connection is up, it is used. In a rolling update that matters: a replica is ready again before the time is over for
//! which it asked to be avoided, and then the next one stops.

mod connecting;
mod connection;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Once,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use rand::seq::IndexedRandom;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

pub(super) use self::connecting::Dialer;
use self::connection::{Connection, Lease, Unsent};
use super::{
    breaker::BreakerState, call::Reply, circuit::Circuit, deadline::tell_what_is_left, failure::Failure, layer::Outcome,
};
use crate::net::Address;

/// How long a peer that is stopping or starting is avoided, if it does not say.
const PASS_OVER: Duration = Duration::from_secs(1);

/// All connections to one callee.
pub(super) struct Pool {
    callee: Arc<str>,
    connections: Box<[Arc<Connection>]>,
    dialer: Arc<Dialer>,
    circuit: Circuit,
    /// Notified whenever a connection comes up or fails to.
    changed: Notify,
    /// How many are up.
    up: AtomicUsize,
    /// Whether a connection has answered since the pool last ended the circuit's rest.
    proven: AtomicBool,
    /// The first call starts the connections, because that takes a runtime.
    started: Once,
}

/// How good a choice a connection is now, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Preference {
    /// It answers; or it has not been tried yet, and no trial is under way.
    Good,
    /// It is being tried.
    Unproven,
    /// It is avoided.
    PassedOver,
    /// It is connecting.
    Connecting,
    /// It failed to connect and backs off.
    Down,
}

impl Pool {
    /// `per_address` connections to each of `addresses`.
    pub(super) fn new(
        callee: Arc<str>,
        addresses: &[Address],
        per_address: usize,
        dialer: Dialer,
        circuit: Circuit,
    ) -> Arc<Self> {
        // Address by address, so that the first few connections lead to as many replicas.
        let connections = (0..per_address.max(1)).flat_map(|_| addresses).cloned().map(Connection::new).collect();
        Arc::new(Self {
            callee,
            connections,
            dialer: Arc::new(dialer),
            circuit,
            changed: Notify::new(),
            up: AtomicUsize::new(0),
            // The callee may not have been up before.
            proven: AtomicBool::new(true),
            started: Once::new(),
        })
    }

    /// Makes the call on one of the connections, with `until` as its deadline.
    pub(super) async fn make(self: &Arc<Self>, mut request: http::Request<Full<Bytes>>, until: Instant) -> Outcome {
        self.start();
        // A request that comes back unsent goes to the next connection; each of them can give it back once, as it goes down.
        for _ in 0..=self.connections.len() {
            let lease = match self.lease().await {
                Ok(lease) => lease,
                Err(failure) => {
                    // This path awaits nothing: a caller that retries at once must not starve the connecting tasks.
                    tokio::task::yield_now().await;
                    return Err(failure);
                }
            };
            let (peer, address) = (lease.peer(), lease.address().clone());
            // Only now: connecting may have taken a while.
            tell_what_is_left(request.headers_mut(), until);
            match lease.send(request).await {
                Ok(response) => {
                    self.proven.store(true, Ordering::Relaxed);
                    let outcome = Reply::read(&self.callee, response).await;
                    return outcome.map_err(|failure| self.judge(failure, peer, &address));
                }
                Err(Unsent::Given(back)) => request = *back,
                Err(Unsent::Broken(error)) => {
                    let failure = Failure::broken(&self.callee, error.into());
                    return Err(self.judge(failure, peer, &address));
                }
            }
        }
        Err(Failure::no_connection(&self.callee, "every connection closed before the call was on it".into()))
    }

    /// What a failure says about the connection, and whether another replica would do better.
    fn judge(&self, failure: Failure, peer: SocketAddr, address: &Address) -> Failure {
        if failure.is_between_lives() {
            let until = Instant::now() + failure.retry_after().unwrap_or(PASS_OVER);
            for connection in self.connections.iter().filter(|connection| connection.peer() == Some(peer)) {
                connection.pass_over(until);
            }
        }
        let others_are_up = self.any(Preference::Unproven, |other| other.peer().is_some_and(|other| other != peer));
        if failure.is_between_lives() && !others_are_up {
            self.connections.iter().filter(|other| other.address != *address).for_each(|other| other.hurry());
            let others_may_come = self.any(Preference::Connecting, |other| other.address != *address);
            return if others_may_come { failure.elsewhere() } else { failure };
        }
        if others_are_up { failure.elsewhere() } else { failure }
    }

    /// Whether there is such a connection among those with a preference no worse than `worst`.
    fn any(&self, worst: Preference, such: impl Fn(&Connection) -> bool) -> bool {
        let now = Instant::now();
        self.connections.iter().any(|connection| connection.preference(now) <= worst && such(connection))
    }

    fn start(self: &Arc<Self>) {
        self.started.call_once(|| {
            for connection in &self.connections {
                connecting::start(self, connection);
            }
        });
    }

    /// A connection for one call.
    async fn lease(&self) -> Result<Lease, Failure> {
        // At most as long as connecting may take.
        match timeout(self.dialer.patience(), self.wait()).await {
            Ok(lease) => lease,
            Err(_) => self.choose(Preference::PassedOver).ok_or_else(|| self.nobody()),
        }
    }

    async fn wait(&self) -> Result<Lease, Failure> {
        loop {
            // Registered before the check, so that no change after it is missed.
            let changed = self.changed.notified();
            if let Some(lease) = self.choose(Preference::Unproven) {
                return Ok(lease);
            }
            let now = Instant::now();
            if !self.connections.iter().any(|connection| connection.preference(now) == Preference::Connecting) {
                return self.choose(Preference::PassedOver).ok_or_else(|| self.nobody());
            }
            changed.await;
        }
    }

    /// The better of two connections among the best ones with a preference no worse than `worst`. Among those that are avoided it is the
    /// one whose time is over first: what its peer said of itself is the oldest news.
    fn choose(&self, worst: Preference) -> Option<Lease> {
        let now = Instant::now();
        let preferences: Vec<Preference> =
            self.connections.iter().map(|connection| connection.preference(now)).collect();
        let best = preferences.iter().copied().min().filter(|best| *best <= worst)?;
        let all = self.connections.iter().zip(preferences);
        let among: Vec<_> =
            all.filter(|(_, preference)| *preference == best).map(|(connection, _)| connection).collect();
        if best == Preference::PassedOver {
            return among.iter().min_by_key(|connection| (connection.passed_over(), connection.in_flight()))?.lease();
        }
        let two = among.choose_multiple(&mut rand::rng(), 2);
        two.min_by_key(|connection| connection.in_flight())?.lease()
    }

    fn nobody(&self) -> Failure {
        let why = self.connections.iter().find_map(|connection| connection.last_error());
        Failure::no_connection(&self.callee, why.unwrap_or_else(|| "no connection is up".to_owned()).into())
    }

    /// A connection has come up.
    fn came_up(&self) {
        // The first connection after an outage ends the rest of an open circuit. Only once until the callee answers: a callee that
        // closes each connection at once keeps its growing rests.
        let first = self.up.fetch_add(1, Ordering::Relaxed) == 0;
        if first && self.circuit.state() == BreakerState::Open && self.proven.swap(false, Ordering::Relaxed) {
            self.circuit.try_soon();
        }
        self.changed.notify_waiters();
    }

    /// A connection that was up is gone.
    fn went_down(&self) {
        self.up.fetch_sub(1, Ordering::Relaxed);
    }
}
