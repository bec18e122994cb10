//! Steps of a context's own on a CONFIRMED case: what is sold is prepared, handed over, brought back. The lifecycle knows none of
//! them, and writes each as it writes its own (rule T).

use mesh_foundation::{
    call::Actor,
    error::{Error, Reason, Refusal},
    event::Event,
};
use mesh_store::{
    db::Tx,
    outbox,
    requests::{self, Answer, Request},
};

use super::{
    Checkout, Inner,
    machine::State,
    record::{Case, Cases, Record, Scope},
    store,
};

/// What a step tells of a case, which is as it is after the step.
pub type Told<K> = fn(&K, &Actor) -> Event;

/// What a step of the context's own came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress<K> {
    /// It was taken. The case is as it is after it.
    Taken(K),
    /// It had been taken before: nothing was written, and nothing told.
    Nothing(K),
    /// The case is not paid yet, is being cancelled, or has ended: nothing was written, and nothing told.
    NotConfirmed(K),
}

impl<C: Cases> Checkout<C> {
    /// Takes a step for somebody who may see the case, and answers with the case as it then stands. A step that was taken before is
    /// answered like the first time; one on a case that is not CONFIRMED is refused.
    ///
    /// One commit: the request record, the case, its event, the stored answer. `change` is called again, with the case as it then
    /// stands, whenever somebody else was faster.
    pub async fn progress(
        &self,
        name: &str,
        scope: Scope,
        request: Option<Request>,
        actor: &Actor,
        change: impl Fn(&mut C::Case) -> Result<Option<Told<C::Case>>, Error> + Send + Sync,
    ) -> Result<Answer, Error> {
        let (scope, change) = (&scope, &change);
        let Inner { cases, database, clock, .. } = &*self.0;
        requests::once(database, "progress", request.as_ref(), clock.now(), |tx| async move {
            match self.progress_in(&tx, name, scope, actor, change).await? {
                Progress::Taken(case) | Progress::Nothing(case) => Ok(Answer::Ok(cases.answer(&case))),
                Progress::NotConfirmed(case) => Err(not_confirmed::<C>(case.record()).into()),
            }
        })
        .await
    }

    /// The same in a transaction that is open already: for a policy. Events come in any order and more than once, so a case that is
    /// not CONFIRMED is no error: the policy is told how it stands.
    ///
    /// `change` writes the step on the case, in the columns that are the context's own (the lifecycle's it cannot change), and says
    /// what is told of it; `None` if there is nothing to do. It refuses a step that the case does not allow.
    pub async fn progress_in(
        &self,
        tx: &Tx,
        name: &str,
        scope: &Scope,
        actor: &Actor,
        change: impl FnOnce(&mut C::Case) -> Result<Option<Told<C::Case>>, Error> + Send,
    ) -> Result<Progress<C::Case>, Error> {
        let before = self.must_find(tx, name, scope).await?;
        if before.record().state() != State::Confirmed {
            return Ok(Progress::NotConfirmed(before));
        }
        let mut case = before.clone();
        let Some(told) = change(&mut case)? else { return Ok(Progress::Nothing(before)) };
        let from = (before.record().version, State::Confirmed);
        *case.record_mut() = Record { version: from.0 + 1, update_time: self.0.clock.now(), ..before.record().clone() };
        // The conditional update first, because everything else hangs on it. If somebody was faster, the transaction is run again, and
        // this reads again.
        tx.expect(store::update::<C>(from, &case)?).await?;
        let actor = Actor { correlation_id: case.record().correlation_id.clone(), ..actor.clone() };
        outbox::append(tx, told(&case, &actor)).await?;
        Ok(Progress::Taken(case))
    }
}

fn not_confirmed<C: Cases>(record: &Record) -> Refusal {
    let state = record.state().name();
    Refusal::new(
        Reason::ILLEGAL_TRANSITION,
        format!("the {} is {state}, and goes on only while it is CONFIRMED", C::WORD),
    )
    .with("from", state)
    .with("case", &record.name)
}
