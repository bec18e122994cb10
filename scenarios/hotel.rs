//! Rows A: the hotel.
