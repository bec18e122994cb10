//! The simulated payment provider: a party of its own.
