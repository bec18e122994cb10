//! Request records: a request with the same id and the same content gets the first answer again; one with other content is refused.
//!
//! A record belongs to (principal, method, request id) and commits together with the effects of the request. A request that failed
//! before its first commit leaves no record.

use std::time::Duration;

use contracts::google::rpc::Status as RpcStatus;
use jiff::Timestamp;
use mesh_foundation::{
    call::Caller,
    error::{Error, Reason, Refusal},
};
use prost::Message;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};
use sha2::{Digest, Sha256};
use tonic::{Code, Response, Status};

use crate::{
    db::{Database, Step, Tx},
    store::{
        entity::request::{ActiveModel, Column, Entity, Model},
        int,
    },
};

/// How long a record is kept at least.
pub const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Rows that are purged in one transaction, give or take those of the same instant.
const FORGET: u64 = 1_000;

/// A final answer, as it is replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The response message.
    Ok(Vec<u8>),
    /// A definite refusal.
    Refused(Refusal),
}

impl Answer {
    /// An answer that is a message.
    pub fn ok<M: Message>(message: &M) -> Self {
        Self::Ok(message.encode_to_vec())
    }

    /// The answer as a handler returns it.
    pub fn into_response<M: Message + Default>(self) -> Result<Response<M>, Status> {
        match self {
            Self::Ok(bytes) => M::decode(bytes.as_slice())
                .map(Response::new)
                .map_err(|error| Error::Internal(format!("failed to decode a stored answer: {error}")).into()),
            Self::Refused(refusal) => Err(refusal.into()),
        }
    }

    /// Stored as one byte for the kind, and the message; a refusal as google.rpc.Status, as it went over the wire.
    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Ok(message) => [&[0], message.as_slice()].concat(),
            Self::Refused(refusal) => {
                let status = Status::from(refusal.clone());
                let details = RpcStatus::decode(status.details()).unwrap_or_else(|_| RpcStatus {
                    code: status.code() as i32,
                    message: status.message().to_owned(),
                    details: Vec::new(),
                });
                [&[1], details.encode_to_vec().as_slice()].concat()
            }
        }
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let broken = || Error::Internal("failed to decode a stored answer".to_owned());
        match bytes.split_first() {
            Some((0, message)) => Ok(Self::Ok(message.to_vec())),
            Some((1, details)) => {
                let status = RpcStatus::decode(details).map_err(|_| broken())?;
                let status = Status::with_details(Code::from_i32(status.code), status.message, details.to_vec().into());
                Refusal::from_status(&status).map(Self::Refused).ok_or_else(broken)
            }
            _ => Err(broken()),
        }
    }
}

/// A request under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    principal: String,
    method: &'static str,
    request_id: String,
    fingerprint: [u8; 32],
}

impl Request {
    /// The request of `caller` to `method` under `request_id`; none if the caller sent no id. `asked` is the content of the request in a
    /// canonical form: encoded again from the parsed values, without defaults and without the id. Only its digest is stored, because it may
    /// hold secrets.
    pub fn new<M: Message>(caller: &Caller, method: &'static str, request_id: &str, asked: &M) -> Option<Self> {
        if request_id.is_empty() {
            return None;
        }
        Some(Self {
            principal: caller.principal.name(),
            method,
            request_id: request_id.to_owned(),
            fingerprint: Sha256::digest(asked.encode_to_vec()).into(),
        })
    }

    fn compare(&self, row: Model) -> Result<Claim, Error> {
        if row.fingerprint != self.fingerprint {
            return Err(Refusal::new(
                Reason::REQUEST_ID_REUSED,
                format!("request_id {} was used for another {} request", self.request_id, self.method),
            )
            .hint("send a new request_id with a new request")
            .into());
        }
        match row.answer {
            Some(answer) => Ok(Claim::Answered(Answer::from_bytes(&answer)?)),
            None => match row.case_name {
                Some(case) => Ok(Claim::Open { case, attempt: u32::try_from(row.attempt).unwrap_or_default() }),
                None => Err(Refusal::new(Reason::REQUEST_IN_PROGRESS, "the same request is being worked on")
                    .retry_after(Duration::from_secs(1))
                    .into()),
            },
        }
    }
}

/// The state of a request id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// New: this transaction has claimed it.
    New,
    /// Answered.
    Answered(Answer),
    /// Open: its case is not settled.
    Open {
        /// The case.
        case: String,
        /// The payment attempt that the request waits for.
        attempt: u32,
    },
}

/// Runs `work` in one transaction together with its request record, or replays the first answer. Without a request id it just runs
/// `work`.
pub async fn once<F, Fut>(
    database: &Database,
    label: &'static str,
    request: Option<&Request>,
    now: Timestamp,
    work: F,
) -> Result<Answer, Error>
where
    F: Fn(Tx) -> Fut,
    Fut: Future<Output = Result<Answer, Error>>,
{
    let work = &work;
    database
        .transact(label, move |tx| async move {
            let Some(request) = request else { return work(tx).await };
            match claim(&tx, request, record(request, None, None, now)?).await? {
                Claim::New => {}
                Claim::Answered(answer) => return Ok(answer),
                Claim::Open { case, .. } => {
                    return Err(Error::Internal(format!("a {} request waits for {case}", request.method)));
                }
            }
            let answer = work(tx.clone()).await?;
            tx.expect(self::answer(request, &answer)).await?;
            Ok(answer)
        })
        .await
}

/// The statement that claims the request, for a case and attempt if it begins one, with its answer if that is known already. It touches no
/// row if the id was seen before. Must come first, so that a concurrent request of the same id waits here, before it has changed anything.
pub fn record(
    request: &Request,
    case: Option<(&str, u32)>,
    answer: Option<&Answer>,
    now: Timestamp,
) -> Result<Step, Error> {
    Ok(Step::insert_new(ActiveModel {
        principal: Set(request.principal.clone()),
        method: Set(request.method.to_owned()),
        request_id: Set(request.request_id.clone()),
        fingerprint: Set(request.fingerprint.to_vec()),
        case_name: Set(case.map(|(name, _)| name.to_owned())),
        attempt: Set(case.map_or(Ok(0), |(_, attempt)| int(attempt))?),
        answer: Set(answer.map(Answer::to_bytes)),
        create_time: Set(now.as_microsecond()),
    }))
}

/// Claims the request in this transaction by its [`record`], or tells what its id stands for.
pub async fn claim(tx: &Tx, request: &Request, record: Step) -> Result<Claim, Error> {
    match tx.expect(record).await {
        Ok(()) => return Ok(Claim::New),
        Err(Error::Lost) => {}
        Err(error) => return Err(error),
    }
    match look(&**tx, request).await? {
        Claim::New => Err(Error::Lost),
        claim => Ok(claim),
    }
}

/// The state of the request id, without claiming it.
pub async fn look(connection: &impl ConnectionTrait, request: &Request) -> Result<Claim, Error> {
    let row = Entity::find_by_id((request.principal.clone(), request.method.to_owned(), request.request_id.clone()))
        .one(connection)
        .await?;
    row.map_or(Ok(Claim::New), |row| request.compare(row))
}

/// An open request that the same transaction has claimed waits for that attempt of that case.
pub fn wait_for(request: &Request, case: &str, attempt: u32) -> Result<Step, Error> {
    let attempt: i32 = int(attempt)?;
    let update = Entity::update_many()
        .col_expr(Column::CaseName, Expr::value(case))
        .col_expr(Column::Attempt, Expr::value(attempt))
        .filter(Column::Principal.eq(&request.principal))
        .filter(Column::Method.eq(request.method))
        .filter(Column::RequestId.eq(&request.request_id));
    Ok(update.into())
}

/// Stores the answer to a request that the same transaction has claimed.
pub fn answer(request: &Request, answer: &Answer) -> Step {
    let update = Entity::update_many()
        .col_expr(Column::Answer, Expr::value(answer.to_bytes()))
        .filter(Column::Principal.eq(&request.principal))
        .filter(Column::Method.eq(request.method))
        .filter(Column::RequestId.eq(&request.request_id));
    update.into()
}

/// Stores the answer to every request that waits for this attempt of the case.
pub fn answer_case(case: &str, attempt: u32, answer: &Answer) -> Result<Step, Error> {
    let attempt: i32 = int(attempt)?;
    let update = Entity::update_many()
        .col_expr(Column::Answer, Expr::value(answer.to_bytes()))
        .filter(Column::CaseName.eq(case))
        .filter(Column::Attempt.eq(attempt))
        .filter(Column::Answer.is_null());
    Ok(Step::from(update).any())
}

/// Deletes every unanswered request that waits for this attempt: the same id may be used again, as a new request.
pub fn free_case(case: &str, attempt: u32) -> Result<Step, Error> {
    let attempt: i32 = int(attempt)?;
    let delete = Entity::delete_many()
        .filter(Column::CaseName.eq(case))
        .filter(Column::Attempt.eq(attempt))
        .filter(Column::Answer.is_null());
    Ok(Step::from(delete).any())
}

/// Purges a bounded number of answered requests made before `before`, and returns how many: zero when none is left.
pub async fn forget(tx: &Tx, before: Timestamp) -> Result<u64, Error> {
    let old = Condition::all().add(Column::CreateTime.lt(before.as_microsecond())).add(Column::Answer.is_not_null());
    let bound: Option<i64> = Entity::find()
        .select_only()
        .column(Column::CreateTime)
        .filter(old.clone())
        .order_by_asc(Column::CreateTime)
        .offset(FORGET)
        .limit(1)
        .into_tuple()
        .one(&**tx)
        .await?;
    let old = match bound {
        Some(bound) => old.add(Column::CreateTime.lte(bound)),
        None => old,
    };
    let deleted = Entity::delete_many().filter(old).exec(&**tx).await?;
    Ok(deleted.rows_affected)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::testbed::Testbed;

    fn request(asked: &str) -> Request {
        Request {
            principal: "users/alice".to_owned(),
            method: "CreateThing",
            request_id: "one".to_owned(),
            fingerprint: Sha256::digest(asked).into(),
        }
    }

    #[tokio::test]
    async fn the_same_request_is_carried_out_once_and_answered_alike() {
        let testbed = Testbed::new();
        let database = testbed.database("x.db").await;
        let (times, now) = (Cell::new(0_u8), Timestamp::UNIX_EPOCH);
        let work = |_| async {
            times.set(times.get() + 1);
            Ok(Answer::Ok(vec![times.get()]))
        };
        let first = request("a thing");
        for _ in 0..2 {
            let answer = once(&database, "create", Some(&first), now, work).await.unwrap();
            assert_eq!(answer, Answer::Ok(vec![1]));
        }
        let other = once(&database, "create", Some(&request("another")), now, work).await.unwrap_err();
        assert!(matches!(other, Error::Refused(refusal) if refusal.reason == Reason::REQUEST_ID_REUSED));
        assert_eq!(once(&database, "create", None, now, work).await.unwrap(), Answer::Ok(vec![2]), "it has no id");
    }

    #[tokio::test]
    async fn a_request_that_failed_may_come_again() {
        let testbed = Testbed::new();
        let database = testbed.database("x.db").await;
        let (request, now) = (request("a thing"), Timestamp::UNIX_EPOCH);
        let refuse = |_| async { Err(Refusal::new(Reason::INTERNAL, "there is none").into()) };
        once(&database, "create", Some(&request), now, refuse).await.unwrap_err();
        let done = once(&database, "create", Some(&request), now, |_| async { Ok(Answer::Ok(vec![7])) }).await;
        assert_eq!(done.unwrap(), Answer::Ok(vec![7]));
    }

    #[test]
    fn a_stored_refusal_reads_back_whole() {
        let refusal = Refusal::new(Reason::new("CARD_DECLINED", Code::FailedPrecondition), "the card was declined")
            .with("decline_reason", "insufficient_funds");
        let answer = Answer::Refused(refusal);
        assert_eq!(Answer::from_bytes(&answer.to_bytes()).ok(), Some(answer));
    }
}
