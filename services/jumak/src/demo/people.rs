//! Who acts in a story: a person with a token, and the clients that send it along.

use contracts::{
    mypage::v1::my_page_service_client::MyPageServiceClient, payment::v1::payment_service_client::PaymentServiceClient,
    reservation::v1::reservation_service_client::ReservationServiceClient,
    room::v1::room_service_client::RoomServiceClient,
};
use tonic::{
    Request, Status,
    metadata::AsciiMetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

/// A connection on which every call carries its caller's token.
pub type Line = InterceptedService<Channel, Bearer>;

/// A person.
#[derive(Clone, Debug)]
pub struct Person(Line);

impl Person {
    /// The person with that token.
    pub fn new(channel: Channel, token: &str) -> anyhow::Result<Self> {
        let mut value: AsciiMetadataValue = format!("Bearer {token}").parse()?;
        value.set_sensitive(true);
        Ok(Self(InterceptedService::new(channel, Bearer(value))))
    }

    /// Calls the room context.
    pub fn rooms(&self) -> RoomServiceClient<Line> {
        RoomServiceClient::new(self.0.clone())
    }

    /// Calls the reservation context.
    pub fn reservations(&self) -> ReservationServiceClient<Line> {
        ReservationServiceClient::new(self.0.clone())
    }

    /// Calls the payment context.
    pub fn payments(&self) -> PaymentServiceClient<Line> {
        PaymentServiceClient::new(self.0.clone())
    }

    /// Calls my page.
    pub fn my_page(&self) -> MyPageServiceClient<Line> {
        MyPageServiceClient::new(self.0.clone())
    }
}

/// Puts a token on every call.
#[derive(Clone, Debug)]
pub struct Bearer(AsciiMetadataValue);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}
