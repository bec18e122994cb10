//! The stream of an incoming connection: a socket, with TLS if the process has a certificate.
//!
//! The handshake takes place at the first read or write, in the connection's own task and under its timeouts, after the connection was
//! counted. So a peer that delays the handshake costs as much as an idle peer, and delays no other connection.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use mesh_foundation::telemetry::metrics;
use mesh_transport::tls::Tls;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{Accept, TlsAcceptor, server::TlsStream};
use tokio_util::either::Either;

/// A socket, in clear or with TLS.
pub(super) struct Line(State);

enum State {
    Handshake(Box<Accept<TcpStream>>),
    Open(Open),
    Failed,
}

type Open = Either<TcpStream, Box<TlsStream<TcpStream>>>;

impl Line {
    /// The line over `socket`, with the certificate that is in use now.
    pub(super) fn new(socket: TcpStream, tls: Option<&Tls>) -> Self {
        Self(match tls.and_then(Tls::server) {
            Some(config) => State::Handshake(Box::new(TlsAcceptor::from(config).accept(socket))),
            None => State::Open(Either::Left(socket)),
        })
    }

    /// The stream, ready after the handshake.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&mut Open>> {
        if let State::Handshake(accept) = &mut self.0 {
            let shaken = ready!(Pin::new(accept.as_mut()).poll(cx));
            self.0 = State::Failed;
            self.0 = State::Open(Either::Right(Box::new(shaken.inspect_err(failed)?)));
        }
        Poll::Ready(match &mut self.0 {
            State::Open(open) => Ok(open),
            State::Handshake(_) | State::Failed => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

/// Counts a failed handshake and logs it at debug, so that scanners cannot fill the log.
fn failed(error: &io::Error) {
    metrics().tls_handshake_failures.add(1, &[]);
    tracing::debug!(error = error as &dyn std::error::Error, "failed to complete a TLS handshake");
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let open = ready!(self.get_mut().poll_open(cx))?;
        Pin::new(open).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let open = ready!(self.get_mut().poll_open(cx))?;
        Pin::new(open).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let open = ready!(self.get_mut().poll_open(cx))?;
        Pin::new(open).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        // Asked once, before the handshake; both kinds are.
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let open = ready!(self.get_mut().poll_open(cx))?;
        Pin::new(open).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            State::Open(open) => Pin::new(open).poll_shutdown(cx),
            // Nothing was written that would have to arrive.
            State::Handshake(_) | State::Failed => Poll::Ready(Ok(())),
        }
    }
}
