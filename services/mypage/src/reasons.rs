//! The reasons for which my page refuses a call.

mesh::reasons! {
    ALL;
    /// No such booking, or not the caller's to see.
    BOOKING_NOT_FOUND: NotFound;
    /// No such user page, or not the caller's to see.
    PAGE_NOT_FOUND: NotFound;
}
