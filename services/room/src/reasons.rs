//! The reasons for which room refuses a call.

mesh::reasons! {
    ALL;
    /// No such room, or not the caller's to see.
    ROOM_NOT_FOUND: NotFound;
    /// The room was removed.
    ROOM_DELETED: FailedPrecondition;
    /// The room still has stays, and the caller asked not to touch them.
    ROOM_RESERVED: FailedPrecondition;
    /// The host has another room of this number.
    ROOM_NUMBER_TAKEN: AlreadyExists;
    /// The resource changed since the caller read it.
    ETAG_MISMATCH: Aborted;
}
