//! The read model as its users meet it: events go in at one end, RPCs are answered at the other.

mod convergence;
mod history;
mod reading;
mod telling;
mod watching;

use std::time::Duration;

use contracts::mypage::v1::{
    Booking, GetBookingRequest, GetMyPageRequest, GetTimelineRequest, GetTimelineResponse, ListBookingsRequest,
    ListBookingsResponse, MyPage, WatchMyPageRequest, my_page_service_server::MyPageService,
};
use jiff::Timestamp;
use mesh::{
    Caller, Clock, Database, Error, Event, Principal, Reason, Refusal, Role,
    background::Background,
    context::{Handled, Policies},
    hearing::Hearing,
    watch::Following,
};
use servers::engine::FreshDatabase;
use tonic::{Request, Status};

use crate::{DESCRIPTOR, grpc::MyPages, projection::hearing};

pub const ALICE: &str = "users/alice";
pub const BOB: &str = "users/bob";
pub const HOST: &str = "users/host";

/// When all tests take place: some days before the stays.
pub fn today() -> Timestamp {
    "2027-04-20T09:00:00Z".parse().expect("an instant")
}

/// The context on a database of its own.
pub struct House {
    _kept: FreshDatabase,
    pub database: Database,
    pub clock: Clock,
    pub policies: Hearing<Clock>,
    pub service: MyPages,
}

impl House {
    pub async fn open() -> Self {
        let kept = FreshDatabase::new().await.expect("a database");
        let database = Database::connect(kept.url(), 4).await.expect("a connection");
        DESCRIPTOR.schema.migrate(&database).await.expect("migrations");
        let clock = Clock::manual(today());
        let policies = hearing(clock.clone());
        let service = MyPages::new(database.clone(), Background::new(), clock.clone()).await.expect("a service");
        Self { _kept: kept, database, clock, policies, service }
    }

    /// Handles a batch of events in one transaction, as the consumer does, and tells what became of each.
    pub async fn try_hear(&self, events: &[Event]) -> Result<Vec<Handled>, Error> {
        let policies = &self.policies;
        self.database
            .transact("hear", |tx| async move {
                let mut handled = Vec::new();
                for event in events {
                    handled.push(policies.handle(&tx, event).await?);
                }
                Ok(handled)
            })
            .await
    }

    pub async fn hear(&self, events: &[Event]) {
        self.try_hear(events).await.expect("handled");
    }

    pub async fn page(&self, user: &str) -> MyPage {
        self.try_page(user, "users/me/myPage").await.expect("a page")
    }

    pub async fn try_page(&self, user: &str, name: &str) -> Result<MyPage, Status> {
        let request = by(user, GetMyPageRequest { name: name.to_owned() });
        Ok(self.service.get_my_page(request).await?.into_inner())
    }

    pub async fn list(&self, user: &str, request: ListBookingsRequest) -> Result<ListBookingsResponse, Status> {
        Ok(self.service.list_bookings(by(user, request)).await?.into_inner())
    }

    /// All of a user's bookings.
    pub async fn bookings(&self, user: &str) -> Vec<Booking> {
        let mut request = ListBookingsRequest { parent: "users/me".to_owned(), page_size: 100, ..Default::default() };
        let mut bookings = Vec::new();
        loop {
            let page = self.list(user, request.clone()).await.expect("a page of bookings");
            bookings.extend(page.bookings);
            if page.next_page_token.is_empty() {
                return bookings;
            }
            request.page_token = page.next_page_token;
        }
    }

    /// The user's booking of the case of that name.
    pub async fn booking(&self, user: &str, case: &str) -> Result<Booking, Status> {
        self.booking_at(user, case, 0).await
    }

    pub async fn booking_at(&self, user: &str, case: &str, min_version: i64) -> Result<Booking, Status> {
        let request = GetBookingRequest { name: booking_name("users/me", case), min_version };
        Ok(self.service.get_booking(by(user, request)).await?.into_inner())
    }

    pub async fn timeline(&self, user: &str, case: &str) -> Result<GetTimelineResponse, Status> {
        let request = GetTimelineRequest { name: booking_name("users/me", case) };
        Ok(self.service.get_timeline(by(user, request)).await?.into_inner())
    }

    pub async fn watch(
        &self,
        user: &str,
        position: &str,
    ) -> Result<Following<contracts::mypage::v1::WatchMyPageResponse>, Status> {
        let request = WatchMyPageRequest { name: "users/me/myPage".to_owned(), position: position.to_owned() };
        Ok(self.service.watch_my_page(by(user, request)).await?.into_inner())
    }
}

/// `users/{user}/bookings/{id of the case}`.
pub fn booking_name(user: &str, case: &str) -> String {
    let id = case.rsplit('/').next().unwrap_or_default();
    format!("{user}/bookings/{id}")
}

/// A request by a user who is guest and host.
pub fn by<T>(user: &str, message: T) -> Request<T> {
    by_roles(user, &[Role::Guest, Role::Host], Duration::from_secs(10), message)
}

pub fn by_roles<T>(user: &str, roles: &[Role], time: Duration, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Caller {
        principal: Principal::User { name: user.to_owned(), roles: roles.to_vec() },
        correlation_id: "a call".to_owned(),
        deadline: tokio::time::Instant::now() + time,
    });
    request
}

/// Why a call was refused.
pub fn reason(status: &Status) -> Option<Reason> {
    Refusal::from_status(status).map(|refusal| refusal.reason)
}
