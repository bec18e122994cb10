//! The my page context: a user's bookings and rooms, built from events, so that they can be read while other contexts are down.
//!
//! It owns no aggregate and decides nothing. It keeps a [`projection`] of the other contexts' events: bookings as their guest and their
//! host see them, the rooms of a host, and a [`timeline`] for each case.
//!
//! | invariant | where |
//! |---|---|
//! | any order, any duplication, any replay of the events ends in the same read model | [`store::write`] |
//! | counts are counted, never incremented | [`store::read`] |
//! | changes become visible to a user in the order of their positions; none is skipped, none is sent twice | [`store::write`], [`watch`] |
//! | a user finds only what they are a party of; agents and admins find all | [`store::read`], [`grpc`] |
//!
//! RPCs: GetMyPage, WatchMyPage, ListBookings, GetBooking, GetTimeline. Events in: all of room, reservation and payment. Events out:
//! none. The database can be deleted: a new one consumes everything from the beginning.

pub mod audit;
mod course;
mod grpc;
mod names;
mod projection;
pub mod reasons;
mod store;
mod timeline;
mod view;
mod watch;

#[cfg(test)]
mod tests;

use contracts::mypage::v1::my_page_service_server::{MyPageServiceServer, SERVICE_NAME};
use mesh::{
    Deps, Descriptor, Error, Role,
    auth::access::Rule,
    context::{Parts, Rank, Subscription},
};
use tonic::service::Routes;

/// The roles that may be a party of a case, and those that may read the cases of others.
const PEOPLE: &[Role] = &[Role::Guest, Role::Host, Role::Agent, Role::Admin];

const ACCESS: &[Rule] = &[
    Rule::roles("jumak.mypage.v1.MyPageService/GetMyPage", PEOPLE),
    Rule::roles("jumak.mypage.v1.MyPageService/WatchMyPage", PEOPLE),
    Rule::roles("jumak.mypage.v1.MyPageService/ListBookings", PEOPLE),
    Rule::roles("jumak.mypage.v1.MyPageService/GetBooking", PEOPLE),
    Rule::roles("jumak.mypage.v1.MyPageService/GetTimeline", PEOPLE),
];

/// The context's description.
pub static DESCRIPTOR: Descriptor = Descriptor {
    name: "mypage",
    about: "What concerns a user, read from a model of its own",
    services: &[SERVICE_NAME],
    access: ACCESS,
    rank: Rank::Supporting,
    calls: &[],
    cases: None,
    reasons: reasons::ALL,
    reasons_of_others: &[],
    settings: None,
    hears: Some(Subscription::Projection),
    schema: store::SCHEMA,
    assemble: |deps, _| Box::pin(assemble(deps)),
};

async fn assemble(deps: Deps) -> Result<Parts, Error> {
    let service = grpc::MyPages::new(deps.database, deps.background, deps.clock.clone()).await?;
    let routes = Routes::new(MyPageServiceServer::new(service));
    Ok(Parts::serving(routes).hearing(projection::hearing(deps.clock)))
}
