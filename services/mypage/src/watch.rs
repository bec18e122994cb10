//! Watches a user's bookings, and waits for a user's own change.

use std::{sync::Arc, time::Duration};

use contracts::mypage::v1::WatchMyPageResponse;
use mesh::{
    Clock, Database, Error, Reason, Refusal,
    background::Background,
    page::PageTokens,
    watch::{Following, follow, until},
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    store::read::{self, Row},
    view,
};

/// The most changes that one query returns; the next query returns the rest.
const MAX_FOUND: u64 = 500;

/// Converts positions to tokens and back. A position is valid for one user and for this incarnation of the database, because another
/// incarnation has numbered the changes in another order.
#[derive(Clone)]
pub struct Positions(PageTokens);

impl Positions {
    /// Positions that are signed like page tokens.
    pub const fn new(tokens: PageTokens) -> Self {
        Self(tokens)
    }

    /// The token of the position.
    pub fn make(&self, user: &str, position: i64) -> String {
        self.0.make(&["WatchMyPage", user], &position.to_string())
    }

    /// The position of `token`, unless it has expired; none if no token was sent. `last` is the position of the user's last change: a
    /// restored older database does not have the changes beyond it.
    fn read(&self, user: &str, token: &str, last: i64) -> Result<Option<i64>, Refusal> {
        let expired = || {
            Refusal::new(Reason::POSITION_EXPIRED, "the position is from before the read model was rebuilt")
                .hint("watch without a position: the open bookings come first")
        };
        let Some(cursor) = self.0.read(&["WatchMyPage", user], token).map_err(|_| expired())? else {
            return Ok(None);
        };
        match cursor.parse() {
            Ok(position) if position <= last => Ok(Some(position)),
            _ => Err(expired()),
        }
    }
}

/// Watches the user's bookings from `token` on; without one, the open bookings come first.
pub async fn bookings(
    database: &Database,
    background: &Background,
    clock: Clock,
    positions: Positions,
    user: String,
    token: &str,
) -> Result<Following<WatchMyPageResponse>, Error> {
    let last = read::position(database, &user).await?;
    let (from, open_until) = match positions.read(&user, token, last)? {
        Some(position) => (position, position),
        None => (0, last),
    };
    let watch = Arc::new(Watch { database: database.clone(), clock, positions, user, open_until });
    Ok(follow(database, background, move |reached: Option<i64>| {
        let watch = watch.clone();
        async move { watch.look(reached.unwrap_or(from)).await }
    }))
}

struct Watch {
    database: Database,
    clock: Clock,
    positions: Positions,
    user: String,
    /// The last position up to which only open bookings are sent.
    open_until: i64,
}

impl Watch {
    /// The changes after that position, and the new position.
    async fn look(&self, after: i64) -> Result<(Option<i64>, Vec<WatchMyPageResponse>), Error> {
        let now = self.clock.now();
        let found = read::changes(&self.database, &self.user, after, self.open_until, now, MAX_FOUND).await?;
        let reached = found.last().map_or(after, |(newest, _)| newest.position);
        let tell = |row: Row| {
            let position = self.positions.make(&self.user, row.0.position);
            Ok(WatchMyPageResponse { booking: Some(view::booking(row, now)?), position })
        };
        Ok((Some(reached), found.into_iter().map(tell).collect::<Result<_, Error>>()?))
    }
}

/// The user's booking of that case as soon as it has reached `min_version`, or as it is at the time limit.
pub async fn booking_at(
    database: &Database,
    user: &str,
    case_id: Uuid,
    min_version: i64,
    patience: Duration,
) -> Result<Option<Row>, Error> {
    let look = || read::booking(database, user, case_id);
    until(database, Instant::now() + patience, look, |found| {
        found.as_ref().map_or(0, |(_, case)| case.version) >= min_version
    })
    .await
}
