//! What must never be written down.
