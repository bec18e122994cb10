//! Who acts in a story: a person with a token, and the clients that send it along.

use contracts::{
    mypage::v1::my_page_service_client::MyPageServiceClient, payment::v1::payment_service_client::PaymentServiceClient,
    reservation::v1::reservation_service_client::ReservationServiceClient,
    room::v1::room_service_client::RoomServiceClient,
};
use mesh::config::Config;
use tonic::{
    Request, Status,
    metadata::AsciiMetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

use crate::{cli::target, house::Member};

/// A connection on which every call carries its caller's token.
pub type Line = InterceptedService<Channel, Bearer>;

/// Where each context is called.
#[derive(Clone, Debug)]
pub struct Lines {
    rooms: Channel,
    reservations: Channel,
    payments: Channel,
    my_page: Channel,
}

impl Lines {
    /// Connections to the contexts of the mesh that `config` describes.
    pub async fn of_mesh(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            rooms: target::connect(config, Member::ROOM).await?,
            reservations: target::connect(config, Member::RESERVATION).await?,
            payments: target::connect(config, Member::PAYMENT).await?,
            my_page: target::connect(config, Member::MYPAGE).await?,
        })
    }
}

/// One process serves all of them.
impl From<Channel> for Lines {
    fn from(channel: Channel) -> Self {
        Self { rooms: channel.clone(), reservations: channel.clone(), payments: channel.clone(), my_page: channel }
    }
}

/// A person.
#[derive(Clone, Debug)]
pub struct Person {
    lines: Lines,
    bearer: Bearer,
}

impl Person {
    /// The person with that token.
    pub fn new(lines: impl Into<Lines>, token: &str) -> anyhow::Result<Self> {
        let mut value: AsciiMetadataValue = format!("Bearer {token}").parse()?;
        value.set_sensitive(true);
        Ok(Self { lines: lines.into(), bearer: Bearer(value) })
    }

    fn on(&self, channel: &Channel) -> Line {
        InterceptedService::new(channel.clone(), self.bearer.clone())
    }

    /// Calls the room context.
    pub fn rooms(&self) -> RoomServiceClient<Line> {
        RoomServiceClient::new(self.on(&self.lines.rooms))
    }

    /// Calls the reservation context.
    pub fn reservations(&self) -> ReservationServiceClient<Line> {
        ReservationServiceClient::new(self.on(&self.lines.reservations))
    }

    /// Calls the payment context.
    pub fn payments(&self) -> PaymentServiceClient<Line> {
        PaymentServiceClient::new(self.on(&self.lines.payments))
    }

    /// Calls my page.
    pub fn my_page(&self) -> MyPageServiceClient<Line> {
        MyPageServiceClient::new(self.on(&self.lines.my_page))
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
