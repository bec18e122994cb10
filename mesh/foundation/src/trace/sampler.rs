//! Who decides whether a trace is kept.

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceContextExt, TraceId},
};
use opentelemetry_sdk::trace::{Config, SamplingResult, ShouldSample};

/// Marks a context whose span is a stranger's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stranger;

/// The sampler that was configured, which never hears what a stranger says: neither that the trace is to be kept, nor its id, from
/// which a ratio would be decided and which they could choose.
#[derive(Clone, Debug)]
pub struct Sampling(Box<dyn ShouldSample>);

impl Sampling {
    /// The sampler that `OTEL_TRACES_SAMPLER` names; as usual, all traces that begin here, and what a caller keeps.
    pub fn configured() -> Self {
        Self(Config::default().sampler)
    }

    #[cfg(test)]
    pub(super) fn by(sampler: impl Into<Box<dyn ShouldSample>>) -> Self {
        Self(sampler.into())
    }
}

impl ShouldSample for Sampling {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        // The mark stays in the contexts below; there the parent is a span of ours.
        let strangers =
            |context: &&Context| context.get::<Stranger>().is_some() && context.span().span_context().is_remote();
        match parent.filter(strangers) {
            Some(_) => {
                let drawn = TraceId::from(rand::random::<u128>());
                self.0.should_sample(None, drawn, name, kind, attributes, links)
            }
            None => self.0.should_sample(parent, trace_id, name, kind, attributes, links),
        }
    }
}
