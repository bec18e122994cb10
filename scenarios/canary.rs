//! What must never be taken in, and what must never be written down where it does not belong.

mod cards;
mod secrets;
