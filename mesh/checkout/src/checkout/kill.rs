//! Where a checkout may die.

use mesh_foundation::killpoint::KillPoint;

/// The hold is committed; nothing has been asked of payment.
pub const AFTER_HOLD: KillPoint = KillPoint::named("after_hold");
/// The next thing would have been the call to payment.
pub const BEFORE_PAY: KillPoint = KillPoint::named("before_pay");
/// Payment has answered; the case has not been settled.
pub const BEFORE_SETTLE: KillPoint = KillPoint::named("before_settle");
/// The case is settled and committed; nobody has been answered.
pub const AFTER_SETTLE: KillPoint = KillPoint::named("after_settle");
/// The cancellation is committed; nobody has been answered.
pub const AFTER_CANCEL: KillPoint = KillPoint::named("after_cancel");

/// All of them.
pub const ALL: [KillPoint; 5] = [AFTER_HOLD, BEFORE_PAY, BEFORE_SETTLE, AFTER_SETTLE, AFTER_CANCEL];
