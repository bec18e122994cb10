//! Requests that are refused, whole and at once.
