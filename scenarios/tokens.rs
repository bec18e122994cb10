//! Tokens that must not open anything. Every one is made by hand, one step beside a good one, so that what refuses it is that step.

mod contexts;
mod forge;
mod people;

use tonic::Status;

use crate::support::{Person, rpcs::rpc, scene::Scene};

/// Calls what anybody with a token may call.
async fn knocks(person: &Person) -> Result<(), Status> {
    person.asks(rpc("ListRooms").name, &serde_json::json!({})).await.map(drop)
}

/// Asks for the payment of the scene's stay.
async fn asks_for_the_payment(scene: &Scene, token: &str) -> Result<(), Status> {
    let rpc = rpc("GetPayment");
    scene.inn.bearer_of(token).asks(rpc.name, &scene.request(rpc)).await.map(drop)
}
