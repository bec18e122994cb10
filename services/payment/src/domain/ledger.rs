//! The ledger: each movement of money as double entries.
//!
//! | account | normal side | its balance is |
//! |---|---|---|
//! | `provider` | debit | money that the provider holds for us: all charges, less refunds |
//! | `payable/users/{user}` | credit | money that is owed to a payee; each credit says from when it is earned |
//! | `guest_clearing` | credit | money that is owed back to payers: requested refunds, failed refunds, and charges of voided payments |
//!
//! | movement | debit | credit |
//! |---|---|---|
//! | a payment is approved | provider | payable |
//! | a refund is requested | payable | guest_clearing |
//! | a voided payment is charged | provider | guest_clearing |
//! | the provider has refunded | guest_clearing | provider |
//!
//! A refund that fails moves nothing: the money is still owed, and a later refund of the same payment is paid from it first. Entries
//! are only added, and the entries of one movement balance.

use jiff::Timestamp;
use mesh::money::Money;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Account {
    /// Money that the provider holds for us.
    Provider,
    /// Money that is owed back to payers.
    GuestClearing,
    /// Money that is owed to this user (`users/…`).
    Payable(String),
}

impl Account {
    /// The account's name, in proto and SQL.
    pub fn name(&self) -> String {
        match self {
            Self::Provider => "provider".to_owned(),
            Self::GuestClearing => "guest_clearing".to_owned(),
            Self::Payable(user) => format!("payable/{user}"),
        }
    }
}

/// A side of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Side {
    /// The left one.
    Debit,
    /// The right one.
    Credit,
}

impl Side {
    /// The side's name, in proto and SQL.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The account.
    pub account: Account,
    /// On which side.
    pub side: Side,
    /// How much; above zero.
    pub amount: Money,
    /// From when the payee has earned it; only on payable accounts.
    pub earn_time: Option<Timestamp>,
}

/// Money that moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Movement {
    /// A payment was approved.
    Approved {
        /// Who earns it: `users/…`.
        payee: String,
        /// How much.
        amount: Money,
        /// From when it is earned.
        earn_time: Timestamp,
    },
    /// A refund was asked for.
    RefundRequested {
        /// Who had earned it: `users/…`.
        payee: String,
        /// How much of it comes from the payee; the rest is owed to the payer already.
        amount: Money,
        /// From when it would have been earned.
        earn_time: Timestamp,
    },
    /// A voided payment was charged.
    ChargedLate {
        /// How much.
        amount: Money,
    },
    /// The provider has given money back.
    GivenBack {
        /// How much.
        amount: Money,
    },
}

impl Movement {
    /// The movement's entries.
    pub fn entries(&self) -> [Entry; 2] {
        let house = |account, side, amount| Entry { account, side, amount, earn_time: None };
        let payable = |payee: &String, side, amount, earn_time| Entry {
            account: Account::Payable(payee.clone()),
            side,
            amount,
            earn_time: Some(earn_time),
        };
        match self {
            Self::Approved { payee, amount, earn_time } => {
                [house(Account::Provider, Side::Debit, *amount), payable(payee, Side::Credit, *amount, *earn_time)]
            }
            Self::RefundRequested { payee, amount, earn_time } => {
                [payable(payee, Side::Debit, *amount, *earn_time), house(Account::GuestClearing, Side::Credit, *amount)]
            }
            Self::ChargedLate { amount } => {
                [house(Account::Provider, Side::Debit, *amount), house(Account::GuestClearing, Side::Credit, *amount)]
            }
            Self::GivenBack { amount } => {
                [house(Account::GuestClearing, Side::Debit, *amount), house(Account::Provider, Side::Credit, *amount)]
            }
        }
    }
}

/// Why entries are not a valid transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTransaction {
    /// Debits and credits of a currency differ.
    #[error("debits less credits are {difference} minor units of {currency}")]
    Unbalanced {
        /// The currency.
        currency: &'static str,
        /// Debits less credits.
        difference: i128,
    },
    /// An entry of nothing.
    #[error("an entry of zero")]
    Zero,
}

/// Refuses entries that do not balance in each currency.
pub fn check(entries: &[Entry]) -> Result<(), NoTransaction> {
    if entries.iter().any(|entry| entry.amount.is_zero()) {
        return Err(NoTransaction::Zero);
    }
    for entry in entries {
        let currency = entry.amount.code();
        let difference: i128 = entries
            .iter()
            .filter(|other| other.amount.code() == currency)
            .map(|other| match other.side {
                Side::Debit => i128::from(other.amount.minor()),
                Side::Credit => -i128::from(other.amount.minor()),
            })
            .sum();
        if difference != 0 {
            return Err(NoTransaction::Unbalanced { currency, difference });
        }
    }
    Ok(())
}
