//! The people of a story: users with a token, and clients that send the token with every call.

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

/// A connection that adds the caller's token to every call.
pub type AuthorizedChannel = InterceptedService<Channel, Bearer>;

/// The connections to each context.
#[derive(Clone, Debug)]
pub struct Channels {
    rooms: Channel,
    reservations: Channel,
    payments: Channel,
    my_page: Channel,
}

impl Channels {
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
impl From<Channel> for Channels {
    fn from(channel: Channel) -> Self {
        Self { rooms: channel.clone(), reservations: channel.clone(), payments: channel.clone(), my_page: channel }
    }
}

/// A user with a token.
#[derive(Clone, Debug)]
pub struct Person {
    channels: Channels,
    bearer: Bearer,
}

impl Person {
    /// The user with `token`.
    pub fn new(channels: impl Into<Channels>, token: &str) -> anyhow::Result<Self> {
        let mut value: AsciiMetadataValue = format!("Bearer {token}").parse()?;
        value.set_sensitive(true);
        Ok(Self { channels: channels.into(), bearer: Bearer(value) })
    }

    fn on(&self, channel: &Channel) -> AuthorizedChannel {
        InterceptedService::new(channel.clone(), self.bearer.clone())
    }

    /// Calls the room context.
    pub fn rooms(&self) -> RoomServiceClient<AuthorizedChannel> {
        RoomServiceClient::new(self.on(&self.channels.rooms))
    }

    /// Calls the reservation context.
    pub fn reservations(&self) -> ReservationServiceClient<AuthorizedChannel> {
        ReservationServiceClient::new(self.on(&self.channels.reservations))
    }

    /// Calls the payment context.
    pub fn payments(&self) -> PaymentServiceClient<AuthorizedChannel> {
        PaymentServiceClient::new(self.on(&self.channels.payments))
    }

    /// Calls my page.
    pub fn my_page(&self) -> MyPageServiceClient<AuthorizedChannel> {
        MyPageServiceClient::new(self.on(&self.channels.my_page))
    }
}

/// Adds a token to every call.
#[derive(Clone, Debug)]
pub struct Bearer(AsciiMetadataValue);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}
