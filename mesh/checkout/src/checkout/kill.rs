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

/// The intent is committed; the other context has not been asked for the hold.
pub const AFTER_INTENT: KillPoint = KillPoint::named("after_intent");
/// The other context has answered; T1 has not been committed.
pub const AFTER_RESERVE: KillPoint = KillPoint::named("after_reserve");

/// Those of every context with cases.
pub const ALL: [KillPoint; 5] = [AFTER_HOLD, BEFORE_PAY, BEFORE_SETTLE, AFTER_SETTLE, AFTER_CANCEL];

/// Those of a context whose units another context holds, besides.
pub const RESERVING: [KillPoint; 2] = [AFTER_INTENT, AFTER_RESERVE];
