//! One transport for generated clients that routes each call to the context that serves it.

use std::{
    collections::BTreeMap,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{TryFutureExt, future::BoxFuture};
use mesh::client::Upstream;
use tonic::{body::Body, transport::Channel};
use tower::{BoxError, Service, ServiceExt};

/// Routes each call to the context in its path.
#[derive(Clone)]
pub enum Switchboard {
    /// All contexts have one address.
    One(Channel),
    /// Each context has its own address, by name.
    Each(Arc<BTreeMap<&'static str, Channel>>),
    /// Each context is called through Jumak's client stack, with all its replicas.
    Stacks(Arc<BTreeMap<&'static str, Upstream>>),
}

impl From<Channel> for Switchboard {
    fn from(channel: Channel) -> Self {
        Self::One(channel)
    }
}

/// The entry of the context that `path` names, such as `/jumak.room.v1.RoomService/CreateRoom`.
fn named<T: Clone>(each: &BTreeMap<&'static str, T>, path: &str) -> T {
    let context = path.split('.').nth(1).unwrap_or_default();
    // Any context must refuse a call that no context serves.
    each.get(context).or_else(|| each.values().next()).expect("contexts").clone()
}

impl Service<http::Request<Body>> for Switchboard {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        match self {
            Self::One(channel) => Box::pin(channel.clone().oneshot(request).map_err(BoxError::from)),
            Self::Each(channels) => Box::pin(named(channels, &path).oneshot(request).map_err(BoxError::from)),
            Self::Stacks(stacks) => Box::pin(named(stacks, &path).oneshot(request).map_err(BoxError::from)),
        }
    }
}
