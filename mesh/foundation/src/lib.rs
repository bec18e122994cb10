//! The parts that every crate of the mesh may use, and that depend on none of them: errors and reasons, callers, texts, amounts, the
//! time, events, traces, instruments, and the background loops of a process.

#![warn(unreachable_pub)]

pub mod background;
pub mod booking_window;
pub mod call;
pub mod card_number;
pub mod clock;
pub mod driver;
pub mod error;
pub mod event;
pub mod failure;
pub mod fields;
pub mod findings;
pub mod in_transaction;
pub mod killpoint;
pub mod mask;
pub mod money;
pub mod output;
pub mod reason;
pub mod telemetry;
pub mod text;
pub mod trace;
pub mod types;
pub mod unicode;

pub use booking_window::BookingWindow;
pub use call::{Actor, Caller, Principal, Role};
pub use clock::Clock;
pub use error::{Error, Refusal};
pub use event::Event;
pub use reason::Reason;
