//! Following a user's bookings, and waiting for one's own change.

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

/// The most changes that one look finds; the next look finds the rest.
const MAX_FOUND: u64 = 500;

/// Tells positions from numbers. A position is good for one user, and for this incarnation of the database: another one has counted
/// the changes in another order.
#[derive(Clone)]
pub struct Positions(PageTokens);

impl Positions {
    /// Positions that are proven as page tokens are.
    pub const fn new(tokens: PageTokens) -> Self {
        Self(tokens)
    }

    /// The position as it is handed out.
    pub fn make(&self, user: &str, position: i64) -> String {
        self.0.make(&["WatchMyPage", user], &position.to_string())
    }

    /// The position that was handed out as `token`, unless it cannot be gone on from; none if no token was sent. `last` is the
    /// position of the user's last change: a database put back to an earlier day has forgotten what lies beyond.
    fn read(&self, user: &str, token: &str, last: i64) -> Result<Option<i64>, Refusal> {
        let expired = || {
            Refusal::new(Reason::PositionExpired, "the position is from before the read model was built anew")
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

/// Follows the user's bookings from `token` on; without one, from the open bookings on.
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
    /// The last position of which only open bookings are told.
    open_until: i64,
}

impl Watch {
    /// What has changed after that position, and the position then reached.
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

/// The user's booking of that case as soon as it has reached `min_version`, or as it stands when the patience ends.
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
