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

pub use jumak::r#type as types;
pub use jumak::{mypage, payment, provider, reservation, room};

/// All the files under `proto/` and what they import, as an encoded
/// `google.protobuf.FileDescriptorSet` with comments and options.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The packages `jumak.*`, nested as in proto because the generated code refers to them by path.
mod jumak {
    /// Sells stays, and owns the truth about what is sold.
    pub mod reservation {
        /// The package `jumak.reservation.v1`.
        #[allow(missing_docs, clippy::all, reason = "generated")]
        pub mod v1 {
            tonic::include_proto!("jumak.reservation.v1");
        }
    }
    /// Lets hosts register rooms, and guests search them.
    pub mod room {
        /// The package `jumak.room.v1`.
        #[allow(missing_docs, clippy::all, reason = "generated")]
        pub mod v1 {
            tonic::include_proto!("jumak.room.v1");
        }
    }
    /// Takes money, gives it back, and keeps the ledger.
    pub mod payment {
        /// The package `jumak.payment.v1`.
        #[allow(missing_docs, clippy::all, reason = "generated")]
        pub mod v1 {
            tonic::include_proto!("jumak.payment.v1");
        }
    }
    /// Shows users what concerns them.
    pub mod mypage {
        /// The package `jumak.mypage.v1`.
        #[allow(missing_docs, clippy::all, reason = "generated")]
        pub mod v1 {
            tonic::include_proto!("jumak.mypage.v1");
        }
    }
    /// Stands in for a payment provider.
    pub mod provider {
        /// The package `jumak.provider.v1`.
        #[allow(missing_docs, clippy::all, reason = "generated")]
        pub mod v1 {
            tonic::include_proto!("jumak.provider.v1");
        }
    }
    /// What the contexts' contracts share.
    pub mod r#type {
        /// The package `jumak.type.v1`.
        #[allow(missing_docs, clippy::all, reason = "generated")]
        pub mod v1 {
            tonic::include_proto!("jumak.r#type.v1");
        }
    }
}

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
