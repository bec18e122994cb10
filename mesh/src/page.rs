//! Pages of a list: a bounded size, and a token that only this service can have made for just this list.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::{
    db::Database,
    error::{Error, Reason, Refusal},
    inbox,
};

/// The page that is served when none is asked for.
pub const DEFAULT_PAGE_SIZE: u32 = 25;
/// The largest page; a larger wish is served with this.
pub const MAX_PAGE_SIZE: u32 = 100;

const MAC_BYTES: usize = 16;

/// The size of page that is served for a wish.
pub fn page_size(wish: i32) -> u64 {
    match u32::try_from(wish) {
        Ok(0) | Err(_) => u64::from(DEFAULT_PAGE_SIZE),
        Ok(size) => u64::from(size.min(MAX_PAGE_SIZE)),
    }
}

/// Cuts `rows`, of which one more was asked for than the page holds, down to the page, and tells whether another page follows.
pub fn cut<T>(rows: &mut Vec<T>, size: u64) -> bool {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let more = rows.len() > size;
    rows.truncate(size);
    more
}

/// Makes and reads page tokens. Every replica of a context has the same secret, because it stands in the context's database.
#[derive(Clone)]
pub struct PageTokens {
    secret: Uuid,
}

impl PageTokens {
    /// The page tokens of the context with that database.
    pub async fn of(database: &Database) -> Result<Self, Error> {
        Ok(Self { secret: inbox::page_secret(database).await? })
    }

    /// A token that goes on after `cursor` in the list that `list` describes (its caller, its filters, its order).
    pub fn make(&self, list: &[&str], cursor: &str) -> String {
        let mut token = self.mac(list, cursor).to_vec();
        token.extend_from_slice(cursor.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(token)
    }

    /// The cursor in a token made for just this list; no token is no cursor.
    pub fn read(&self, list: &[&str], token: &str) -> Result<Option<String>, Refusal> {
        use subtle::ConstantTimeEq;
        if token.is_empty() {
            return Ok(None);
        }
        let refuse = || {
            Refusal::new(Reason::PageTokenInvalid, "the page token was not made for this list").hint(
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
    fn only_a_row_too_many_means_another_page() {
        let mut rows = vec![1, 2, 3];
        assert!(!cut(&mut rows, 3));
        assert!(cut(&mut rows, 2));
        assert_eq!(rows, [1, 2]);
    }

    #[test]
    fn a_page_has_a_size_whatever_was_wished() {
        assert_eq!([page_size(0), page_size(-5), page_size(1), page_size(1_000)], [25, 25, 1, 100]);
    }
}
