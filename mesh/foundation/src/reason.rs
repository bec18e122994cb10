//! Why a call is refused: a name that never changes, and the gRPC code that goes with it.
//!
//! The reasons that the layers of the mesh answer are here. Those of the checkout and of the contexts stand where they belong, each list
//! in a module `reasons` that is written with [`reasons!`](crate::reasons). Whoever has all contexts before them compares the lists.

use std::{
    borrow::Cow,
    hash::{Hash, Hasher},
};

pub use tonic::Code;

/// The longest name, as the documentation of `ErrorInfo` demands.
const MAX_NAME_BYTES: usize = 63;

/// Why a call was refused. Programs decide by its name, so two reasons of one name are the same reason.
#[derive(Clone, Debug)]
pub struct Reason {
    name: Cow<'static, str>,
    code: Code,
}

impl Reason {
    /// The reason of that name, in SCREAMING_SNAKE_CASE, which is answered with `code`.
    pub const fn new(name: &'static str, code: Code) -> Self {
        Self { name: Cow::Borrowed(name), code }
    }

    /// A reason off the wire. It may be one that nothing in this process defines; none if it is not written as a reason is.
    pub fn read(name: &str, code: Code) -> Option<Self> {
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit())
        };
        let is_name = name.len() <= MAX_NAME_BYTES && name.split('_').all(is_part);
        (is_name && code != Code::Ok).then(|| Self { name: Cow::Owned(name.to_owned()), code })
    }

    /// The reason as it stands in `ErrorInfo.reason`.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The gRPC code that goes with it; for a reason off the wire, the one that came with it.
    pub const fn code(&self) -> Code {
        self.code
    }
}

impl PartialEq for Reason {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Reason {}

impl Hash for Reason {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// Defines reasons: a constant for each, which is its name on the wire, and a list of all of them. First the name of the list, then the
/// reasons with their gRPC codes.
///
/// ```
/// mod reasons {
///     mesh_foundation::reasons! {
///         ALL;
///         /// The shop is closed.
///         SHOP_CLOSED: FailedPrecondition;
///     }
/// }
/// assert_eq!(reasons::SHOP_CLOSED.as_str(), "SHOP_CLOSED");
/// assert_eq!(reasons::ALL, [reasons::SHOP_CLOSED]);
/// ```
#[macro_export]
macro_rules! reasons {
    ($list:ident; $($(#[$doc:meta])* $name:ident: $code:ident;)*) => {
        $(
            $(#[$doc])*
            pub const $name: $crate::reason::Reason =
                $crate::reason::Reason::new(stringify!($name), $crate::reason::Code::$code);
        )*

        /// All that are defined here.
        pub const $list: &[$crate::reason::Reason] =
            &[$($crate::reason::Reason::new(stringify!($name), $crate::reason::Code::$code)),*];
    };
}

/// The reasons of the mesh's own layers, and those of any context that has states, amounts or requests.
impl Reason {
    reasons! {
        OF_THE_MESH;
        /// One or more fields are out of their bounds; `BadRequest` lists all of them.
        INVALID_FIELDS: InvalidArgument;
        /// A field holds what looks like a card number. Send a provider's token.
        CARD_NUMBER_REFUSED: InvalidArgument;
        /// Two amounts of one case are in two currencies.
        CURRENCY_MISMATCH: InvalidArgument;
        /// A page token that this server did not make for this list.
        PAGE_TOKEN_INVALID: InvalidArgument;
        /// The resource is in a state that does not allow this.
        ILLEGAL_TRANSITION: FailedPrecondition;
        /// The request id was used for another request.
        REQUEST_ID_REUSED: AlreadyExists;
        /// The same request is being worked on.
        REQUEST_IN_PROGRESS: Aborted;
        /// The server has reached its limit of calls in flight.
        OVERLOADED: ResourceExhausted;
        /// The caller calls too often.
        RATE_LIMITED: ResourceExhausted;
        /// Something this call needs cannot be reached.
        UPSTREAM_UNAVAILABLE: Unavailable;
        /// The server is not ready yet; another one will answer.
        STARTING: Unavailable;
        /// The server is stopping; another one will answer.
        DRAINING: Unavailable;
        /// The call did not finish within its deadline. If it had an effect, that settles by itself.
        DEADLINE_EXCEEDED: DeadlineExceeded;
        /// The watch's position is from before a rebuild.
        POSITION_EXPIRED: OutOfRange;
        /// No token came with the call.
        TOKEN_MISSING: Unauthenticated;
        /// The token is not one that this server accepts.
        TOKEN_INVALID: Unauthenticated;
        /// The token has expired.
        TOKEN_EXPIRED: Unauthenticated;
        /// The token's issuer cannot be asked for its keys right now, so the token cannot be verified: try again shortly.
        ISSUER_UNAVAILABLE: ResourceExhausted;
        /// None of the token's roles permits this call.
        ROLE_REQUIRED: PermissionDenied;
        /// An internal error; the server's log has it under the correlation id.
        INTERNAL: Internal;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_is_not_defined_here_is_read_as_it_was_sent() {
        let read = Reason::read("SHOP_CLOSED", Code::FailedPrecondition).unwrap();
        assert_eq!((read.as_str(), read.code()), ("SHOP_CLOSED", Code::FailedPrecondition));
        assert_ne!(read, Reason::INTERNAL);
    }

    #[test]
    fn every_reason_reads_back() {
        for reason in Reason::OF_THE_MESH {
            assert_eq!(Reason::read(reason.as_str(), reason.code()).as_ref(), Some(reason));
        }
    }

    #[test]
    fn what_is_not_written_as_a_reason_is_none() {
        let too_long = "A".repeat(64);
        for name in
            ["", "closed", "Closed", "SHOP CLOSED", "SHOP__CLOSED", "_CLOSED", "CLOSED_", "\u{1b}[2J", &too_long]
        {
            assert_eq!(Reason::read(name, Code::Internal), None, "{name:?}");
        }
        assert_eq!(Reason::read("SHOP_CLOSED", Code::Ok), None, "nothing was refused");
    }
}
