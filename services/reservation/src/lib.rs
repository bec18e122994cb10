//! The reservation context: who stays where on which nights, and the source of truth about sold nights.
//!
//! It owns reservations and **the allocation of room-nights**. A night of a room has a capacity and so many units taken, in one row
//! that the database itself refuses to oversell; a reservation holds its units from the moment it is PENDING and releases them in the
//! same commit in which it ends. Payment is handled by [`mesh::checkout`]; this crate supplies the hold, the words and the events.
//!
//! | | |
//! |---|---|
//! | RPCs | QuoteReservation, CreateReservation, PayReservation, GetReservation, ListReservations, CancelReservation, WatchReservation |
//! | events out | ReservationHeld, Confirmed, Rejected, Expired, CancelRequested, Cancelled, RefundRequested |
//! | events in | `room.*` (availability and prices), `payment.*` (outcomes of payments) |
//! | calls | payment (CreatePayment, GetPayment, VoidPayment, RefundPayment), room (GetRoom, for a room that is not known yet) |
//!
//! Invariants:
//! - units taken on a night = units of the PENDING and CONFIRMED stays that cover it, and never above its capacity;
//! - a CONFIRMED reservation is paid, whatever crashes when;
//! - the price and the cancellation policy of a stay are those of the moment it was made.

mod app;
pub mod audit;
mod convert;
pub mod domain;
mod events;
mod grpc;
mod policies;
pub mod reasons;
mod remembered;
mod rooms;
mod single_flight;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use contracts::reservation::v1::reservation_service_server::{ReservationServiceServer, SERVICE_NAME};
use mesh::{
    Deps, Descriptor, Error,
    auth::access::{Rule, Who},
    call::Role,
    checkout::{self, Checkout, payments::PaymentContext},
    context::{Call, CaseBook, Parts, Rank, Subscription},
    page::PageTokens,
};
use tonic::service::Routes;

/// The context's settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// The bounds of its checkout.
    pub checkout: checkout::Settings,
}

const ACCESS: &[Rule] = &[
    Rule { method: "jumak.reservation.v1.ReservationService/QuoteReservation", who: Who::Anyone },
    Rule { method: "jumak.reservation.v1.ReservationService/CreateReservation", who: Who::Roles(&[Role::Guest]) },
    Rule { method: "jumak.reservation.v1.ReservationService/PayReservation", who: Who::Roles(&[Role::Guest]) },
    Rule { method: "jumak.reservation.v1.ReservationService/GetReservation", who: Who::Anyone },
    Rule { method: "jumak.reservation.v1.ReservationService/ListReservations", who: Who::Anyone },
    Rule {
        method: "jumak.reservation.v1.ReservationService/CancelReservation",
        who: Who::RolesOrContexts(&[Role::Guest, Role::Host, Role::Agent, Role::Admin], &["servicecenter"]),
    },
    Rule { method: "jumak.reservation.v1.ReservationService/WatchReservation", who: Who::Anyone },
];

/// The context's description.
pub static DESCRIPTOR: Descriptor = Descriptor {
    name: "reservation",
    about: "Who stays where on which nights",
    services: &[SERVICE_NAME],
    access: ACCESS,
    rank: Rank::Core,
    calls: &[Call::patient("payment", |config| config.checkout.payment_timeout()), Call::to("room")],
    cases: Some(CaseBook { collection: "reservations", read: |database| Box::pin(audit::cases(database)) }),
    reasons: reasons::ALL,
    reasons_of_others: reasons::OF_OTHERS,
    settings: None,
    hears: Some(Subscription::Once),
    schema: store::SCHEMA,
    assemble: |deps, config| Box::pin(assemble(deps, Settings { checkout: config.checkout.settings() })),
};

/// Builds the context.
pub async fn assemble(deps: Deps, settings: Settings) -> Result<Parts, Error> {
    let payments = Arc::new(PaymentContext::new(deps.upstreams.get("payment")?));
    let checkout = Checkout::new(
        store::Reservations::new(deps.database.clone()),
        deps.database.clone(),
        payments,
        settings.checkout,
        deps.clock.clone(),
        deps.background.clone(),
    );
    let rooms = rooms::Rooms::new(deps.database.clone(), deps.upstreams.get("room")?, deps.clock.clone());
    let app = app::App::new(checkout.clone(), rooms.clone(), deps.clock.clone());
    let pages = PageTokens::of(&deps.database).await?;
    let service = grpc::Service::new(app, pages, deps.database.clone(), deps.background);
    let policies = policies::Policies::new(checkout.clone(), rooms, deps.database, deps.clock);
    let closing = policies.clone();
    let routes = Routes::new(ReservationServiceServer::new(service));
    Ok(Parts::serving(routes).hearing(policies.hearing()).looping(move |background| {
        checkout.start(background);
        closing.start(background);
    }))
}
