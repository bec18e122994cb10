//! Confines a panic of a handler to its own call.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use mesh_foundation::error::Error;

use super::{
    body::contain,
    layer::{Around, Call, Reply, Rest, refuse},
};

/// Answers INTERNAL for a handler that panics. The panic itself, with its place, is on standard error by then.
#[derive(Clone)]
pub(super) struct PanicGuard;

impl Around for PanicGuard {
    async fn around(&self, call: Call, rest: &impl Rest) -> Reply {
        let streams = call.method.streams;
        // Unwind safe, because handlers share only state behind locks and in the database, and a dropped transaction is rolled
        // back.
        match AssertUnwindSafe(rest.answer(call)).catch_unwind().await {
            Ok(reply) if streams => contain(reply),
            Ok(reply) => reply,
            Err(_) => refuse(Error::Internal("a handler panicked".to_owned())),
        }
    }
}
