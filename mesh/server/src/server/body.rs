//! Bodies of replies that do something when they end, or that are ended early.
//!
//! A unary reply is complete when its handler returns. A stream lives on in its body, so permits and guards of the call are kept until
//! the body is dropped: at the end of the stream, or when the caller hangs up.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use mesh_foundation::error::Error;
use tonic::{Status, body::Body};

use super::layer::Reply;

type Polled = Poll<Option<Result<Frame<Bytes>, Status>>>;

/// Keeps `guard` until the reply's body is dropped.
pub(super) fn hold<G: Send + Unpin + 'static>(reply: Reply, guard: G) -> Reply {
    reply.map(|inner| Body::new(Held { inner, _guard: guard }))
}

struct Held<G> {
    inner: Body,
    _guard: G,
}

impl<G: Unpin> HttpBody for Held<G> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// How many ready frames are still sent when a stream is cut: a last message is not lost, and an endless stream ends all the same.
const LAST_FRAMES: usize = 16;

/// Ends the reply's stream with the status of `until`, if `until` resolves first.
pub(super) fn cut(reply: Reply, until: impl Future<Output = Status> + Send + 'static) -> Reply {
    reply.map(|inner| cut_body(inner, until))
}

/// Ends `inner` with the status of `until`, if `until` resolves first.
pub(super) fn cut_body(inner: Body, until: impl Future<Output = Status> + Send + 'static) -> Body {
    Body::new(Cut { inner: Some(inner), until: Box::pin(until), over: None, frames_left: LAST_FRAMES })
}

struct Cut {
    /// None once the stream was cut.
    inner: Option<Body>,
    until: BoxFuture<'static, Status>,
    /// The status of `until`, once it has resolved.
    over: Option<Status>,
    frames_left: usize,
}

impl HttpBody for Cut {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        let polled = Pin::new(inner).poll_frame(cx);
        if this.over.is_none() {
            match this.until.as_mut().poll(cx) {
                Poll::Pending => return polled,
                Poll::Ready(status) => this.over = Some(status),
            }
        }
        if polled.is_ready() && this.frames_left > 0 {
            this.frames_left -= 1;
            return polled;
        }
        this.inner = None;
        Poll::Ready(this.over.take().map(|status| Ok(trailers(&status))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

/// Ends the reply's stream with INTERNAL if the stream panics.
pub(super) fn contain(reply: Reply) -> Reply {
    reply.map(|inner| Body::new(Contained { inner: Some(inner) }))
}

struct Contained {
    /// None after a panic: the body is not polled again.
    inner: Option<Body>,
}

impl HttpBody for Contained {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll_frame(cx))).unwrap_or_else(|_| {
            self.inner = None;
            let status = Error::Internal("a stream panicked".to_owned()).into();
            Poll::Ready(Some(Ok(trailers(&status))))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

fn trailers(status: &Status) -> Frame<Bytes> {
    let mut headers = HeaderMap::new();
    // Fails only for a status that no header can hold, and ours are percent-encoded.
    if let Err(unwritable) = status.add_header(&mut headers) {
        tracing::error!(code = ?unwritable.code(), "failed to write a status into headers");
    }
    Frame::trailers(headers)
}

/// Calls `seen` with the status with which the reply ends. If the caller hangs up before, `seen` is dropped without a call.
pub(super) fn observe(reply: Reply, mut seen: impl FnMut(&Status) + Send + Unpin + 'static) -> Reply {
    match Status::from_header_map(reply.headers()) {
        Some(status) => {
            seen(&status);
            reply
        }
        None => reply.map(|inner| Body::new(Observed { inner, seen })),
    }
}

struct Observed<F> {
    inner: Body,
    seen: F,
}

impl<F: FnMut(&Status) + Unpin> HttpBody for Observed<F> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(status) = frame.trailers_ref().and_then(Status::from_header_map) {
                    (self.seen)(&status);
                }
            }
            Poll::Ready(Some(Err(status))) => (self.seen)(status),
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
