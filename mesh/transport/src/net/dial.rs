//! One attempt to connect.

use std::{io, net::SocketAddr, sync::Arc};

use rand::seq::SliceRandom;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, pki_types::ServerName},
};
use tokio_util::either::Either;

use super::Address;

/// How many of the addresses behind one name are tried. The caller's timeout is around all of them.
const MAX_TRIED: usize = 8;

/// A stream in clear, or with TLS.
pub(crate) type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// A stream to a peer.
pub(crate) struct Dialled {
    pub stream: Stream,
    /// The peer's address: one name may have several.
    pub peer: SocketAddr,
}

/// Connects to `address`; with the TLS settings `tls` if it is `https`. Has no timeout of its own: the caller sets one.
///
/// The addresses behind a name are tried in random order, so that several connections to one name spread over its replicas.
pub(crate) async fn dial(address: &Address, tls: &Arc<ClientConfig>) -> io::Result<Dialled> {
    let mut found: Vec<SocketAddr> = tokio::net::lookup_host((address.host(), address.port())).await?.collect();
    found.shuffle(&mut rand::rng());
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for peer in found.into_iter().take(MAX_TRIED) {
        match TcpStream::connect(peer).await {
            Ok(stream) => return secure(stream, peer, address, tls).await,
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn secure(
    stream: TcpStream,
    peer: SocketAddr,
    address: &Address,
    tls: &Arc<ClientConfig>,
) -> io::Result<Dialled> {
    // Requests are small, and a caller waits for each.
    stream.set_nodelay(true)?;
    if !address.is_tls() {
        return Ok(Dialled { stream: Either::Left(stream), peer });
    }
    let name = ServerName::try_from(address.host().to_owned()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(tls.clone()).connect(name, stream).await?;
    Ok(Dialled { stream: Either::Right(Box::new(stream)), peer })
}
