//! The connections to one callee: several to each of its addresses, because one HTTP/2 connection is one lock, and because a callee
//! has replicas.
//!
//! A call takes the better of two connections chosen by chance: the one with fewer calls in flight. Two are enough to keep the load
//! even, and unlike a search for the best they do not send everybody to the same one at once.
//!
//! A connection that is down costs no call anything while another one is up: each connection connects by itself, beside the calls.
//! Only when none is up does a call wait, for those that are connecting right now; when all have failed and rest, it fails at once.
//!
//! A connection that is up may still be a bad choice. It is passed over for a while when its peer says that it is stopping or
//! starting, or has kept a call waiting in silence; and one that has not answered anything yet gets a single call to try it.
//! All of that is a preference: if no better one is up, it is used.

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

/// How long a peer that says it is stopping or starting is passed over, if it does not say.
const PASS_OVER: Duration = Duration::from_secs(1);

/// All connections to one callee.
pub(super) struct Pool {
    callee: Arc<str>,
    connections: Box<[Arc<Connection>]>,
    dialer: Arc<Dialer>,
    circuit: Circuit,
    /// Told whenever a connection comes up or has failed to.
    changed: Notify,
    /// How many are up.
    up: AtomicUsize,
    /// Whether one has answered since the end of an outage last cut the rest of the circuit short.
    proven: AtomicBool,
    /// The first call starts the connections, because that takes a runtime.
    started: Once,
}

/// How good a choice a connection is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// It answers; or it has not been tried, and is not being tried.
    Good,
    /// It is being tried.
    Unproven,
    /// It is passed over.
    PassedOver,
    /// It is connecting.
    Connecting,
    /// It could not connect, and rests.
    Down,
}

impl Pool {
    /// `per_address` connections to each of `addresses`.
    pub fn new(
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
            // A callee that was never there may come up as well.
            proven: AtomicBool::new(true),
            started: Once::new(),
        })
    }

    /// Makes the call on one of the connections. Nobody waits for its reply after `until`.
    pub async fn make(self: &Arc<Self>, mut request: http::Request<Full<Bytes>>, until: Instant) -> Outcome {
        self.start();
        // A request that comes back unsent goes to the next connection; each of them can give it back once, as it goes down.
        for _ in 0..=self.connections.len() {
            let lease = match self.lease().await {
                Ok(lease) => lease,
                Err(failure) => {
                    // Nothing was waited for: a caller who tries again at once must not keep those that connect from running.
                    tokio::task::yield_now().await;
                    return Err(failure);
                }
            };
            let peer = lease.peer();
            // Only now: connecting may have taken a while.
            tell_what_is_left(request.headers_mut(), until);
            match lease.send(request).await {
                Ok(response) => {
                    self.proven.store(true, Ordering::Relaxed);
                    let outcome = Reply::read(&self.callee, response).await;
                    return outcome.map_err(|failure| self.judge(failure, peer));
                }
                Err(Unsent::Given(back)) => request = *back,
                Err(Unsent::Broken(error)) => {
                    let failure = Failure::broken(&self.callee, error.into());
                    return Err(self.judge(failure, peer));
                }
            }
        }
        Err(Failure::no_connection(&self.callee, "every connection closed before the call was on it".into()))
    }

    /// What a failure says of the connection, and whether another replica would do better.
    fn judge(&self, failure: Failure, peer: SocketAddr) -> Failure {
        if failure.is_between_lives() {
            let until = Instant::now() + failure.retry_after().unwrap_or(PASS_OVER);
            for connection in self.connections.iter().filter(|connection| connection.peer() == Some(peer)) {
                connection.pass_over(until);
            }
        }
        let others_are_up = self.any(Standing::Unproven, |other| other.peer().is_some_and(|other| other != peer));
        if failure.is_between_lives() && !others_are_up {
            self.connections.iter().for_each(|connection| connection.hurry());
            let others_may_come = self.any(Standing::Connecting, |other| other.peer().is_none());
            return if others_may_come { failure.elsewhere() } else { failure };
        }
        if others_are_up { failure.elsewhere() } else { failure }
    }

    /// Whether there is such a connection among those that stand no worse than `worst`.
    fn any(&self, worst: Standing, such: impl Fn(&Connection) -> bool) -> bool {
        let now = Instant::now();
        self.connections.iter().any(|connection| connection.standing(now) <= worst && such(connection))
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
        // Not longer than a connection may take, for all that may happen to those it waits for.
        match timeout(self.dialer.patience(), self.wait()).await {
            Ok(lease) => lease,
            Err(_) => self.choose(Standing::PassedOver).ok_or_else(|| self.nobody()),
        }
    }

    async fn wait(&self) -> Result<Lease, Failure> {
        loop {
            // Before the look, so that what changes after it is not missed.
            let changed = self.changed.notified();
            if let Some(lease) = self.choose(Standing::Unproven) {
                return Ok(lease);
            }
            let now = Instant::now();
            if !self.connections.iter().any(|connection| connection.standing(now) == Standing::Connecting) {
                return self.choose(Standing::PassedOver).ok_or_else(|| self.nobody());
            }
            changed.await;
        }
    }

    /// The better of two connections among the best ones that stand no worse than `worst`.
    fn choose(&self, worst: Standing) -> Option<Lease> {
        let now = Instant::now();
        let standings: Vec<Standing> = self.connections.iter().map(|connection| connection.standing(now)).collect();
        let best = standings.iter().copied().min().filter(|best| *best <= worst)?;
        let all = self.connections.iter().zip(standings);
        let among: Vec<_> = all.filter(|(_, standing)| *standing == best).map(|(connection, _)| connection).collect();
        let two = among.choose_multiple(&mut rand::rng(), 2);
        two.min_by_key(|connection| connection.in_flight())?.lease()
    }

    fn nobody(&self) -> Failure {
        let why = self.connections.iter().find_map(|connection| connection.last_error());
        Failure::no_connection(&self.callee, why.unwrap_or_else(|| "no connection is up".to_owned()).into())
    }

    /// A connection has come up.
    fn came_up(&self) {
        // The first one after an outage: if that had opened the circuit, its rest has lost its reason. Once only, until somebody
        // answers: a callee that closes whatever it accepts is to have its longer and longer rests.
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
