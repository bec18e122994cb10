//! The inbound adapter: a request becomes a use case, its outcome a response.

mod read;
mod spelling;

use contracts::reservation::v1::{
    CancelReservationRequest, CreateReservationRequest, GetReservationRequest, ListReservationsRequest,
    ListReservationsResponse, PayReservationRequest, QuoteReservationRequest, QuoteReservationResponse, Reservation,
    WatchReservationRequest, WatchReservationResponse, reservation_service_server::ReservationService,
};
use mesh::{
    Caller, Database, Error, Reason, Refusal,
    background::Background,
    checkout::Case,
    clock::to_proto,
    fields::read_name,
    page::PageTokens,
    requests::Request as Recorded,
    watch::{self, Following},
};
use tonic::{Request, Response, Status};

use crate::{
    app::{App, scope},
    convert,
    domain::COLLECTION,
};

/// The service.
pub struct Service {
    app: App,
    pages: PageTokens,
    database: Database,
    background: Background,
}

impl Service {
    /// The service over its use cases.
    pub fn new(app: App, pages: PageTokens, database: Database, background: Background) -> Self {
        Self { app, pages, database, background }
    }
}

#[tonic::async_trait]
impl ReservationService for Service {
    type WatchReservationStream = Following<WatchReservationResponse>;

    async fn quote_reservation(
        &self,
        request: Request<QuoteReservationRequest>,
    ) -> Result<Response<QuoteReservationResponse>, Status> {
        let caller = Caller::of(&request)?;
        let wish = read::quote(request.get_ref())?;
        let quote = self.app.quote(wish, &caller).await?;
        Ok(Response::new(QuoteReservationResponse {
            price: Some(convert::price_message(&quote.price)),
            cancellation_policy: Some(convert::policy_message(&quote.policy)),
            refundable_until: quote.refundable_until.map(to_proto),
            units_left: Some(quote.units_left),
            as_of_time: Some(to_proto(quote.as_of)),
        }))
    }

    async fn create_reservation(
        &self,
        request: Request<CreateReservationRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let caller = Caller::of(&request)?;
        let message = request.into_inner();
        let asked = read::create(&message)?;
        let recorded = Recorded::new(&caller, "CreateReservation", &message.request_id, &spelling::create(&asked));
        self.app
            .create(asked.wish, asked.details, asked.expected_total, asked.token, recorded, &caller)
            .await?
            .into_response()
    }

    async fn pay_reservation(&self, request: Request<PayReservationRequest>) -> Result<Response<Reservation>, Status> {
        let caller = Caller::of(&request)?;
        let message = request.into_inner();
        let token = read::pay(&message)?;
        let recorded =
            Recorded::new(&caller, "PayReservation", &message.request_id, &spelling::pay(&message.name, &token));
        self.app.pay(&message.name, token, recorded, &caller).await?.into_response()
    }

    async fn get_reservation(&self, request: Request<GetReservationRequest>) -> Result<Response<Reservation>, Status> {
        let caller = Caller::of(&request)?;
        let name = &request.get_ref().name;
        read_name("name", name, COLLECTION)?;
        let reservation = self.app.get(name, &scope(&caller)).await?;
        Ok(Response::new(convert::resource(&reservation)))
    }

    async fn list_reservations(
        &self,
        request: Request<ListReservationsRequest>,
    ) -> Result<Response<ListReservationsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let message = request.into_inner();
        let filter = read::list(&message, &caller)?;
        let list = filter.list();
        let list: Vec<_> = list.iter().map(String::as_str).collect();
        let page = self.pages.open(&list, &message.page_token, message.page_size)?;
        let mut found = self.app.list(&filter, &page).await?;
        let next_page_token = self.pages.close(&page, &mut found, |reservation| reservation.id);
        let reservations = found.iter().map(convert::resource).collect();
        Ok(Response::new(ListReservationsResponse { reservations, next_page_token }))
    }

    async fn cancel_reservation(
        &self,
        request: Request<CancelReservationRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let caller = Caller::of(&request)?;
        let message = request.into_inner();
        let cause = read::cancel(&message)?;
        let asked = spelling::cancel(&message.name, &message.reason, message.cause());
        let recorded = Recorded::new(&caller, "CancelReservation", &message.request_id, &asked);
        self.app.cancel(&message.name, cause, &message.reason, recorded, &caller).await?.into_response()
    }

    async fn watch_reservation(
        &self,
        request: Request<WatchReservationRequest>,
    ) -> Result<Response<Self::WatchReservationStream>, Status> {
        let caller = Caller::of(&request)?;
        let message = request.into_inner();
        read_name("name", &message.name, COLLECTION)?;
        let scope = scope(&caller);
        // The position is the version last sent: a reservation has no history to miss, only a newest state.
        let mut sent = read_position(&message.position)?;
        let first = self.app.get(&message.name, &scope).await?;
        if sent.is_some_and(|sent| sent > first.record().version) {
            return Err(position_expired().into());
        }
        let app = self.app.clone();
        let stream = watch::follow(&self.database, &self.background, move |after: Option<i64>| {
            let (app, scope, name) = (app.clone(), scope.clone(), message.name.clone());
            let after = after.or(sent.take());
            async move {
                let reservation = app.get(&name, &scope).await?;
                let version = reservation.record().version;
                let news = after.is_none_or(|after| version > after).then(|| WatchReservationResponse {
                    reservation: Some(convert::resource(&reservation)),
                    position: format!("v{version}"),
                });
                Ok((Some(version), news.into_iter().collect()))
            }
        });
        Ok(Response::new(stream))
    }
}

fn read_position(position: &str) -> Result<Option<i64>, Error> {
    if position.is_empty() {
        return Ok(None);
    }
    match position.strip_prefix('v').and_then(|version| version.parse().ok()) {
        Some(version) => Ok(Some(version)),
        None => Err(position_expired()),
    }
}

fn position_expired() -> Error {
    Refusal::new(Reason::PositionExpired, "the position is not one of this reservation's")
        .hint("watch without a position: the current state comes first")
        .into()
}
