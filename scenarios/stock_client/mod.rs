//! A stock grpcurl with reflection only, and no file of ours: what somebody sees who has nothing but an address.

pub mod grpcurl;
mod readme;
mod reflection;
mod refusals;
