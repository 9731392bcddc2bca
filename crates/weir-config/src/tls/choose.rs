//! Which certificate a client is shown.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::Certificate;

/// The certificates of a listener by the hosts that they are for.
#[derive(Debug)]
pub(super) struct Chooser {
    exact: HashMap<Arc<str>, Pair>,
    /// By what follows `*.`, which stands for one part (RFC 9525 section 6.3).
    wildcard: HashMap<Arc<str>, Pair>,
    /// For clients that name no host, or one that no certificate is for.
    other: Option<Pair>,
}

/// The certificates for one name: one for each kind of key.
#[derive(Debug, Clone, Default)]
struct Pair {
    /// ECDSA or Ed25519: smaller, and much cheaper to sign with.
    small: Option<Arc<CertifiedKey>>,
    rsa: Option<Arc<CertifiedKey>>,
}

impl Chooser {
    /// `clash` is told of each certificate that has a name which another of its kind has already; the first one
    /// keeps it.
    pub(super) fn new(
        certificates: &[&Arc<Certificate>],
        strict: bool,
        mut clash: impl FnMut(usize, &str),
    ) -> Self {
        let mut chooser = Self { exact: HashMap::new(), wildcard: HashMap::new(), other: None };
        for (index, certificate) in certificates.iter().enumerate() {
            let mut clashes = None;
            for name in &certificate.names {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(rest) => (&mut chooser.wildcard, Arc::from(rest)),
                    None => (&mut chooser.exact, Arc::clone(name)),
                };
                if !names.entry(Arc::clone(&name)).or_default().add(certificate) {
                    clashes.get_or_insert(name);
                }
            }
            if let Some(name) = clashes {
                clash(index, &name);
            }
        }
        if !strict && let Some(first) = certificates.first() {
            // With the other kind of key for the same name, if there is one.
            let mut pair = Pair::default();
            pair.add(first);
            if let Some(named) = first.names.first().and_then(|name| chooser.find(name)) {
                pair.small = pair.small.or_else(|| named.small.clone());
                pair.rsa = pair.rsa.or_else(|| named.rsa.clone());
            }
            chooser.other = Some(pair);
        }
        chooser
    }

    fn find(&self, name: &str) -> Option<&Pair> {
        self.exact.get(name).or_else(|| self.wildcard.get(name.split_once('.')?.1))
    }
}

impl Pair {
    /// Whether there was none of its kind before.
    fn add(&mut self, certificate: &Certificate) -> bool {
        let slot = if certificate.is_rsa { &mut self.rsa } else { &mut self.small };
        let free = slot.is_none();
        slot.get_or_insert_with(|| Arc::clone(&certificate.key));
        free
    }
}

thread_local! {
    /// The host that the client of the handshake which this thread looks at has named. rustls' unbuffered connections
    /// don't say it; they ask for a certificate in the turn in which the ClientHello is read.
    static NAMED: Cell<Option<Box<str>>> = const { Cell::new(None) };
}

/// The host that the ClientHello which this thread has just read named (RFC 6066 section 3).
pub fn take_named() -> Option<Box<str>> {
    NAMED.take()
}

impl ResolvesServerCert for Chooser {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        NAMED.set(hello.server_name().map(Into::into));
        let Pair { small, rsa } =
            hello.server_name().and_then(|name| self.find(name)).or(self.other.as_ref())?;
        // The schemes are those that the client's cipher suites allow, too.
        let schemes = hello.signature_schemes();
        let small =
            small.as_ref().filter(|small| rsa.is_none() || small.key.choose_scheme(schemes).is_some());
        small.or(rsa.as_ref()).cloned()
    }
}
