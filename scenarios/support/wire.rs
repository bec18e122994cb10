//! Calls any RPC by name with any bytes, also with messages that no generated client would send.

use prost::bytes::{Buf, BufMut, Bytes};
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value as Field,
    prost::Message,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use super::{Person, SETTLES};

/// The contracts.
pub fn contracts() -> &'static DescriptorPool {
    mesh::server::contracts().expect("the contracts")
}

/// Every RPC of the contracts with its full name, such as `jumak.room.v1.RoomService/CreateRoom`.
pub fn methods() -> Vec<(String, MethodDescriptor)> {
    let services = contracts().services().filter(|service| service.full_name().starts_with("jumak."));
    let methods = services.flat_map(|service| service.methods().collect::<Vec<_>>());
    methods.map(|method| (format!("{}/{}", method.parent_service().full_name(), method.name()), method)).collect()
}

/// The RPC with that full name.
pub fn method(rpc: &str) -> MethodDescriptor {
    methods().into_iter().find(|(name, _)| name == rpc).unwrap_or_else(|| panic!("there is no {rpc}")).1
}

/// The request of an RPC, from its JSON.
pub fn request(rpc: &str, json: &Value) -> DynamicMessage {
    DynamicMessage::deserialize(method(rpc).input(), json.clone())
        .unwrap_or_else(|error| panic!("{json} is not a request of {rpc}: {error}"))
}

/// The paths to all text fields in a message, each as the list of fields from the root. No message of the contracts is recursive, and none
/// has a map.
pub fn texts(message: &MessageDescriptor) -> Vec<Vec<FieldDescriptor>> {
    let below = |field: FieldDescriptor| match field.kind() {
        Kind::Message(inner) => {
            texts(&inner).into_iter().map(|way| [vec![field.clone()], way].concat()).collect::<Vec<_>>()
        }
        Kind::String => vec![vec![field]],
        _ => Vec::new(),
    };
    message.fields().flat_map(below).collect()
}

/// Sets the text field at the path `way`, or appends to it if it is repeated. Returns the path as a refusal would name it.
pub fn put_text(message: &mut DynamicMessage, way: &[FieldDescriptor], text: &str) -> String {
    let (field, rest) = way.split_first().expect("a way has an end");
    let mut path = field.name().to_owned();
    let mut items = match message.get_field(field).into_owned() {
        Field::List(items) => items,
        single if message.has_field(field) => vec![single],
        _ => Vec::new(),
    };
    if field.is_list() {
        path.push_str(&format!("[{}]", items.len()));
        items.push(Field::default_value(&field.kind()));
    } else if items.is_empty() {
        items.push(Field::default_value_for_field(field));
    }
    match items.last_mut().expect("there is one") {
        Field::Message(inner) => path.push_str(&format!(".{}", put_text(inner, rest, text))),
        leaf => *leaf = Field::String(text.to_owned()),
    }
    let value = if field.is_list() { Field::List(items) } else { items.remove(0) };
    message.set_field(field, value);
    path
}

impl Person {
    /// Calls `rpc` with these bytes, and returns the first message of the answer.
    pub async fn sends(&self, rpc: &str, message: impl Into<Bytes>) -> Result<Bytes, Status> {
        let path = format!("/{rpc}").parse().expect("a path");
        let mut client = Grpc::new(self.wire());
        client.ready().await.expect("a connection");
        // One answer is a stream of one: a watch, which never ends, is read to its first message in the same way.
        let first = async {
            let mut answer = client.server_streaming(Request::new(message.into()), path, Raw).await?.into_inner();
            Ok(answer.message().await?.expect("an answer without an error has a message"))
        };
        tokio::time::timeout(SETTLES, first).await.unwrap_or_else(|_| panic!("{rpc} says nothing"))
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

/// A codec that passes encoded messages through.
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
