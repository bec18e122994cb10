//! The inbound adapter: request → use case → response.

mod read;
mod spelling;

use contracts::reservation::v1::{
    CancelReservationRequest, CreateReservationRequest, GetReservationRequest, ListReservationsRequest,
    ListReservationsResponse, PayReservationRequest, QuoteReservationRequest, QuoteReservationResponse, Reservation,
    WatchReservationRequest, WatchReservationResponse, reservation_service_server::ReservationService,
};
use mesh::{
    Caller, Database,
    background::Background,
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
    domain::{self, COLLECTION},
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
            price: Some((&quote.price).into()),
            cancellation_policy: Some((&quote.policy).into()),
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
        let (app, scope) = (self.app.clone(), scope(&caller));
        let WatchReservationRequest { name, position } = message;
        let read = move || {
            let (app, scope, name) = (app.clone(), scope.clone(), name.clone());
            async move { app.get(&name, &scope).await }
        };
        let tell = |found: &domain::Reservation, position| WatchReservationResponse {
            reservation: Some(convert::resource(found)),
            position,
        };
        let version = |found: &domain::Reservation| found.record.version;
        let stream = watch::newest(&self.database, &self.background, &position, read, version, tell).await?;
        Ok(Response::new(stream))
    }
}
