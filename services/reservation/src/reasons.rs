//! The reasons for which reservation refuses a call.

mesh::reasons! {
    ALL;
    /// No such reservation, or not the caller's to see.
    RESERVATION_NOT_FOUND: NotFound;
    /// Fewer units are left than were asked for, on the night in the metadata.
    ROOM_UNAVAILABLE: FailedPrecondition;
    /// The price is no longer the one that the caller expected.
    PRICE_CHANGED: FailedPrecondition;
}

mesh::reasons! {
    OF_OTHERS;
    /// Room's: there is no such room.
    ROOM_NOT_FOUND: NotFound;
    /// Room's: the room was removed.
    ROOM_DELETED: FailedPrecondition;
}
