//! Jumak's gRPC contracts: one module per proto package, and the descriptor set. Nothing else lives
//! here.
//!
//! A package `jumak.room.v1` is [`contracts::room::v1`](room::v1), with its messages, and its client
//! and server in modules of their own (`room_service_client`, `room_service_server`). One is called
//! otherwise than its package, whose name is a Rust keyword: `jumak.type.v1` is [`types::v1`].
//!
//! The proto files are the manual; their comments are the documentation of the types here, and
//! reflection serves them from [`FILE_DESCRIPTOR_SET`]. Every message implements [`prost::Name`],
//! whose full name is the type of an event on the bus.

// `mod jumak` with a module for each package, and what of it stands here: `build.rs` writes it, from the folders under `proto/jumak`.
include!(concat!(env!("OUT_DIR"), "/packages.rs"));

/// All the files under `proto/` and what they import, as an encoded
/// `google.protobuf.FileDescriptorSet` with comments and options.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Google's packages that the contracts use.
pub mod google {
    /// The package `google.api`: the annotations.
    #[allow(missing_docs, clippy::all, reason = "generated")]
    pub mod api {
        tonic::include_proto!("google.api");
    }
    /// The package `google.rpc`: statuses and their details.
    #[allow(missing_docs, clippy::all, reason = "generated")]
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
    /// The package `google.type`: money and places.
    #[allow(missing_docs, clippy::all, reason = "generated")]
    pub mod r#type {
        tonic::include_proto!("google.r#type");
    }
}
