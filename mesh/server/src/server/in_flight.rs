//! Limits the concurrent calls of a context.
//!
//! People and contexts are counted separately: otherwise many slow guests could take the permits of the calls that settle their
//! payments. One person gets at most a part of the permits for people: otherwise one person could lock out all others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mesh_foundation::{
    call::{Caller, Principal},
    error::{Error, Reason, Refusal},
    telemetry::metrics,
};
use opentelemetry::KeyValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    body::hold,
    layer::{Around, Call, Reply, Rest, refuse},
};
use crate::limits::LimitsConfig;

/// When a caller that was refused may try again. Most calls take milliseconds, so many end within a second.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Refuses calls above the limit. Waiting for a permit would only use up the caller's deadline, and a growing queue would hide an
/// outage.
#[derive(Clone)]
pub(super) struct InFlight {
    context: &'static str,
    calls: Arc<Places>,
    streams: Arc<Places>,
}

impl InFlight {
    /// The limits of `context`, shared by all connections and by callers in the same process.
    pub(super) fn new(context: &'static str, limits: &LimitsConfig) -> Self {
        let LimitsConfig { in_flight, in_flight_per_person, open_streams, open_streams_per_person, .. } = *limits;
        Self {
            context,
            calls: Arc::new(Places::new("calls in flight", in_flight, in_flight_per_person)),
            streams: Arc::new(Places::new("open streams", open_streams, open_streams_per_person)),
        }
    }

    fn shed(&self, full: &str) -> Reply {
        metrics().shed.add(1, &[KeyValue::new("context", self.context)]);
        // Names the context, because the refusal may be passed on to the caller's caller.
        let refusal =
            Refusal::new(Reason::OVERLOADED, format!("{} {full}", self.context)).with("context", self.context);
        refuse(refusal.hint("try again shortly").retry_after(RETRY_AFTER))
    }
}

impl Around for InFlight {
    async fn around(&self, call: Call, rest: &impl Rest) -> Reply {
        let streams = call.method.streams;
        let places = if streams { &self.streams } else { &self.calls };
        let Some(caller) = call.request.extensions().get::<Caller>() else {
            return refuse(Error::Internal("a call without an identity reached the limits".to_owned()));
        };
        let place = match places.take(&caller.principal) {
            Ok(place) => place,
            Err(full) => return self.shed(&full),
        };
        let counted = Counted::new(self.context);
        let reply = rest.answer(call).await;
        if streams { hold(reply, (place, counted)) } else { reply }
    }
}

/// Permits for calls of one kind.
struct Places {
    what: &'static str,
    people: Arc<Semaphore>,
    contexts: Arc<Semaphore>,
    per_person: usize,
    // As many entries as there are people with a call in flight.
    by_person: Mutex<HashMap<String, usize>>,
}

impl Places {
    fn new(what: &'static str, each: usize, per_person: usize) -> Self {
        let (people, contexts) = (Arc::new(Semaphore::new(each)), Arc::new(Semaphore::new(each)));
        Self { what, people, contexts, per_person, by_person: Mutex::default() }
    }

    /// A permit for a call of `principal`; or which limit is reached.
    fn take(self: &Arc<Self>, principal: &Principal) -> Result<Place, String> {
        let (permits, turn) = match principal {
            // A context's own client limits its calls, and they serve many people.
            Principal::Context { .. } => (&self.contexts, None),
            Principal::User { name, .. } => (&self.people, Some(self.turn(name)?)),
        };
        match permits.clone().try_acquire_owned() {
            Ok(permit) => Ok(Place { _permit: permit, _turn: turn }),
            Err(_) => Err(format!("has reached its limit of {}", self.what)),
        }
    }

    fn turn(self: &Arc<Self>, person: &str) -> Result<Turn, String> {
        let mut by_person = self.by_person.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = by_person.entry(person.to_owned()).or_default();
        if *taken >= self.per_person {
            return Err(format!("has reached the limit of {} per person", self.what));
        }
        *taken += 1;
        Ok(Turn { places: self.clone(), person: person.to_owned() })
    }
}

/// A permit, returned when it is dropped.
struct Place {
    _permit: OwnedSemaphorePermit,
    _turn: Option<Turn>,
}

/// One of a person's permits.
struct Turn {
    places: Arc<Places>,
    person: String,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut by_person = self.places.by_person.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(taken) = by_person.get_mut(&self.person) else { return };
        *taken -= 1;
        if *taken == 0 {
            by_person.remove(&self.person);
        }
    }
}

/// Counts a call in flight until it is dropped.
struct Counted(&'static str);

impl Counted {
    fn new(context: &'static str) -> Self {
        metrics().calls_in_flight.add(1, &[KeyValue::new("context", context)]);
        Self(context)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics().calls_in_flight.add(-1, &[KeyValue::new("context", self.0)]);
    }
}
