//! Any RPC by its name, with whatever bytes: also what no generated client would send.

use prost::bytes::{Buf, BufMut, Bytes};
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, prost::Message};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use super::Person;

/// The contracts.
pub fn contracts() -> &'static DescriptorPool {
    mesh::server::contracts().expect("the contracts")
}

/// Every RPC of the contracts, by its full name as in `jumak.room.v1.RoomService/CreateRoom`.
pub fn methods() -> Vec<(String, MethodDescriptor)> {
    let services = contracts().services().filter(|service| service.full_name().starts_with("jumak."));
    let methods = services.flat_map(|service| service.methods().collect::<Vec<_>>());
    methods.map(|method| (format!("{}/{}", method.parent_service().full_name(), method.name()), method)).collect()
}

/// The RPC of that full name.
pub fn method(rpc: &str) -> MethodDescriptor {
    methods().into_iter().find(|(name, _)| name == rpc).unwrap_or_else(|| panic!("there is no {rpc}")).1
}

/// The request of an RPC, from its JSON.
pub fn request(rpc: &str, json: &Value) -> DynamicMessage {
    DynamicMessage::deserialize(method(rpc).input(), json.clone())
        .unwrap_or_else(|error| panic!("{json} is no request of {rpc}: {error}"))
}

impl Person {
    /// Calls `rpc` with these bytes, and returns the first message of the answer.
    pub async fn sends(&self, rpc: &str, message: impl Into<Bytes>) -> Result<Bytes, Status> {
        let path = format!("/{rpc}").parse().expect("a path");
        let mut client = Grpc::new(self.wire());
        client.ready().await.expect("a connection");
        // One answer is a stream of one: a watch, which never ends, is read to its first message in the same way.
        let mut answer = client.server_streaming(Request::new(message.into()), path, Raw).await?.into_inner();
        Ok(answer.message().await?.expect("an answer without an error has a message"))
    }

    /// Calls `rpc` with what the JSON says, and returns the answer as JSON.
    pub async fn asks(&self, rpc: &str, json: &Value) -> Result<Value, Status> {
        let answer = self.sends(rpc, request(rpc, json).encode_to_vec()).await?;
        let answer = DynamicMessage::decode(method(rpc).output(), answer).expect("the answer that the contract says");
        Ok(serde_json::to_value(&answer).expect("JSON"))
    }
}

/// A part of a JSON answer.
pub fn part<T: DeserializeOwned>(answer: &Value, pointer: &str) -> T {
    let part = answer.pointer(pointer).unwrap_or_else(|| panic!("{answer} has no {pointer}"));
    serde_json::from_value(part.clone()).expect("another kind of value")
}

/// Messages as they are on the wire.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
