//! Named places at which a test build can be told to die, as if the power had gone.
//!
//! `JUMAK_KILL_POINT=after_hold` kills the process the first time that point is reached; `after_hold:3` the third time. In a
//! release build the points are empty.

#[cfg(debug_assertions)]
use std::sync::{
    LazyLock,
    atomic::{AtomicU32, Ordering},
};

/// Where a process may die. The names are those of the lifecycle's kill points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillPoint {
    /// The hold is committed; nothing has been asked of payment.
    AfterHold,
    /// The next thing would have been the call to payment.
    BeforePay,
    /// Payment has committed its intent; the provider has not been called.
    BeforeProvider,
    /// The provider has answered; payment has not written it down.
    AfterProvider,
    /// Payment has answered; the case has not been settled.
    BeforeSettle,
    /// The case is settled and committed; nobody has been answered.
    AfterSettle,
    /// The cancellation is committed; nobody has been answered.
    AfterCancel,
    /// The refund's intent is committed; the provider has not been called.
    BeforeRefund,
    /// The provider has refunded; payment has not written it down.
    AfterRefund,
    /// The broker has stored the batch; the outbox has not been marked.
    AfterPublish,
    /// A consumer's effects are committed; the broker has not been told.
    BeforeAck,
}

impl KillPoint {
    /// Every kill point.
    pub const ALL: [Self; 11] = [
        Self::AfterHold,
        Self::BeforePay,
        Self::BeforeProvider,
        Self::AfterProvider,
        Self::BeforeSettle,
        Self::AfterSettle,
        Self::AfterCancel,
        Self::BeforeRefund,
        Self::AfterRefund,
        Self::AfterPublish,
        Self::BeforeAck,
    ];

    /// The name by which the environment asks for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AfterHold => "after_hold",
            Self::BeforePay => "before_pay",
            Self::BeforeProvider => "before_provider",
            Self::AfterProvider => "after_provider",
            Self::BeforeSettle => "before_settle",
            Self::AfterSettle => "after_settle",
            Self::AfterCancel => "after_cancel",
            Self::BeforeRefund => "before_refund",
            Self::AfterRefund => "after_refund",
            Self::AfterPublish => "after_publish",
            Self::BeforeAck => "before_ack",
        }
    }

    /// Dies here if the environment said so, as a power cut would: nothing is flushed and nothing is unwound.
    #[inline]
    pub fn reached(self) {
        #[cfg(debug_assertions)]
        {
            static ARMED: LazyLock<Option<(String, u32)>> = LazyLock::new(|| {
                let text = std::env::var("JUMAK_KILL_POINT").ok()?;
                let (name, times) = text.split_once(':').unwrap_or((&text, "1"));
                Some((name.to_owned(), times.parse().unwrap_or(1)))
            });
            static SEEN: AtomicU32 = AtomicU32::new(0);
            if let Some((name, times)) = ARMED.as_ref()
                && name == self.name()
                && SEEN.fetch_add(1, Ordering::SeqCst) + 1 == *times
            {
                crate::output::note(format_args!("kill point {name} fired"));
                std::process::abort();
            }
        }
    }
}
