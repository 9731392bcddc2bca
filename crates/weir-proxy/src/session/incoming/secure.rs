//! TLS towards a client: the handshake within its time, and what becomes of one that fails.
//!
//! A client that fails costs what its bytes cost, a counter by cause and a line at debug level.

use std::rc::Rc;

use ::http::StatusCode;
use bytes::BytesMut;
use rustls::{CipherSuite, Error, HandshakeKind, ProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_config::model::Alpn;
use weir_config::tls::{self, ListenerTls};

use super::Incoming;
use crate::exchange::respond;
use crate::session::LINGER;
use crate::session::watchdog::{Expired, Wait, Watchdog};
use crate::stats::{Counter, ListenerCounters};
use crate::wire::Socket;
use crate::wire::tls::{HandshakeError, Tls};
use crate::worker::local::{Local, LocalListener};

/// What is known of a client's TLS.
#[derive(Debug, Clone)]
pub(crate) struct Secured {
    /// Such as `TLSv1.3`.
    pub(crate) version: &'static str,
    /// Such as `TLS_AES_256_GCM_SHA384`.
    pub(crate) cipher: &'static str,
    /// What both ends agreed to speak.
    pub(crate) alpn: Option<Alpn>,
    /// The subject of the client's certificate, where servers are to be told.
    pub(crate) subject: Option<Box<str>>,
    /// The common name in the client's certificate, which was verified; empty where it has none.
    pub(crate) common_name: Option<Box<str>>,
}

/// What a client is told that speaks HTTP to a port that speaks TLS.
const PLAIN_TEXT: &str = "400 Bad Request: this port speaks TLS; the address begins with https://\n";
/// How much is still read from such a client, so that it sees the answer.
const LINGER_READS_MAX: usize = 64;

/// Agrees with the client on TLS. `None`: it did not come to that, and the connection is over.
pub(super) async fn secure(
    local: &Rc<Local>,
    listener: &Rc<LocalListener>,
    incoming: Incoming,
) -> Option<Incoming> {
    let Incoming { socket, peer, early, mut facts } = incoming;
    let ready = listener.listener.tls.as_ref()?;
    let counters = listener.counters();
    let watchdog = Watchdog::new(local);
    let timeout = listener.listener.config.timeouts.tls_handshake;
    let mut tls = Tls::server(socket, &early, &ready.config).ok()?;
    let error = match watchdog.within(Wait::Connect, timeout, tls.handshake()).await {
        Ok(Ok(())) => {
            counters.tls_handshakes.add(1);
            if tls.state().handshake_kind() == Some(HandshakeKind::Resumed) {
                counters.tls_resumptions.add(1);
            }
            let known = Rc::make_mut(facts.get_or_insert_default());
            known.server_name = tls.take_server_name();
            known.tls = Some(Secured::of(&tls, listener));
            return Some(Incoming { socket: Socket::Tls(tls), peer, early: BytesMut::new(), facts });
        }
        Ok(Err(error)) => error,
        Err(Expired) => {
            counters.tls_timeouts.add(1);
            let name = &*listener.listener.config.name;
            tracing::debug!(listener = name, %peer, "TLS handshake not done in time (timeouts.tls_handshake)");
            return None;
        }
    };
    counter(counters, &error).add(1);
    tracing::debug!(listener = &*listener.listener.config.name, %peer, %error, "TLS handshake failed");
    let _ = watchdog.within(Wait::Linger, LINGER, last_words(&error, &mut tls)).await;
    None
}

/// Lets the client see why: what was said before a socket with unread bytes is closed is lost.
async fn last_words(error: &HandshakeError, tls: &mut Tls) {
    let socket = tls.socket_mut();
    match error {
        HandshakeError::PlainText => {
            let answer = respond::raw_text(StatusCode::BAD_REQUEST, PLAIN_TEXT, None);
            if socket.write_all(&answer).await.is_err() {
                return;
            }
        }
        HandshakeError::Closed | HandshakeError::Broken(_) => return,
        HandshakeError::TooLong
        | HandshakeError::UnknownName
        | HandshakeError::NoName
        | HandshakeError::Refused(_) => {}
    }
    if socket.shutdown().await.is_err() {
        return;
    }
    let mut rest = Vec::with_capacity(4 << 10);
    for _ in 0..LINGER_READS_MAX {
        rest.clear();
        if !matches!(socket.read_buf(&mut rest).await, Ok(1..)) {
            return;
        }
    }
}

/// The counter of those who failed for this cause.
fn counter<'c>(counters: &'c ListenerCounters, error: &HandshakeError) -> &'c Counter {
    match error {
        HandshakeError::PlainText => &counters.tls_plain_text,
        HandshakeError::Closed | HandshakeError::Broken(_) => &counters.tls_aborted,
        HandshakeError::Refused(Error::AlertReceived(_)) => &counters.tls_aborted,
        HandshakeError::UnknownName => &counters.tls_unknown_names,
        HandshakeError::Refused(Error::PeerIncompatible(_) | Error::NoApplicationProtocol) => {
            &counters.tls_incompatible
        }
        HandshakeError::Refused(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => {
            &counters.tls_client_certificates
        }
        HandshakeError::TooLong | HandshakeError::NoName | HandshakeError::Refused(_) => {
            &counters.tls_malformed
        }
    }
}

impl Secured {
    fn of(tls: &Tls, listener: &LocalListener) -> Self {
        let state = tls.state();
        let wanted = listener.listener.config.tls.as_ref().and_then(|tls| tls.client_certificates.as_ref());
        let subject = wanted
            .filter(|clients| clients.header.is_some())
            .and_then(|_| tls::subject(state.peer_certificates()?.first()?))
            .map(String::into_boxed_str);
        Self {
            version: match state.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLS",
            },
            // rustls' names, but for the number in those of TLS 1.3: as IANA lists them.
            cipher: match state.negotiated_cipher_suite().map(|suite| suite.suite()) {
                Some(CipherSuite::TLS13_AES_256_GCM_SHA384) => "TLS_AES_256_GCM_SHA384",
                Some(CipherSuite::TLS13_AES_128_GCM_SHA256) => "TLS_AES_128_GCM_SHA256",
                Some(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256) => "TLS_CHACHA20_POLY1305_SHA256",
                suite => suite.and_then(|suite| suite.as_str()).unwrap_or("unknown"),
            },
            alpn: ListenerTls::alpn(state.alpn_protocol()),
            subject,
            common_name: state
                .peer_certificates()
                .and_then(|shown| tls::common_name(shown.first()?))
                .map(String::into_boxed_str),
        }
    }
}
