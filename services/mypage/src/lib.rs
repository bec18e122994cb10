//! The my page context: what concerns a user, put together from events, so that it can be read whatever else is down.
//!
//! It owns no aggregate and decides nothing. It keeps a [`projection`] of what others have decided: bookings as their guest and their
//! host see them, the rooms of a host, and a [`timeline`] for each case.
//!
//! | invariant | where |
//! |---|---|
//! | any order, any duplication, any replay of the events ends in the same read model | [`store::write`] |
//! | counts are counted, never incremented | [`store::read`] |
//! | changes become visible to a user in the order of their positions; none is skipped, none is told twice | [`store::write`], [`watch`] |
//! | a user finds only what they are a party of; agents and admins find all | [`store::read`], [`grpc`] |
//!
//! RPCs: GetMyPage, WatchMyPage, ListBookings, GetBooking, GetTimeline. Events in: all of room, reservation and payment. Events out:
//! none. The database can be thrown away: a new one hears everything from the beginning.

pub mod audit;
mod course;
mod grpc;
mod names;
mod projection;
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

/// Who may be a party of a case, and who looks into those of others.
const PEOPLE: &[Role] = &[Role::Guest, Role::Host, Role::Agent, Role::Admin];

const ACCESS: &[Rule] = &[
    Rule::roles("jumak.mypage.v1.MyPageService/GetMyPage", PEOPLE),
    Rule::roles("jumak.mypage.v1.MyPageService/WatchMyPage", PEOPLE),
    Rule::roles("jumak.mypage.v1.MyPageService/ListBookings", PEOPLE),
    Rule::roles("jumak.mypage.v1.MyPageService/GetBooking", PEOPLE),
    Rule::roles("jumak.mypage.v1.MyPageService/GetTimeline", PEOPLE),
];

/// What the context is.
pub static DESCRIPTOR: Descriptor = Descriptor {
    name: "mypage",
    about: "What concerns a user, read from a model of its own",
    services: &[SERVICE_NAME],
    access: ACCESS,
    rank: Rank::Supporting,
    calls: &[],
    cases: None,
    hears: Some(Subscription::Projection),
    schema: store::SCHEMA,
    assemble: |deps, _| Box::pin(assemble(deps)),
};

async fn assemble(deps: Deps) -> Result<Parts, Error> {
    let service = grpc::MyPages::new(deps.database, deps.background, deps.clock.clone()).await?;
    let routes = Routes::new(MyPageServiceServer::new(service));
    Ok(Parts::serving(routes).hearing(projection::hearing(deps.clock)))
}
