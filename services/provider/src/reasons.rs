//! The reasons for which the provider refuses a call.

mesh::reasons! {
    ALL;
    /// The provider knows no such charge.
    CHARGE_NOT_FOUND: NotFound;
}

mesh::reasons! {
    OF_OTHERS;
    /// Payment's: there is no such refund.
    REFUND_NOT_FOUND: NotFound;
    /// Payment's: more would be refunded than was paid.
    REFUND_EXCEEDS_PAYMENT: FailedPrecondition;
}
