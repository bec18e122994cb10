//! The reasons for which payment refuses a call.

mesh::reasons! {
    ALL;
    /// No such payment, or not the caller's to see.
    PAYMENT_NOT_FOUND: NotFound;
    /// The payment was voided before it was charged.
    PAYMENT_VOIDED: FailedPrecondition;
    /// The provider was surely not asked: pay again shortly.
    PAYMENT_UNAVAILABLE: ResourceExhausted;
    /// No such refund.
    REFUND_NOT_FOUND: NotFound;
    /// More would be refunded than was paid.
    REFUND_EXCEEDS_PAYMENT: FailedPrecondition;
}

mesh::reasons! {
    OF_OTHERS;
    /// The provider's: it knows no such charge.
    CHARGE_NOT_FOUND: NotFound;
}
