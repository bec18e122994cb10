//! Dead letters: a separate stream, so that they are kept until an operator has handled them.

use std::collections::VecDeque;

use async_nats::jetstream::{
    message::StreamMessage,
    stream::{RawMessageErrorKind, Stream},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::{Cause, envelope, layout, link::Link, publish::store};
use crate::bus::{BusError, DeadLetter, Delivery};

/// The most that are shown at once.
const MAX_SHOWN: u64 = 1_000;

/// Stores a message that was delivered to `consumer` as a dead letter. Idempotent within the broker's duplicate window and this process.
pub(super) async fn bury(link: &Link, consumer: &str, delivery: &Delivery, reason: &str) -> Result<(), BusError> {
    link.make_ready().await?;
    let subject = layout::dead_subject(consumer, &delivery.route);
    let ours = subject.clone();
    let bury = async {
        let mut pairs = delivery.headers.clone();
        pairs.retain(|(name, _)| name != envelope::REASON && name != envelope::DELIVERIES);
        pairs.push((envelope::REASON.to_owned(), envelope::one_line(reason)));
        pairs.push((envelope::DELIVERIES.to_owned(), delivery.deliveries.to_string()));
        let headers = envelope::headers(&pairs, Some(&letter_id(link, consumer, delivery)))?;
        store(link, layout::DEAD_STREAM, subject, headers, delivery.data.clone().into()).await
    };
    link.run("dead letter", ours, bury).await.map(|_| ())
}

/// The id by which the broker recognises a duplicate of the dead letter. The position alone is not enough: after a loss another event
/// has the same position.
///
/// The id cannot be predicted by other contexts. Otherwise another context could store a message under it first; the broker would then
/// drop the letter as a duplicate, and the event would be lost.
pub(super) fn letter_id(link: &Link, consumer: &str, delivery: &Delivery) -> String {
    let event_id = delivery.headers.iter().find(|(name, _)| name == envelope::EVENT_ID).map(|(_, id)| id.as_str());
    // Hashed, because an undecodable message may have no id, or any.
    let mut hash = Sha256::new();
    hash.update(link.secret());
    hash.update(event_id.unwrap_or_default());
    hash.update([0]);
    hash.update(&delivery.data);
    let hash = URL_SAFE_NO_PAD.encode(hash.finalize());
    format!("{consumer}-{}-{hash}", delivery.handle)
}

/// The newest `limit`, the newest first.
pub(super) async fn newest(link: &Link, limit: u64) -> Result<Vec<DeadLetter>, BusError> {
    let limit = limit.min(MAX_SHOWN);
    let (stream, last) = stream(link).await?;
    let state = &stream.cached_info().state;
    // At least `limit` letters are behind it, however many gaps replayed letters have left.
    let holes = (last + 1).saturating_sub(state.first_sequence).saturating_sub(state.messages);
    let mut from = (last + 1).saturating_sub(limit.saturating_add(holes)).max(1);
    let mut letters = VecDeque::new();
    while let Some(message) = next(link, &stream, ">", from, last).await? {
        from = message.sequence + 1;
        letters.push_front(letter(message));
        letters.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    Ok(letters.into_iter().flatten().collect())
}

/// Publishes the consumer's dead letters on a subject that only this consumer receives, and returns how many there were.
pub(super) async fn replay(link: &Link, consumer: &str) -> Result<u64, BusError> {
    if !layout::is_token(consumer) {
        // No consumer can have such a name.
        return Ok(0);
    }
    // Only the letters that exist now, so that a letter that fails again is not replayed for ever.
    let (stream, last) = stream(link).await?;
    let (mut replayed, mut from) = (0, 1);
    while let Some(message) = next(link, &stream, &format!("{consumer}.>"), from, last).await? {
        from = message.sequence + 1;
        let sequence = message.sequence;
        let Some((_, route)) = layout::of_dead_letter(&message.subject) else { continue };
        let subject = layout::replay_subject(consumer, route);
        let ours = subject.clone();
        let publish = async {
            let mut pairs = envelope::pairs(&message.headers);
            pairs.retain(|(name, _)| name != envelope::REASON && name != envelope::DELIVERIES);
            // Without an id: if the broker dropped it as a duplicate, the letter would be removed and never delivered. If we die before
            // it is removed, it is delivered twice and handled once.
            let headers = envelope::headers(&pairs, None)?;
            store(link, layout::STREAM, subject, headers, message.payload.clone()).await
        };
        link.run("replay", ours, publish).await?;
        let removal = async { Ok(stream.delete_message(sequence).await?) };
        link.run("replay", layout::api("STREAM.MSG.DELETE", layout::DEAD_STREAM), removal).await?;
        replayed += 1;
    }
    Ok(replayed)
}

/// The stream of dead letters, and the last that is in it now.
async fn stream(link: &Link) -> Result<(Stream, u64), BusError> {
    link.make_ready().await?;
    let look = async { Ok::<_, Cause>(link.context().get_stream(layout::DEAD_STREAM).await?) };
    let stream = link.run("dead letters", layout::api("STREAM.INFO", layout::DEAD_STREAM), look).await?;
    let last = stream.cached_info().state.last_sequence;
    Ok((stream, last))
}

/// The next dead letter from `from` to `last` whose subject goes on with `subject`.
async fn next(
    link: &Link,
    stream: &Stream,
    subject: &str,
    from: u64,
    last: u64,
) -> Result<Option<StreamMessage>, BusError> {
    if from > last {
        return Ok(None);
    }
    let look = async {
        match stream.get_first_raw_message_by_subject(format!("{}.{subject}", layout::DEAD), from).await {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    };
    let found = link.run("dead letters", layout::api("STREAM.MSG.GET", layout::DEAD_STREAM), look).await?;
    Ok(found.filter(|message| message.sequence <= last))
}

fn letter(message: StreamMessage) -> Option<DeadLetter> {
    let (consumer, route) = layout::of_dead_letter(&message.subject)?;
    let mut headers = envelope::pairs(&message.headers);
    let mut taken = |name: &str| {
        let at = headers.iter().position(|(key, _)| key == name)?;
        Some(headers.swap_remove(at).1)
    };
    let reason = taken(envelope::REASON).unwrap_or_default();
    let deliveries = taken(envelope::DELIVERIES).and_then(|text| text.parse().ok()).unwrap_or_default();
    Some(DeadLetter {
        consumer: consumer.to_owned(),
        delivery: Delivery {
            handle: message.sequence,
            route: route.to_owned(),
            headers,
            data: message.payload.to_vec(),
            deliveries,
        },
        reason,
    })
}
