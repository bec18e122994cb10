//! The in-process half of Jumak's mesh: all that two bounded contexts share.
//!
//! A context brings its aggregate, its words and its tables. Everything that makes it a good citizen stands here, once:
//!
//! | module | folder of its crate | what it gives |
//! |---|---|---|
//! | [`server`] | server | the stack in front of a context: drain, deadline, identity, access, limits, card guard; health, reflection |
//! | [`client`] | transport | the stack behind every call to another context: retries, breaker, limit, timeout; over a socket or in process |
//! | [`auth`] | transport | tokens, keys, and the table of who may call what |
//! | [`db`], [`store`] | store | a context's own database on any engine, its transactions, and the tables that `mesh` keeps in it |
//! | [`event`], [`outbox`], [`relay`], [`bus`], [`consumer`], [`inbox`] | foundation, store, bus | committed with the state, published at least once, handled once in effect |
//! | [`requests`] | store | the same request id replays the first answer |
//! | [`checkout`] | checkout | hold, pay, confirm; or let go |
//! | [`booking_window`] | foundation | which nights of a room can be booked now |
//! | [`watch`] | store | a resource followed over a stream, from a position; a change waited for |
//! | [`call`], [`fields`], [`unicode`], [`money`], [`page`], [`error`] | foundation, store | who calls, a request's faults, texts, amounts, pages; from a refusal to a status |
//! | [`clock`], [`housekeeping`], [`killpoint`] | foundation, store | the time, what is forgotten after a while, where a test may kill a process |
//! | [`task_reports`] | store | what a process reports about its background tasks |
//! | [`config`], [`telemetry`], [`trace`], [`output`], [`text`], [`background`], [`context`] | runtime, foundation | how a process is put together, watched and stopped |
//!
//! What stands in a crate below is shown here under one name, so that a context depends on this crate alone. Dependencies only point
//! down: foundation; then store and transport; bus above the store, server above transport; checkout above all of these; this crate.

#![warn(unreachable_pub)]

pub mod config;
pub mod context;
pub mod telemetry;

pub use context::{Context, Deps, Descriptor};
pub use mesh_bus::{bus, consumer, hearing, relay};
pub use mesh_checkout::{case_table, checkout};
pub use mesh_foundation::{
    Actor, BookingWindow, Caller, Clock, Error, Event, Principal, Reason, Refusal, Role, background, booking_window,
    call, clock, driver, error, event, fields, killpoint, mask, money, output, reason, reasons, text, trace, types,
    unicode,
};
pub use mesh_server::server;
pub use mesh_store::{
    Database, Reach, Tx, db, housekeeping, inbox, outbox, page, reach, requests, store, task_reports, watch,
};
pub use mesh_transport::{auth, client, net, tls};
