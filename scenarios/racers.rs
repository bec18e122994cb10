//! A thousand clients at once.
