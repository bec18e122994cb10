//! Pages of a list: a bounded size, and a token that only this service can make, valid for one list.
//!
//! 1. A list opens its page ([`PageTokens::open`]).
//! 2. It reads one row more than the page holds ([`Page::of`]).
//! 3. It closes the page ([`PageTokens::close`]): that removes the extra row and makes the token of the next page.

use std::fmt::Display;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use mesh_foundation::{
    error::{Error, Reason, Refusal},
    money::Money,
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, Select, Value,
    sea_query::IntoValueTuple,
};
use sha2::Sha256;
use uuid::Uuid;

use crate::{db::Database, inbox};

/// The page size if the request names none.
pub const DEFAULT_PAGE_SIZE: u32 = 25;
/// The largest page size; a request for more gets this.
pub const MAX_PAGE_SIZE: u32 = 100;

const MAC_BYTES: usize = 16;

/// The page size for a requested size.
fn page_size(wish: i32) -> usize {
    let size = match u32::try_from(wish) {
        Ok(0) | Err(_) => DEFAULT_PAGE_SIZE,
        Ok(size) => size.min(MAX_PAGE_SIZE),
    };
    size as usize
}

/// One requested page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<K> {
    /// The key of the last row of the page before; none on the first page.
    pub after: Option<K>,
    /// How many rows the page holds at most.
    pub size: usize,
    list: Vec<String>,
}

impl<K> Page<K> {
    /// How many rows to read: one more than the page holds, to find out whether another page follows.
    pub fn limit(&self) -> u64 {
        self.size as u64 + 1
    }
}

impl<K: Clone + IntoValueTuple> Page<K> {
    /// The rows of this page, and one more if there is one: `select` in the order of `columns`, starting after the page before.
    pub fn of<E: EntityTrait>(&self, select: Select<E>, columns: &[E::Column], order: &Order) -> Select<E> {
        after(select, columns, order, self.after.clone(), self.limit())
    }
}

/// Up to `limit` rows of `select` in the order of `columns`, starting after `key`. The columns together must be unique. The condition is
/// written out column by column, because MariaDB does not use an index for a row comparison.
pub fn after<E: EntityTrait>(
    select: Select<E>,
    columns: &[E::Column],
    order: &Order,
    key: Option<impl IntoValueTuple>,
    limit: u64,
) -> Select<E> {
    let mut select = select.limit(limit);
    if let Some(key) = key {
        let (mut rest, mut same) = (Condition::any(), Condition::all());
        for (column, value) in columns.iter().zip(key.into_value_tuple()) {
            let value: Value = value;
            let is_after = if *order == Order::Desc { column.lt(value.clone()) } else { column.gt(value.clone()) };
            rest = rest.add(same.clone().add(is_after));
            same = same.add(column.eq(value));
        }
        select = select.filter(rest);
    }
    columns.iter().fold(select, |select, column| select.order_by(*column, order.clone()))
}

/// The content of a page token: the key of a page's last row.
pub trait Cursor: Sized {
    /// The key as text.
    fn write(&self) -> String;
    /// The key in that text.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! cursors {
    ($($key:ty),*) => { $(impl Cursor for $key {
        fn write(&self) -> String {
            self.to_string()
        }

        fn read(text: &str) -> Option<Self> {
            text.parse().ok()
        }
    })* };
}

cursors!(Uuid, i64, f64, String);

/// The last part has no blank in it.
impl<A: Cursor, B: Cursor> Cursor for (A, B) {
    fn write(&self) -> String {
        format!("{} {}", self.0.write(), self.1.write())
    }

    fn read(text: &str) -> Option<Self> {
        let (first, last) = text.rsplit_once(' ')?;
        Some((A::read(first)?, B::read(last)?))
    }
}

impl Cursor for Money {
    fn write(&self) -> String {
        (self.code().to_owned(), self.minor()).write()
    }

    fn read(text: &str) -> Option<Self> {
        let (code, minor) = <(String, i64)>::read(text)?;
        Self::new(minor, &code).ok()
    }
}

/// Several values of one filter as one part of a list's name.
pub fn joined<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(",")
}

/// Makes and reads page tokens. Every replica of a context has the same secret, because it is in the context's database.
#[derive(Clone)]
pub struct PageTokens {
    secret: Uuid,
}

impl PageTokens {
    /// The page tokens of the context with that database.
    pub async fn of(database: &Database) -> Result<Self, Error> {
        Ok(Self { secret: inbox::page_secret(database).await? })
    }

    /// The page that `token` begins, or the first one; `size` is the requested size. A token of another list is refused.
    pub fn open<K: Cursor>(&self, list: &[&str], token: &str, size: i32) -> Result<Page<K>, Error> {
        let unreadable = || Error::Internal("a page token with a valid signature holds no key".to_owned());
        let after = self.read(list, token)?.map(|cursor| K::read(&cursor).ok_or_else(unreadable)).transpose()?;
        let list = list.iter().map(|part| (*part).to_owned()).collect();
        Ok(Page { after, size: page_size(size), list })
    }

    /// Removes the extra row, and makes the token of the next page; empty if none follows.
    pub fn close<K: Cursor, T>(&self, page: &Page<K>, rows: &mut Vec<T>, key: impl FnOnce(&T) -> K) -> String {
        let more = rows.len() > page.size;
        rows.truncate(page.size);
        rows.last().filter(|_| more).map(|last| self.after(page, &key(last))).unwrap_or_default()
    }

    /// The token of the page that begins after `key` in the same list.
    pub fn after<K: Cursor>(&self, page: &Page<K>, key: &K) -> String {
        let list: Vec<_> = page.list.iter().map(String::as_str).collect();
        self.make(&list, &key.write())
    }

    /// A token that continues after `cursor` in the list that `list` describes (its caller, its filters, its order).
    pub fn make(&self, list: &[&str], cursor: &str) -> String {
        let mut token = self.mac(list, cursor).to_vec();
        token.extend_from_slice(cursor.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(token)
    }

    /// The cursor in a token of this list; none if there is no token.
    pub fn read(&self, list: &[&str], token: &str) -> Result<Option<String>, Refusal> {
        use subtle::ConstantTimeEq;
        if token.is_empty() {
            return Ok(None);
        }
        let refuse = || {
            Refusal::new(Reason::PAGE_TOKEN_INVALID, "the page token was not made for this list").hint(
                "send next_page_token of the previous page with the same other fields, or none for the first page",
            )
        };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| refuse())?;
        let (mac, cursor) = bytes.split_at_checked(MAC_BYTES).ok_or_else(refuse)?;
        let cursor = std::str::from_utf8(cursor).map_err(|_| refuse())?;
        if bool::from(self.mac(list, cursor).ct_eq(mac)) { Ok(Some(cursor.to_owned())) } else { Err(refuse()) }
    }

    fn mac(&self, list: &[&str], cursor: &str) -> [u8; MAC_BYTES] {
        // A MAC key may have any length.
        let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&hmac::digest::Key::<Hmac<Sha256>>::from({
            let mut key = [0_u8; 64];
            key[..16].copy_from_slice(self.secret.as_bytes());
            key
        }));
        for part in list.iter().chain(std::iter::once(&cursor)) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        let full = mac.finalize().into_bytes();
        let mut short = [0_u8; MAC_BYTES];
        short.copy_from_slice(&full[..MAC_BYTES]);
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_only_its_own_list() {
        let tokens = PageTokens { secret: Uuid::new_v4() };
        let token = tokens.make(&["rooms", "users/a"], "17");
        assert_eq!(tokens.read(&["rooms", "users/a"], &token), Ok(Some("17".to_owned())));
        assert!(tokens.read(&["rooms", "users/b"], &token).is_err());
        assert!(tokens.read(&["room", "susers/a"], &token).is_err());
        assert!(PageTokens { secret: Uuid::new_v4() }.read(&["rooms", "users/a"], &token).is_err());
        assert!(tokens.read(&["rooms", "users/a"], "x").is_err());
        assert_eq!(tokens.read(&["rooms", "users/a"], ""), Ok(None));
    }

    #[test]
    fn a_page_ends_with_a_token_only_if_there_is_a_row_too_many() {
        let tokens = PageTokens { secret: Uuid::new_v4() };
        let list = ["things"];
        let mut page = tokens.open::<i64>(&list, "", 2).unwrap();
        let (mut all, mut seen) = ((1..=5).collect::<Vec<i64>>(), Vec::new());
        loop {
            all.retain(|row| page.after.is_none_or(|after| *row > after));
            let mut rows: Vec<_> = all.iter().copied().take(page.limit() as usize).collect();
            let next = tokens.close(&page, &mut rows, |row| *row);
            assert_eq!(next.is_empty(), rows.last() == Some(&5), "{rows:?}");
            seen.push(rows);
            if next.is_empty() {
                break;
            }
            page = tokens.open(&list, &next, 2).unwrap();
        }
        assert_eq!(seen, [vec![1, 2], vec![3, 4], vec![5]]);
    }

    #[test]
    fn a_key_that_cannot_be_read_is_our_own_fault() {
        let tokens = PageTokens { secret: Uuid::new_v4() };
        let token = tokens.make(&["things"], "seven");
        assert!(matches!(tokens.open::<i64>(&["things"], &token, 0), Err(Error::Internal(_))));
        assert!(matches!(tokens.open::<i64>(&["others"], &token, 0), Err(Error::Refused(_))));
    }

    #[test]
    fn a_key_reads_back() {
        fn reads_back<K: Cursor + PartialEq + std::fmt::Debug>(key: K) {
            assert_eq!(K::read(&key.write()), Some(key));
        }
        reads_back((-7_i64, Uuid::from_u128(7)));
        reads_back((0.1_f64 + 0.2, Uuid::nil()));
        reads_back((Money::new(90_000, "KRW").unwrap(), Uuid::nil()));
        reads_back((7_i64, "a_charge-1".to_owned()));
    }

    #[test]
    fn what_comes_after_a_key_is_decided_by_the_first_column_that_differs() {
        use sea_orm::{DbBackend, QueryTrait};

        use crate::store::entity::inbox::{Column, Entity};
        let columns = [Column::HandleTime, Column::EventId];
        let sql = |key| after(Entity::find(), &columns, &Order::Desc, key, 3).build(DbBackend::Sqlite).to_string();
        let next = sql(Some((7_i64, Uuid::nil())));
        let (_, rest) = next.split_once(" WHERE ").unwrap();
        assert!(
            rest.starts_with(r#""inbox"."handle_time" < 7 OR ("inbox"."handle_time" = 7 AND "inbox"."event_id" < "#),
            "{rest}"
        );
        assert!(rest.ends_with(r#" ORDER BY "inbox"."handle_time" DESC, "inbox"."event_id" DESC LIMIT 3"#), "{rest}");
        assert!(!sql(None).contains("WHERE"), "the first page begins at the beginning");
    }

    #[test]
    fn a_page_has_a_size_whatever_was_wished() {
        assert_eq!([page_size(0), page_size(-5), page_size(1), page_size(1_000)], [25, 25, 1, 100]);
    }
}
