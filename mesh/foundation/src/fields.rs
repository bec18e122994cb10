//! Checks a request's fields: finds every fault, and reports all of them at once.

use std::ops::RangeInclusive;

use contracts::types::v1::PaymentMethod;
use jiff::civil::Date;
use uuid::Uuid;

use crate::{
    card_number,
    error::{Error, Reason, Refusal, shown},
    money::Money,
    unicode::{self, Lines},
};

/// How many digits, letters, `-` and `_` a request id may have.
pub const MAX_REQUEST_ID_CHARS: usize = 64;
/// Characters of a token to pay with.
pub const MAX_TOKEN_CHARS: usize = 255;

/// How many faults are listed. The whole answer has to fit into the headers that a client accepts.
const MAX_TOLD: usize = 20;
/// The longest text of a fault, and of its path, in characters.
const MAX_WHAT_CHARS: usize = 200;
const MAX_PATH_CHARS: usize = 100;

/// Collects the faults of a request. Paths are those of the proto, from the request's root: `room.nightly_rate`.
#[derive(Debug, Default)]
pub struct Fields {
    violations: Vec<(String, String)>,
    /// How many further faults there are.
    untold: usize,
}

impl Fields {
    /// No faults yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault.
    pub fn fault(&mut self, path: impl Into<String>, what: impl Into<String>) {
        if self.violations.len() == MAX_TOLD {
            self.untold += 1;
            return;
        }
        let cut = |text: String, max: usize| if text.len() > max { text.chars().take(max).collect() } else { text };
        self.violations.push((cut(path.into(), MAX_PATH_CHARS), cut(what.into(), MAX_WHAT_CHARS)));
    }

    /// Adds a fault unless `holds`.
    pub fn check(&mut self, holds: bool, path: &str, what: impl Into<String>) {
        if !holds {
            self.fault(path, what);
        }
    }

    /// A text of at most `max` characters that may have several lines: a note. See [`unicode`](crate::unicode) for what may be in it.
    pub fn text(&mut self, path: &str, value: &str, max: usize) {
        self.shown(path, value, max, Lines::Many);
    }

    /// A text of at most `max` characters in one line: a name, a number, a place.
    pub fn line(&mut self, path: &str, value: &str, max: usize) {
        self.shown(path, value, max, Lines::One);
    }

    /// A required [`line`](Self::line).
    pub fn required_line(&mut self, path: &str, value: &str, max: usize) {
        self.check(!value.is_empty(), path, "is required");
        self.line(path, value, max);
    }

    fn shown(&mut self, path: &str, value: &str, max: usize, lines: Lines) {
        let chars = value.chars().count();
        self.check(chars <= max, path, format!("has {chars} characters; at most {max} are allowed"));
        if let Some(flaw) = unicode::flaw(value, lines) {
            self.fault(path, flaw);
        }
    }

    /// A number between two bounds, both included.
    pub fn range<T: PartialOrd + std::fmt::Display>(&mut self, path: &str, value: T, min: T, max: T) {
        let inside = value >= min && value <= max;
        self.check(inside, path, format!("is {value}; it must be from {min} to {max}"));
    }

    /// A number between two bounds, both included, converted to the domain's type.
    pub fn number<N: TryFrom<i32>>(&mut self, path: &str, value: i32, bounds: RangeInclusive<i32>) -> Option<N> {
        self.range(path, value, *bounds.start(), *bounds.end());
        if bounds.contains(&value) { N::try_from(value).ok() } else { None }
    }

    /// A required message; `like` is an example for the fault.
    pub fn required<'m, M>(&mut self, path: &str, message: Option<&'m M>, like: &str) -> Option<&'m M> {
        self.check(message.is_some(), path, format!("is required{like}"));
        message
    }

    /// A required payment method.
    pub fn payment_token<'m>(&mut self, method: Option<&'m PaymentMethod>) -> Option<&'m str> {
        let method = self.required("payment_method", method, ", as in {\"token\": \"tok_approve\"}")?;
        self.required_line("payment_method.token", &method.token, MAX_TOKEN_CHARS);
        Some(&method.token)
    }

    /// The id in a resource name such as `rooms/0190…`. For a bare id the fault suggests the full name.
    pub fn name(&mut self, path: &str, value: &str, collection: &str) -> Option<Uuid> {
        if value.is_empty() {
            self.fault(path, format!("is required; it looks like {collection}/0190a5d8-…"));
            return None;
        }
        let id = parse_name(value, collection);
        if id.is_none() {
            let shown = shown(value);
            // The card guard does not search names, so the fault must not repeat a possible card number.
            if card_number::is_in(value) {
                self.fault(path, "is not a name, and looks like a card number");
            } else if Uuid::try_parse(value).is_ok() {
                self.fault(path, format!("is not a full name; did you mean {collection}/{shown}?"));
            } else {
                self.fault(path, format!("`{shown}` is not a name like {collection}/0190a5d8-…"));
            }
        }
        id
    }

    /// The id in an optional resource name.
    pub fn optional_name(&mut self, path: &str, value: &str, collection: &str) -> Option<Uuid> {
        if value.is_empty() { None } else { self.name(path, value, collection) }
    }

    /// An optional user's name, `users/…`.
    pub fn optional_user(&mut self, path: &str, value: &str) {
        let id = value.strip_prefix("users/").unwrap_or_default();
        let good = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        self.check(value.is_empty() || good, path, "is not a name like users/me");
    }

    /// A date as `2027-05-01`.
    pub fn date(&mut self, path: &str, value: &str) -> Option<Date> {
        if value.is_empty() {
            self.fault(path, "is required, as in 2027-05-01");
            return None;
        }
        // Strict: jiff's own parser accepts more than the contract.
        let shape = value.len() == 10
            && value.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() });
        let date = if shape { value.parse().ok() } else { None };
        self.check(date.is_some(), path, "is not a calendar date such as 2027-05-01");
        date
    }

    /// Two dates of which the second is later; `max_nights` at most lie between them.
    pub fn nights(&mut self, paths: (&str, &str), values: (&str, &str), max_nights: i32) -> Option<(Date, Date)> {
        let first = self.date(paths.0, values.0);
        let last = self.date(paths.1, values.1);
        let (first, last) = (first?, last?);
        let nights = nights_between(first, last);
        if nights < 1 {
            self.fault(paths.1, format!("must be after {}", paths.0));
            return None;
        }
        if nights > max_nights {
            self.fault(paths.1, format!("is {nights} nights after {}; at most {max_nights} are allowed", paths.0));
            return None;
        }
        Some((first, last))
    }

    /// A new price: an [amount](Self::money) of a currency that is in use today.
    pub fn price(
        &mut self,
        path: &str,
        value: Option<&contracts::google::r#type::Money>,
        must_be_positive: bool,
    ) -> Option<Money> {
        let price = self.money(path, value, must_be_positive)?;
        self.check(price.is_in_use(), path, format!("is in {}, which is not a currency in use today", price.code()));
        price.is_in_use().then_some(price)
    }

    /// An amount of money; `must_be_positive` refuses zero. Its currency may be a withdrawn one, because old payments in it can still be
    /// refunded.
    pub fn money(
        &mut self,
        path: &str,
        value: Option<&contracts::google::r#type::Money>,
        must_be_positive: bool,
    ) -> Option<Money> {
        let Some(value) = value else {
            self.fault(path, "is required, as in {\"currency_code\": \"KRW\", \"units\": \"90000\"}");
            return None;
        };
        match Money::try_from(value) {
            Ok(money) if must_be_positive && money.is_zero() => {
                self.fault(path, "must be more than zero");
                None
            }
            Ok(money) => Some(money),
            Err(error) => {
                self.fault(path, error.to_string());
                None
            }
        }
    }

    /// A set of enum values, each once; neither unknown ones nor the unspecified one. A set never needs more members than its enum
    /// has, whatever the caller repeats.
    pub fn enums<E: TryFrom<i32> + PartialEq>(&mut self, path: &str, numbers: &[i32]) -> Vec<E> {
        let mut set = Vec::new();
        for number in numbers {
            match E::try_from(*number) {
                Ok(value) if *number != 0 => {
                    if !set.contains(&value) {
                        set.push(value);
                    }
                }
                _ => {
                    self.fault(path, format!("has {number}, which is not one of its values"));
                    break;
                }
            }
        }
        set
    }

    /// A request id: absent, or 1 to 64 of `[A-Za-z0-9_-]`.
    pub fn request_id(&mut self, value: &str) {
        let good = value.len() <= MAX_REQUEST_ID_CHARS
            && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        self.check(good, "request_id", "must be 1 to 64 of the letters A-Z a-z 0-9 _ -");
    }

    /// The value, or the refusal that lists every fault. A value that could not be read must have added a fault.
    pub fn take<T>(self, read: Option<T>) -> Result<T, Error> {
        self.finish()?;
        read.ok_or_else(|| Error::Internal("failed to read a field of a request, and no fault was noted".to_owned()))
    }

    /// The refusal that lists the faults, if there is one: the first 20, and how many more there are.
    pub fn finish(self) -> Result<(), Refusal> {
        if self.violations.is_empty() {
            return Ok(());
        }
        let count = self.violations.len() + self.untold;
        let first = self.violations.first().map(|(path, what)| format!("{path} {what}")).unwrap_or_default();
        let more = if self.untold == 0 { String::new() } else { format!(" (and {} more)", self.untold) };
        let message =
            if count == 1 { first } else { format!("{count} fields are not valid; the first: {first}{more}") };
        let mut refusal = Refusal::new(Reason::INVALID_FIELDS, message);
        refusal.violations = self.violations;
        Err(refusal)
    }
}

/// The id in the name of a request that has no other field.
pub fn read_name(path: &str, name: &str, collection: &str) -> Result<Uuid, Error> {
    let mut fields = Fields::new();
    let id = fields.name(path, name, collection);
    fields.take(id)
}

/// The refusal for one field, whose fault is found only with the resource.
pub fn refusal_of(path: &str, what: impl Into<String>) -> Refusal {
    let what = what.into();
    let mut refusal = Refusal::new(Reason::INVALID_FIELDS, format!("{path} {what}"));
    refusal.violations.push((path.to_owned(), what));
    refusal
}

/// The id in `collection/{uuid}`; only the canonical spelling, so that a name is a key.
pub fn parse_name(name: &str, collection: &str) -> Option<Uuid> {
    let text = name.strip_prefix(collection)?.strip_prefix('/')?;
    let id = Uuid::try_parse(text).ok()?;
    (id.hyphenated().to_string() == text).then_some(id)
}

/// The resource name of an id.
pub fn name(collection: &str, id: Uuid) -> String {
    format!("{collection}/{id}")
}

/// How many nights lie between two dates; negative if the second is earlier.
pub fn nights_between(first: Date, last: Date) -> i32 {
    first.until(last).map(|span| span.get_days()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_told_at_once() {
        let mut fields = Fields::new();
        fields.required_line("room.display_name", "", 80);
        fields.range("room.units", 0, 1, 10_000);
        fields.date("check_in_date", "2027-02-30");
        fields.request_id("no spaces");
        let refusal = fields.finish().expect_err("four faults");
        let paths: Vec<_> = refusal.violations.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["room.display_name", "room.units", "check_in_date", "request_id"]);
    }

    #[test]
    fn many_faults_are_counted_and_the_first_of_them_told() {
        let mut fields = Fields::new();
        for number in 0..200 {
            fields.fault(format!("room.amenities[{number}]"), "x".repeat(10_000));
        }
        let refusal = fields.finish().expect_err("many faults");
        assert_eq!(refusal.violations.len(), 20);
        assert!(refusal.message.starts_with("200 fields are not valid"), "{refusal}");
        assert!(refusal.message.ends_with("(and 180 more)"), "{refusal}");
        let status = tonic::Status::from(refusal);
        assert!(status.details().len() + status.message().len() < 6_000, "it must fit into what a client reads");
    }

    #[test]
    fn what_was_read_is_taken_only_if_nothing_is_at_fault() {
        assert_eq!(Fields::new().take(Some(7)).ok(), Some(7));
        let mut fields = Fields::new();
        fields.request_id("no spaces");
        assert!(matches!(fields.take(Some(7)), Err(Error::Refused(_))));
        assert!(matches!(Fields::new().take(None::<i32>), Err(Error::Internal(_))), "that would be our own fault");
    }

    #[test]
    fn a_number_outside_its_bounds_is_a_fault_and_none() {
        let mut fields = Fields::new();
        let read = [0, 1, 10, 11, 65_536, -1].map(|value| fields.number::<u16>("units", value, 1..=10));
        assert_eq!(read, [None, Some(1), Some(10), None, None, None]);
        assert_eq!(fields.finish().expect_err("four faults").violations.len(), 4);
    }

    #[test]
    fn what_to_pay_with_is_there_and_no_longer_than_it_may_be() {
        let method = |token: &str| PaymentMethod { token: token.to_owned() };
        let fault = |method: Option<&PaymentMethod>| {
            let mut fields = Fields::new();
            fields.payment_token(method);
            fields.finish().err().map(|refusal| refusal.violations[0].0.clone())
        };
        assert_eq!(fault(None).as_deref(), Some("payment_method"));
        for bad in ["", &"x".repeat(256)] {
            assert_eq!(fault(Some(&method(bad))).as_deref(), Some("payment_method.token"));
        }
        assert_eq!(fault(Some(&method(&"x".repeat(255)))), None);
    }

    #[test]
    fn a_bare_id_is_told_what_was_meant() {
        let mut fields = Fields::new();
        let id = Uuid::now_v7().to_string();
        fields.name("name", &id, "rooms");
        let refusal = fields.finish().expect_err("a fault");
        assert!(refusal.message.contains(&format!("did you mean rooms/{id}?")), "{refusal}");
    }

    #[test]
    fn a_name_has_one_spelling() {
        let id = Uuid::now_v7();
        assert_eq!(parse_name(&format!("rooms/{id}"), "rooms"), Some(id));
        assert_eq!(parse_name(&format!("rooms/{}", id.simple()), "rooms"), None);
        assert_eq!(parse_name(&format!("rooms/{}", id.to_string().to_uppercase()), "rooms"), None);
        assert_eq!(parse_name(&format!("reservations/{id}"), "rooms"), None);
    }

    #[test]
    fn a_stay_ends_after_it_begins() {
        for (check_in, check_out, good) in [
            ("2027-05-01", "2027-05-03", true),
            ("2027-05-03", "2027-05-03", false),
            ("2027-05-03", "2027-05-01", false),
            ("2027-05-01", "2027-07-30", true),
            ("2027-05-01", "2027-07-31", false),
        ] {
            let mut fields = Fields::new();
            let stay = fields.nights(("check_in_date", "check_out_date"), (check_in, check_out), 90);
            assert_eq!(stay.is_some(), good, "{check_in} to {check_out}");
            assert_eq!(fields.finish().is_ok(), good);
        }
    }
}
