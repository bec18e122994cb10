//! One connection: its address, its state, and the calls on it.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Uri, Version, uri::PathAndQuery};
use http_body_util::Full;
use hyper::{body::Incoming, client::conn::http2::SendRequest};
use mesh_foundation::background::Backoff;
use tokio::{sync::Notify, time::Instant};
use tonic::body::Body;

use super::Preference;
use crate::net::Address;

/// If a call is given up after the peer was silent for this long, the peer hangs.
const SILENCE: Duration = Duration::from_millis(500);
/// How long such a peer is avoided; doubles each time.
const FIRST_PASS: Duration = Duration::from_secs(1);
const MAX_PASS: Duration = Duration::from_secs(15);

/// One connection to an address. Over its life it goes up and down.
pub(super) struct Connection {
    pub address: Address,
    /// Ends the backoff before the next attempt to connect.
    pub hurry: Arc<Notify>,
    in_flight: AtomicUsize,
    state: Mutex<State>,
}

struct State {
    link: Link,
    /// Until when calls prefer other connections.
    passed_over: Option<Instant>,
    silences: Backoff,
    last_error: Option<String>,
    /// Whether a backoff has been cut short since the connection was last up.
    hurried: bool,
}

enum Link {
    Down,
    Connecting,
    Up(Up),
}

/// A connection that is up.
struct Up {
    sender: SendRequest<Full<Bytes>>,
    peer: SocketAddr,
    /// When it last answered.
    answered: Option<Instant>,
}

/// A request that has not been answered.
pub(super) enum Unsent {
    /// It surely was not sent, and is returned.
    Given(Box<Request<Full<Bytes>>>),
    /// The connection broke while the call was on it.
    Broken(hyper::Error),
}

impl Connection {
    pub(super) fn new(address: Address) -> Arc<Self> {
        Arc::new(Self {
            address,
            hurry: Arc::default(),
            in_flight: AtomicUsize::new(0),
            state: Mutex::new(State {
                link: Link::Down,
                passed_over: None,
                silences: Backoff::new(FIRST_PASS, MAX_PASS),
                last_error: None,
                hurried: false,
            }),
        })
    }

    pub(super) fn connecting(&self) {
        self.state().link = Link::Connecting;
    }

    pub(super) fn up(&self, sender: SendRequest<Full<Bytes>>, peer: SocketAddr) {
        let mut state = self.state();
        state.link = Link::Up(Up { sender, peer, answered: None });
        state.passed_over = None;
        state.last_error = None;
        state.hurried = false;
    }

    /// Ends the backoff, if there is one. Only once until the connection has been up: a dead peer keeps its growing backoff.
    pub(super) fn hurry(&self) {
        let mut state = self.state();
        if matches!(state.link, Link::Down) && !state.hurried {
            state.hurried = true;
            state.link = Link::Connecting;
            self.hurry.notify_one();
        }
    }

    /// The link ended or could not be made. Returns whether it had ever answered.
    pub(super) fn down(&self, error: Option<String>) -> bool {
        let mut state = self.state();
        let answered = matches!(&state.link, Link::Up(Up { answered: Some(_), .. }));
        state.link = Link::Down;
        state.last_error = error;
        answered
    }

    pub(super) fn preference(&self, now: Instant) -> Preference {
        let state = self.state();
        match &state.link {
            Link::Down => Preference::Down,
            Link::Connecting => Preference::Connecting,
            Link::Up(up) if up.sender.is_closed() => Preference::Down,
            Link::Up(_) if state.passed_over.is_some_and(|until| now < until) => Preference::PassedOver,
            // A connection that was avoided has to prove itself again, like a new one.
            Link::Up(up) if (up.answered.is_none() || state.passed_over.is_some()) && self.in_flight() > 0 => {
                Preference::Unproven
            }
            Link::Up(_) => Preference::Good,
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn peer(&self) -> Option<SocketAddr> {
        match &self.state().link {
            Link::Up(up) => Some(up.peer),
            Link::Down | Link::Connecting => None,
        }
    }

    pub(super) fn last_error(&self) -> Option<String> {
        self.state().last_error.clone()
    }

    pub(super) fn pass_over(&self, until: Instant) {
        let mut state = self.state();
        state.passed_over = state.passed_over.max(Some(until));
    }

    /// Until when calls prefer other connections, if they do.
    pub(super) fn passed_over(&self) -> Option<Instant> {
        self.state().passed_over
    }

    /// The connection for one call, if it is still up.
    pub(super) fn lease(self: &Arc<Self>) -> Option<Lease> {
        let state = self.state();
        let Link::Up(up) = &state.link else { return None };
        let (sender, peer) = (up.sender.clone(), up.peer);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        drop(state);
        Some(Lease { connection: self.clone(), sender, peer, begun: Instant::now() })
    }

    fn answered(&self) {
        let mut state = self.state();
        state.passed_over = state.passed_over.filter(|until| Instant::now() < *until);
        state.silences.succeeded();
        if let Link::Up(up) = &mut state.link {
            up.answered = Some(Instant::now());
        }
    }

    /// A call that began at `begun` was given up. If the peer has sent nothing since, it hangs.
    fn given_up(&self, begun: Instant) {
        let mut state = self.state();
        let Link::Up(up) = &state.link else { return };
        if begun.elapsed() < SILENCE || up.answered.is_some_and(|answered| answered > begun) {
            return;
        }
        // Several calls that hang at once count once.
        if state.passed_over.is_none_or(|until| until <= Instant::now()) {
            let pass = state.silences.failed();
            state.passed_over = Some(Instant::now() + pass);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call's share of a connection.
pub(super) struct Lease {
    connection: Arc<Connection>,
    sender: SendRequest<Full<Bytes>>,
    peer: SocketAddr,
    begun: Instant,
}

impl Lease {
    pub(super) const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Where the connection leads.
    pub(super) fn address(&self) -> &Address {
        &self.connection.address
    }

    /// Sends the request and waits for the head of its reply.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Body>, Unsent> {
        let waiting = Waiting { connection: &self.connection, begun: self.begun, over: false };
        let request = addressed(request, &self.connection.address);
        let outcome = self.sender.clone().try_send_request(request).await;
        waiting.over();
        match outcome {
            Ok(response) => {
                self.connection.answered();
                Ok(response.map(|body: Incoming| Body::new(body)))
            }
            Err(mut error) => Err(match error.take_message() {
                Some(request) => Unsent::Given(Box::new(request)),
                None => Unsent::Broken(error.into_error()),
            }),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.connection.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call that waits for its peer. If it is dropped before `over`, the call was given up.
struct Waiting<'a> {
    connection: &'a Connection,
    begun: Instant,
    over: bool,
}

impl Waiting<'_> {
    fn over(mut self) {
        self.over = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.connection.given_up(self.begun);
        }
    }
}

/// The request as HTTP/2 requires it: with the scheme and the authority of its address.
fn addressed(mut request: Request<Full<Bytes>>, address: &Address) -> Request<Full<Bytes>> {
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(address.scheme());
    parts.authority = Some(address.authority().clone());
    parts.path_and_query = Some(path);
    // Three valid parts always make a URI.
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    *request.version_mut() = Version::HTTP_2;
    request
}
