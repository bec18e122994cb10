//! The kill points of payment.

use mesh::killpoint::KillPoint;

/// Payment has committed its intent; the provider has not been called.
pub const BEFORE_PROVIDER: KillPoint = KillPoint::named("before_provider");
/// The provider has answered; payment has not recorded the answer.
pub const AFTER_PROVIDER: KillPoint = KillPoint::named("after_provider");
/// The refund's intent is committed; the provider has not been called.
pub const BEFORE_REFUND: KillPoint = KillPoint::named("before_refund");
/// The provider has refunded; payment has not recorded it.
pub const AFTER_REFUND: KillPoint = KillPoint::named("after_refund");

/// All of them.
pub const ALL: [KillPoint; 4] = [BEFORE_PROVIDER, AFTER_PROVIDER, BEFORE_REFUND, AFTER_REFUND];
