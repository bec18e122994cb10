//! The context as its callers see it.
