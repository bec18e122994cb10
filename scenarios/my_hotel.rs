//! Rows M: my hotel.
