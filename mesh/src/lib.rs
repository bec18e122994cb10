//! The in-process half of Jumak's mesh: all that two bounded contexts share.
//!
//! A context brings its aggregate, its words and its tables. Everything that makes it a good citizen stands here, once:
//!
//! | module | what it gives |
//! |---|---|
//! | [`server`] | the stack in front of a context: drain, deadline, identity, access, limits, card guard; health, reflection |
//! | [`client`] | the stack behind every call to another context: retries, breaker, limit, timeout; over a socket or in process |
//! | [`auth`] | tokens, keys, and the table of who may call what |
//! | [`db`], [`store`] | a context's own database on any engine, its transactions, and the tables that `mesh` keeps in it |
//! | [`event`], [`hearing`], [`outbox`], [`relay`], [`bus`], [`consumer`], [`inbox`] | committed with the state, published at least once, handled once in effect |
//! | [`requests`] | the same request id replays the first answer |
//! | [`checkout`] | hold, pay, confirm; or let go |
//! | [`booking_window`] | which nights of a room can be booked now |
//! | [`watch`] | a resource followed over a stream, from a position; a change waited for |
//! | [`single_flight`] | callers who want the same thing at the same time share one piece of work |
//! | [`call`], [`reach`], [`fields`], [`mask`], [`unicode`], [`money`], [`types`], [`page`], [`error`] | who calls, what they see, a request's faults, texts, amounts, pages; from a refusal to a status |
//! | [`clock`], [`housekeeping`], [`killpoint`] | the time, what is forgotten after a while, where a test may kill a process |
//! | [`driver`], [`background`] | the work that a context does by itself, and how it stops |
//! | [`config`], [`telemetry`], [`trace`], [`output`], [`text`], [`context`] | how a process is put together, watched and stopped |

pub mod auth;
pub mod background;
pub mod booking_window;
pub mod bus;
pub mod call;
mod card_number;
pub mod checkout;
pub mod client;
pub mod clock;
pub mod config;
pub mod consumer;
pub mod context;
pub mod db;
pub mod driver;
pub mod error;
pub mod event;
pub mod fields;
pub mod hearing;
pub mod housekeeping;
pub mod inbox;
pub mod killpoint;
pub mod mask;
pub mod money;
pub mod net;
pub mod outbox;
pub mod output;
pub mod page;
pub mod reach;
pub mod relay;
pub mod requests;
pub mod server;
pub mod single_flight;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod tls;
pub mod trace;
pub mod types;
pub mod unicode;
pub mod watch;

pub use booking_window::BookingWindow;
pub use call::{Actor, Caller, Principal, Role};
pub use clock::Clock;
pub use context::{Context, Deps};
pub use db::{Database, Tx};
pub use error::{Error, Reason, Refusal};
pub use event::Event;
pub use reach::Reach;
