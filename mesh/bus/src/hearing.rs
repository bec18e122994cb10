//! The events that a context consumes, in one table with their handlers. The consumer's filters derive from it.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use futures::future::BoxFuture;
use mesh_foundation::{
    error::Error,
    event::{Event, route},
};
use mesh_store::db::Tx;
use prost::{Message, Name};

use crate::policies::{Handled, Hears, Policies};

type Handler<S> = Box<dyn for<'a> Fn(&'a S, &'a Tx, &'a Event) -> BoxFuture<'a, Result<Handled, Error>> + Send + Sync>;

/// "Whenever X, then Y", for each event X that a context consumes. `S` is the state that the handlers share.
pub struct Hearing<S> {
    state: S,
    handlers: Vec<(String, Handler<S>)>,
}

impl<S: Send + Sync + 'static> Hearing<S> {
    /// An empty table.
    pub fn new(state: S) -> Self {
        Self { state, handlers: Vec::new() }
    }

    /// Handles each `M`, an event of `aggregate`.
    #[must_use]
    pub fn on<M, F>(self, aggregate: &str, handle: F) -> Self
    where
        M: Message + Name + Default + 'static,
        F: for<'a> Fn(&'a S, &'a Tx, M, &'a Event) -> BoxFuture<'a, Result<Handled, Error>> + Send + Sync + 'static,
    {
        let heard = route(context_of::<M>(), aggregate, M::NAME);
        self.with(heard, move |state, tx, event| match event.read::<M>() {
            Ok(Some(told)) => handle(state, tx, told, event),
            Ok(None) => Box::pin(async { Ok(Handled::Unknown) }),
            Err(error) => Box::pin(async { Err(error) }),
        })
    }

    /// Handles every event of `aggregate` by the resource that it carries, including kinds that a later version adds.
    #[must_use]
    pub fn on_any<R, F>(self, aggregate: &str, handle: F) -> Self
    where
        R: Message + Name + Default + fmt::Debug + 'static,
        F: for<'a> Fn(&'a S, &'a Tx, R, &'a Event) -> BoxFuture<'a, Result<Handled, Error>> + Send + Sync + 'static,
    {
        let heard = format!("jumak.{}.v1.{aggregate}.>", context_of::<R>());
        self.with(heard, move |state, tx, event| match event.carried::<R>() {
            Ok(resource) => handle(state, tx, resource, event),
            Err(error) => Box::pin(async { Err(error) }),
        })
    }

    fn with<F>(mut self, heard: String, handle: F) -> Self
    where
        F: for<'a> Fn(&'a S, &'a Tx, &'a Event) -> BoxFuture<'a, Result<Handled, Error>> + Send + Sync + 'static,
    {
        self.handlers.push((heard, Box::new(handle)));
        self
    }

    /// The routes of these events, as patterns that do not overlap: a broker accepts no others.
    pub fn filters(&self) -> Vec<String> {
        let all = || self.handlers.iter().map(|(heard, _)| heard);
        let is_covered = |heard: &&String| all().any(|other| other != *heard && covers(other, heard));
        all().filter(|heard| !is_covered(heard)).cloned().collect()
    }

    /// The context's consumer; `projection` tells whether it can be made again from the events alone.
    pub fn hears(self, projection: bool) -> Hears {
        Hears { filters: self.filters(), policies: Arc::new(self), projection }
    }
}

#[async_trait]
impl<S: Send + Sync + 'static> Policies for Hearing<S> {
    async fn handle(&self, tx: &Tx, event: &Event) -> Result<Handled, Error> {
        match self.handlers.iter().find(|(heard, _)| covers(heard, &event.route)) {
            Some((_, handle)) => handle(&self.state, tx, event).await,
            None => Ok(Handled::Unknown),
        }
    }
}

/// The context in `jumak.reservation.v1`.
fn context_of<M: Name>() -> &'static str {
    M::PACKAGE.split('.').nth(1).unwrap_or_default()
}

fn covers(heard: &str, route: &str) -> bool {
    match heard.strip_suffix('>') {
        Some(aggregate) => route.starts_with(aggregate),
        None => heard == route,
    }
}

#[cfg(test)]
mod tests {
    use contracts::{
        payment::v1::{Payment, PaymentApproved},
        room::v1::{NightsBlocked, Room, RoomCreated, RoomDeleted},
    };

    use mesh_foundation::{call::Actor, clock::from_micros};

    use super::*;
    use crate::testbed::Testbed;

    fn event<M: Message + Name>(message: &M) -> Event {
        Event::new("room", "room", "rooms/1", 1, from_micros(0), &Actor::context("room", "case"), message)
    }

    fn room(name: &str) -> Option<Room> {
        Some(Room { name: name.to_owned(), ..Room::default() })
    }

    type Heard = std::sync::Mutex<Vec<String>>;

    fn note(heard: &Heard, what: impl Into<String>) -> BoxFuture<'static, Result<Handled, Error>> {
        heard.lock().unwrap().push(what.into());
        Box::pin(async { Ok(Handled::Done) })
    }

    async fn hear(hearing: &Hearing<Heard>, event: &Event) -> Result<Handled, Error> {
        let testbed = Testbed::new();
        let database = testbed.database("x.db").await;
        database.transact("hear", |tx| async move { hearing.handle(&tx, event).await }).await
    }

    #[tokio::test]
    async fn each_event_goes_to_its_handler_and_the_filters_are_its_routes() {
        let hearing = Hearing::new(Heard::default())
            .on("room", |heard, _, told: RoomCreated, _| note(heard, told.room.unwrap_or_default().name))
            .on("room", |heard, _, told: NightsBlocked, _| note(heard, told.start_date));
        assert_eq!(hearing.filters(), ["jumak.room.v1.room.created", "jumak.room.v1.room.nights_blocked"]);
        let created = event(&RoomCreated { room: room("rooms/1") });
        let blocked = event(&NightsBlocked { start_date: "2027-05-01".to_owned(), ..NightsBlocked::default() });
        let deleted = event(&RoomDeleted::default());
        assert_eq!(hear(&hearing, &created).await.unwrap(), Handled::Done);
        assert_eq!(hear(&hearing, &blocked).await.unwrap(), Handled::Done);
        assert_eq!(hear(&hearing, &deleted).await.unwrap(), Handled::Unknown);
        assert_eq!(*hearing.state.lock().unwrap(), ["rooms/1", "2027-05-01"]);
    }

    #[tokio::test]
    async fn every_event_of_a_resource_is_handled_also_kinds_that_were_added_later() {
        let hearing = Hearing::new(Heard::default())
            .on_any("room", |heard, _, room: Room, event| note(heard, format!("{} of {}", event.kind, room.name)));
        assert_eq!(hearing.filters(), ["jumak.room.v1.room.>"]);
        let mut painted = event(&RoomCreated { room: room("rooms/2") });
        painted.kind = "jumak.room.v1.RoomPainted".to_owned();
        painted.route = "jumak.room.v1.room.painted".to_owned();
        assert_eq!(hear(&hearing, &painted).await.unwrap(), Handled::Done);
        assert_eq!(*hearing.state.lock().unwrap(), ["jumak.room.v1.RoomPainted of rooms/2"]);
        let of_payment = PaymentApproved { payment: Some(Payment::default()) };
        let of_payment = Event { route: "jumak.payment.v1.payment.approved".to_owned(), ..event(&of_payment) };
        assert_eq!(hear(&hearing, &of_payment).await.unwrap(), Handled::Unknown);
    }

    #[tokio::test]
    async fn an_event_that_breaks_its_contract_is_an_internal_error() {
        let hearing = Hearing::new(Heard::default())
            .on("room", |heard, _, _: RoomCreated, _| note(heard, "created"))
            .on_any("room", |heard, _, _: Room, _| note(heard, "any"));
        let mut created = event(&RoomCreated { room: room("rooms/1") });
        created.data = vec![0xff];
        let without = event(&RoomDeleted::default());
        assert_eq!(hearing.filters(), ["jumak.room.v1.room.>"], "the one event is among them");
        for broken in [created, without] {
            let error = hear(&hearing, &broken).await.unwrap_err();
            assert!(matches!(&error, Error::Internal(what) if what.contains(&broken.kind)), "{error}");
        }
        assert!(hearing.state.lock().unwrap().is_empty());
    }
}
