//! The reasons for which a checkout refuses a call, in whichever context it is.

mesh_foundation::reasons! {
    ALL;
    /// The payment was declined.
    PAYMENT_DECLINED: FailedPrecondition;
    /// The outcome of the payment is not known yet; it settles by itself.
    PAYMENT_PENDING: Aborted;
    /// The guest has too many open holds.
    TOO_MANY_HOLDS: FailedPrecondition;
    /// It is too late to cancel.
    CANCELLATION_CLOSED: FailedPrecondition;
}

mesh_foundation::reasons! {
    OF_OTHERS;
    /// Payment's: there is no such payment.
    PAYMENT_NOT_FOUND: NotFound;
    /// Payment's: the payment was voided before it was charged.
    PAYMENT_VOIDED: FailedPrecondition;
    /// Payment's: nothing was charged, pay again shortly.
    PAYMENT_UNAVAILABLE: ResourceExhausted;
}
