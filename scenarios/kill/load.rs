//! Killed at no point in particular.
