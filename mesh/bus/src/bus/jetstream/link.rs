//! The one connection of a process, with a time limit for each operation.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::{Client, HeaderMap, Message, Request, connection::State, jetstream::Context};
use bytes::Bytes;
use tokio::{
    sync::{broadcast, watch},
    time::timeout,
};
use uuid::Uuid;

use super::{Cause, layout};
use crate::bus::BusError;

/// How long an operation waits for the broker.
pub const WAIT: Duration = Duration::from_secs(5);

/// An operation that the broker did not permit.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// The subject that we may not publish to or subscribe to.
    pub subject: String,
    /// Whether it was a publish.
    pub publishing: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doing = if self.publishing { "publishing on" } else { "subscribing to" };
        write!(f, "{doing} {}", self.subject)
    }
}

/// Why an operation failed without an answer of the broker.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// There is no connection.
    #[error("there is no connection to the broker")]
    NotConnected,
    /// There was no answer.
    #[error("the broker did not answer within {WAIT:?}")]
    Silent,
    /// The user lacks the permission.
    #[error("the broker does not permit {0}")]
    NotPermitted(Refusal),
}

/// A connection, and the known state of the broker. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Link {
    client: Client,
    context: Context,
    replicas: usize,
    refusals: broadcast::Sender<Refusal>,
    disconnects: watch::Sender<u64>,
    /// Whether the streams have been seen since the last failure.
    ready: Arc<AtomicBool>,
    secret: Uuid,
}

impl Link {
    pub(super) fn new(
        client: Client,
        replicas: usize,
        refusals: broadcast::Sender<Refusal>,
        disconnects: watch::Sender<u64>,
    ) -> Self {
        let context = async_nats::jetstream::context::ContextBuilder::new().timeout(WAIT).build(client.clone());
        Self { client, context, replicas, refusals, disconnects, ready: Arc::default(), secret: Uuid::new_v4() }
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) const fn context(&self) -> &Context {
        &self.context
    }

    /// A random secret of this process.
    pub(super) const fn secret(&self) -> &Uuid {
        &self.secret
    }

    /// Changes when the connection is lost from now on.
    pub(super) fn disconnects(&self) -> watch::Receiver<u64> {
        self.disconnects.subscribe()
    }

    /// Makes sure that the streams exist. Asks the broker only the first time and after a failure.
    pub(super) async fn make_ready(&self) -> Result<(), BusError> {
        if self.ready.load(Ordering::Relaxed) {
            return Ok(());
        }
        let make = layout::make_streams(&self.context, self.replicas);
        self.run("make the streams", "$JS.API.STREAM.".to_owned(), make).await?;
        self.ready.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Runs `work`, which publishes on subjects that begin with `subject`. Fails at once if there is no connection, after [`WAIT`] if there
    /// is no answer, and when the broker refuses a subject: the refusal comes as a separate message, and the answer never comes.
    pub(super) async fn run<T>(
        &self,
        what: &'static str,
        subject: String,
        work: impl Future<Output = Result<T, Cause>>,
    ) -> Result<T, BusError> {
        self.run_on(what, |refused| refused.starts_with(&subject), work).await
    }

    /// As [`run`](Self::run), with any way to tell which subjects are published on.
    pub(super) async fn run_on<T>(
        &self,
        what: &'static str,
        is_ours: impl Fn(&str) -> bool,
        work: impl Future<Output = Result<T, Cause>>,
    ) -> Result<T, BusError> {
        // Without a connection, commands would queue up until it is back, and would then all be sent long after we gave up on them.
        if self.client.connection_state() != State::Connected {
            self.failed();
            return Err(BusError::new(what, Failure::NotConnected));
        }
        let refused = refused(self.refusals.subscribe(), is_ours);
        let outcome = tokio::select! {
            biased;
            outcome = timeout(WAIT, work) => outcome.unwrap_or_else(|_| Err(Failure::Silent.into())),
            refusal = refused => Err(Failure::NotPermitted(refusal).into()),
        };
        outcome.map_err(|cause| {
            self.failed();
            BusError::new(what, cause)
        })
    }

    /// A request that JetStream must answer: "no responders" is an error.
    pub(super) async fn request(
        &self,
        subject: String,
        headers: Option<HeaderMap>,
        body: Bytes,
    ) -> Result<Message, Cause> {
        let request = Request { payload: Some(body), headers, timeout: Some(Some(WAIT)), inbox: None };
        let answer = self.client.send_request(subject, request).await?;
        match answer.status {
            None => Ok(answer),
            Some(status) => Err(format!("the broker answered with status {status}").into()),
        }
    }

    /// Forgets the known state of the broker.
    pub(super) fn failed(&self) {
        self.ready.store(false, Ordering::Relaxed);
    }
}

/// Resolves when the broker refuses one of our subjects, or our inbox, without which no answer arrives.
async fn refused(mut refusals: broadcast::Receiver<Refusal>, is_ours: impl Fn(&str) -> bool) -> Refusal {
    loop {
        match refusals.recv().await {
            Ok(refusal) if !refusal.publishing || is_ours(&refusal.subject) => return refusal,
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
