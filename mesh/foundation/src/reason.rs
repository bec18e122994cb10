//! The reasons of refusals: one list for all contexts, so that no two reasons mean the same.

use tonic::Code;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $code:ident;)*) => {
        /// Why a call was refused. Stable: programs decide by it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The reason as it stands in `ErrorInfo.reason`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The gRPC code that goes with it.
            pub const fn code(self) -> Code {
                match self { $(Self::$name => Code::$code,)* }
            }

            /// The reason of that text.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }
        }
    };
}

reasons! {
    /// One or more fields are out of their bounds; `BadRequest` lists all of them.
    InvalidFields = "INVALID_FIELDS", InvalidArgument;
    /// A field holds what looks like a card number. Send a provider's token.
    CardNumberRefused = "CARD_NUMBER_REFUSED", InvalidArgument;
    /// Two amounts of one case are in two currencies.
    CurrencyMismatch = "CURRENCY_MISMATCH", InvalidArgument;
    /// A page token that this server did not make for this list.
    PageTokenInvalid = "PAGE_TOKEN_INVALID", InvalidArgument;
    /// No such room, or not the caller's to see.
    RoomNotFound = "ROOM_NOT_FOUND", NotFound;
    /// No such reservation, or not the caller's to see.
    ReservationNotFound = "RESERVATION_NOT_FOUND", NotFound;
    /// No such payment, or not the caller's to see.
    PaymentNotFound = "PAYMENT_NOT_FOUND", NotFound;
    /// No such refund.
    RefundNotFound = "REFUND_NOT_FOUND", NotFound;
    /// No such booking, or not the caller's to see.
    BookingNotFound = "BOOKING_NOT_FOUND", NotFound;
    /// No such user page, or not the caller's to see.
    PageNotFound = "PAGE_NOT_FOUND", NotFound;
    /// The provider knows no such charge.
    ChargeNotFound = "CHARGE_NOT_FOUND", NotFound;
    /// Fewer units are left than were asked for, on the night in the metadata.
    RoomUnavailable = "ROOM_UNAVAILABLE", FailedPrecondition;
    /// The room was removed.
    RoomDeleted = "ROOM_DELETED", FailedPrecondition;
    /// The room still has stays, and the caller asked not to touch them.
    RoomReserved = "ROOM_RESERVED", FailedPrecondition;
    /// The price is no longer the one that the caller expected.
    PriceChanged = "PRICE_CHANGED", FailedPrecondition;
    /// The payment was declined.
    PaymentDeclined = "PAYMENT_DECLINED", FailedPrecondition;
    /// The payment was voided before it was charged.
    PaymentVoided = "PAYMENT_VOIDED", FailedPrecondition;
    /// More would be refunded than was paid.
    RefundExceedsPayment = "REFUND_EXCEEDS_PAYMENT", FailedPrecondition;
    /// The resource is in a state that does not allow this.
    IllegalTransition = "ILLEGAL_TRANSITION", FailedPrecondition;
    /// It is too late to cancel.
    CancellationClosed = "CANCELLATION_CLOSED", FailedPrecondition;
    /// The guest has too many open holds.
    TooManyHolds = "TOO_MANY_HOLDS", FailedPrecondition;
    /// The request id was used for another request.
    RequestIdReused = "REQUEST_ID_REUSED", AlreadyExists;
    /// The host has another room of this number.
    RoomNumberTaken = "ROOM_NUMBER_TAKEN", AlreadyExists;
    /// The resource changed since the caller read it.
    EtagMismatch = "ETAG_MISMATCH", Aborted;
    /// The outcome of the payment is not known yet; it settles by itself.
    PaymentPending = "PAYMENT_PENDING", Aborted;
    /// The same request is being worked on.
    RequestInProgress = "REQUEST_IN_PROGRESS", Aborted;
    /// Payment was surely not asked: pay again shortly.
    PaymentUnavailable = "PAYMENT_UNAVAILABLE", ResourceExhausted;
    /// The server has reached its limit of calls in flight.
    Overloaded = "OVERLOADED", ResourceExhausted;
    /// The caller calls too often.
    RateLimited = "RATE_LIMITED", ResourceExhausted;
    /// Something this call needs cannot be reached.
    UpstreamUnavailable = "UPSTREAM_UNAVAILABLE", Unavailable;
    /// The server is not ready yet; another one will answer.
    Starting = "STARTING", Unavailable;
    /// The server is stopping; another one will answer.
    Draining = "DRAINING", Unavailable;
    /// The call did not finish within its deadline. If it had an effect, that settles by itself.
    DeadlineExceeded = "DEADLINE_EXCEEDED", DeadlineExceeded;
    /// The watch's position is from before a rebuild.
    PositionExpired = "POSITION_EXPIRED", OutOfRange;
    /// No token came with the call.
    TokenMissing = "TOKEN_MISSING", Unauthenticated;
    /// The token is not one that this server accepts.
    TokenInvalid = "TOKEN_INVALID", Unauthenticated;
    /// The token has expired.
    TokenExpired = "TOKEN_EXPIRED", Unauthenticated;
    /// The token's issuer cannot be asked for its keys right now, so the token cannot be verified: try again shortly.
    IssuerUnavailable = "ISSUER_UNAVAILABLE", ResourceExhausted;
    /// None of the token's roles permits this call.
    RoleRequired = "ROLE_REQUIRED", PermissionDenied;
    /// An internal error; the server's log has it under the correlation id.
    Internal = "INTERNAL", Internal;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(*reason));
        }
    }
}
