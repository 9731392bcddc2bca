//! The keys and the state of one end of a connection, and the few steps that rustls lets us take with them.

use std::io;

use bytes::{BufMut, BytesMut};
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus, WriteTraffic,
};
use rustls::{CommonState, Error};

use super::RECORD_OVERHEAD;

/// One end of a connection.
pub(super) enum Session {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// Where what comes out of a session goes.
pub(super) struct Opened<'a> {
    /// Plaintext, up to the limit.
    pub(super) into: &'a mut BytesMut,
    pub(super) limit: usize,
    /// Plaintext beyond it.
    pub(super) plain: &'a mut BytesMut,
    /// What the session itself has to say to the peer.
    pub(super) sealed: &'a mut Sealed,
    /// The peer has said that no more will come.
    pub(super) closed: bool,
}

/// What to write.
#[derive(Clone, Copy)]
pub(super) enum Write<'a> {
    /// One record of data.
    Data(&'a [u8]),
    /// That no more will come.
    Goodbye,
}

/// Records on their way out. Its memory is used again and not cleared, which would cost as much as a copy.
#[derive(Default)]
pub(super) struct Sealed {
    memory: Vec<u8>,
    filled: usize,
}

impl Sealed {
    pub(super) fn clear(&mut self) {
        self.filled = 0;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[..self.filled]
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.filled += bytes.len();
    }

    fn room(&mut self, bytes: usize) -> &mut [u8] {
        if self.memory.len() - self.filled < bytes {
            self.memory.resize(self.filled + bytes, 0);
        }
        &mut self.memory[self.filled..]
    }

    /// Appends what `write` writes; it is asked again when there was not enough room.
    fn append<E>(
        &mut self,
        mut room: usize,
        mut write: impl FnMut(&mut [u8]) -> Result<usize, E>,
        lacks: impl Fn(&E) -> Option<usize>,
    ) -> Result<(), E> {
        loop {
            match write(self.room(room)) {
                Ok(written) => {
                    self.filled += written;
                    return Ok(());
                }
                Err(error) => match lacks(&error) {
                    Some(required) if required > room => room = required,
                    Some(_) | None => return Err(error),
                },
            }
        }
    }
}

impl Opened<'_> {
    fn plain(&mut self, data: &[u8]) {
        let wanted = if self.plain.is_empty() { data.len().min(self.limit) } else { 0 };
        self.into.put_slice(&data[..wanted]);
        self.limit -= wanted;
        self.plain.extend_from_slice(&data[wanted..]);
    }
}

/// What comes after a step.
enum Step {
    Again,
    /// No more can be done with what has come.
    Wait,
    /// What was to be written is.
    Written,
    Failed(Error),
}

/// rustls' two kinds of connections, which have no trait in common.
trait Connection {
    type Data;

    fn state(&self) -> &CommonState;

    fn process<'c, 'i>(&'c mut self, cipher: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl Connection for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn state(&self) -> &CommonState {
        self
    }

    fn process<'c, 'i>(&'c mut self, cipher: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(cipher)
    }
}

impl Connection for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn state(&self) -> &CommonState {
        self
    }

    fn process<'c, 'i>(&'c mut self, cipher: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(cipher)
    }
}

impl Session {
    pub(super) fn state(&self) -> &CommonState {
        match self {
            Self::Server(session) => session,
            Self::Client(session) => session,
        }
    }

    /// Takes `cipher`; how much of it was used. After an error, what the peer is to be told is in `opened`.
    pub(super) fn open(&mut self, cipher: &mut [u8], opened: &mut Opened<'_>) -> Result<usize, Error> {
        match self {
            Self::Server(session) => open(session, cipher, opened),
            Self::Client(session) => open(session, cipher, opened),
        }
    }

    /// Appends records to `sealed`, behind what the session itself has to say. `partial` is what was left of the
    /// bytes that came: the session remembers how far it has got in them.
    pub(super) fn write(
        &mut self,
        what: Write<'_>,
        partial: &mut Vec<u8>,
        sealed: &mut Sealed,
    ) -> io::Result<()> {
        match self {
            Self::Server(session) => write(session, what, partial, sealed),
            Self::Client(session) => write(session, what, partial, sealed),
        }
    }
}

fn open(
    connection: &mut impl Connection,
    cipher: &mut [u8],
    opened: &mut Opened<'_>,
) -> Result<usize, Error> {
    let mut used = 0;
    loop {
        let (discard, next) = step(connection.process(&mut cipher[used..]), opened, None);
        used += discard;
        match next {
            Step::Again => {}
            Step::Wait | Step::Written => return Ok(used),
            Step::Failed(error) => {
                // What the peer is to be told comes out before any bytes are looked at, which would go wrong again.
                while connection.state().wants_write() {
                    step(connection.process(&mut []), opened, None);
                }
                return Err(error);
            }
        }
    }
}

fn write(
    connection: &mut impl Connection,
    what: Write<'_>,
    partial: &mut Vec<u8>,
    sealed: &mut Sealed,
) -> io::Result<()> {
    // Nothing new comes in here: the session says what it has to say, and then that it can be written to.
    let (mut into, mut plain) = (BytesMut::new(), BytesMut::new());
    let mut opened = Opened { into: &mut into, limit: 0, plain: &mut plain, sealed, closed: false };
    let mut used = 0;
    let outcome = loop {
        let (discard, next) = step(connection.process(&mut partial[used..]), &mut opened, Some(what));
        used += discard;
        match next {
            Step::Again => {}
            Step::Written => break Ok(()),
            Step::Wait => break Err(io::ErrorKind::NotConnected.into()),
            Step::Failed(error) => break Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    };
    if used > 0 {
        partial.drain(..used);
    }
    outcome
}

/// Takes one step; how much of what came was used, and what comes then.
fn step<D>(
    status: UnbufferedStatus<'_, '_, D>,
    opened: &mut Opened<'_>,
    what: Option<Write<'_>>,
) -> (usize, Step) {
    let UnbufferedStatus { mut discard, state } = status;
    let next = match state {
        Err(error) => Step::Failed(error),
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut next = Step::Again;
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => {
                        discard += record.discard;
                        opened.plain(record.payload);
                    }
                    Err(error) => next = Step::Failed(error),
                }
            }
            next
        }
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            let lacks = |error: &EncodeError| match error {
                EncodeError::InsufficientSize(InsufficientSizeError { required_size }) => {
                    Some(*required_size)
                }
                EncodeError::AlreadyEncoded => None,
            };
            match opened.sealed.append(RECORD_OVERHEAD, |room| data.encode(room), lacks) {
                Ok(()) | Err(EncodeError::AlreadyEncoded) => Step::Again,
                Err(error @ EncodeError::InsufficientSize(_)) => {
                    Step::Failed(Error::General(error.to_string()))
                }
            }
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done(); // it is in order among what is to be written
            Step::Again
        }
        Ok(ConnectionState::PeerClosed) => {
            opened.closed = true;
            Step::Again
        }
        Ok(ConnectionState::Closed) => {
            opened.closed = true;
            Step::Wait
        }
        Ok(ConnectionState::BlockedHandshake) => Step::Wait,
        Ok(ConnectionState::WriteTraffic(traffic)) => match what {
            None => Step::Wait,
            Some(what) => put(traffic, what, opened.sealed),
        },
        // Early data, which is never accepted, and what rustls may invent.
        Ok(_) => Step::Failed(Error::HandshakeNotComplete),
    };
    (discard, next)
}

fn put<D>(mut traffic: WriteTraffic<'_, D>, what: Write<'_>, sealed: &mut Sealed) -> Step {
    let lacks = |error: &EncryptError| match error {
        EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => Some(*required_size),
        EncryptError::EncryptExhausted => None,
    };
    let written = match what {
        Write::Data(data) => {
            sealed.append(data.len() + RECORD_OVERHEAD, |room| traffic.encrypt(data, room), lacks)
        }
        Write::Goodbye => sealed.append(RECORD_OVERHEAD, |room| traffic.queue_close_notify(room), lacks),
    };
    match written {
        Ok(()) => Step::Written,
        Err(error) => Step::Failed(Error::General(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::pki_types::ServerName;
    use rustls::server::ResolvesServerCertUsingSni;
    use rustls::{ClientConfig, RootCertStore, ServerConfig};

    use super::*;

    fn server() -> Session {
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
        Session::Server(UnbufferedServerConnection::new(Arc::new(config)).unwrap())
    }

    /// What `session` makes of `cipher`: how much it used, and what it has to say.
    fn open(session: &mut Session, cipher: &mut [u8]) -> (Result<usize, Error>, Vec<u8>) {
        let (mut into, mut plain, mut sealed) = (BytesMut::new(), BytesMut::new(), Sealed::default());
        let mut opened =
            Opened { into: &mut into, limit: 0, plain: &mut plain, sealed: &mut sealed, closed: false };
        let outcome = session.open(cipher, &mut opened);
        (outcome, sealed.bytes().to_vec())
    }

    fn hello() -> Vec<u8> {
        let config =
            ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        let name = ServerName::try_from("a.test").unwrap();
        let client = UnbufferedClientConnection::new(Arc::new(config), name).unwrap();
        open(&mut Session::Client(client), &mut []).1
    }

    fn record(body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[22, 3, 1, length[0], length[1]], body].concat()
    }

    /// rustls remembers how far it has got in the bytes that it did not use up, and looks for them there.
    #[test]
    fn a_part_of_a_message_is_handed_back_whenever_a_session_is_asked_for_something() {
        let mut session = server();
        let mut partial = record(&hello()[5..105]);
        let (used, said) = open(&mut session, &mut partial);
        assert_eq!((used, said), (Ok(0), vec![]));
        let written = session.write(Write::Goodbye, &mut partial, &mut Sealed::default());
        assert!(written.is_err(), "nothing can be written before the handshake");
        assert_eq!(partial.len(), 105);
    }

    #[test]
    fn what_goes_wrong_behind_a_part_of_a_message_is_said_once() {
        let mut session = server();
        let mut bytes = record(&hello()[5..105]);
        bytes.extend(record(&[0xff; 100])); // goes on with it, and makes no sense
        bytes.extend([23, 3, 3, 0, 1, 0]); // and data within it
        let (outcome, said) = open(&mut session, &mut bytes);
        assert!(outcome.is_err());
        assert!(said.is_empty() || (said[0] == 21 && said.len() == 7), "one alert: {said:?}");
    }

    #[test]
    fn a_hello_that_comes_in_one_piece_is_used_up() {
        let mut session = server();
        let mut bytes = hello();
        let (outcome, said) = open(&mut session, &mut bytes);
        assert!(matches!(outcome, Err(Error::General(_))), "no certificate is for it: {outcome:?}");
        assert!(said.ends_with(&[0, 2, 2, 49]), "{said:?}");
    }
}
