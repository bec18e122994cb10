//! Whenever anything happens that is shown here, then show it.

use mesh::{
    Clock, Error, Event, Tx,
    context::{Handled, Policies},
};

use crate::{projection, store::write};

/// The projection, as the consumer drives it.
pub struct Projection {
    /// Tells when a booking was changed here.
    pub clock: Clock,
}

#[async_trait::async_trait]
impl Policies for Projection {
    async fn handle(&self, tx: &Tx, event: &Event) -> Result<Handled, Error> {
        match projection::project(event)? {
            Some(heard) => {
                write::apply(tx, &heard, self.clock.now()).await?;
                Ok(Handled::Done)
            }
            None => Ok(Handled::Unknown),
        }
    }
}
