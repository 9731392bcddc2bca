//! Scripted servers: each connection runs a script on a thread of its own, and everything that came is kept.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::message::{Framing, Head};
use crate::until;
use crate::wire::{Record, Wire};

/// A scripted server, which ends as if it were killed when it is dropped.
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// A request that an [`Origin`] read.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// Its target, as it came.
    pub target: String,
    /// Its head.
    pub head: Head,
    /// Its body, without framing.
    pub body: Vec<u8>,
    /// The fields after its body.
    pub trailers: Vec<(String, String)>,
    /// On which connection it came; the first is 0.
    pub connection: usize,
}

/// The server's end of one connection, as a script sees it.
pub struct Peer {
    wire: Wire,
    /// Which connection it is; the first is 0.
    pub connection: usize,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    stopping: AtomicBool,
    sockets: Mutex<Vec<Option<TcpStream>>>,
    records: Mutex<Vec<Record>>,
    requests: Mutex<Vec<Request>>,
}

type Script = Arc<dyn Fn(&mut Peer) -> io::Result<()> + Send + Sync>;

/// A plain answer with this body.
pub fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

impl Origin {
    /// Runs `script` on each connection; the connection ends with it.
    pub fn scripted(script: impl Fn(&mut Peer) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::on(SocketAddr::from(([127, 0, 0, 1], 0)), script)
    }

    /// The same at an address that is given.
    ///
    /// # Panics
    /// When somebody else has it.
    pub fn on(
        address: SocketAddr,
        script: impl Fn(&mut Peer) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        // A port that was just given up may be held a moment longer, by a child that another test starts.
        let listener = until(&format!("{address} can be bound"), || TcpListener::bind(address).ok());
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let accepting = {
            let (shared, script): (_, Script) = (Arc::clone(&shared), Arc::new(script));
            std::thread::spawn(move || accept(&listener, &shared, &script))
        };
        Self { address, shared, accepting: Some(accepting) }
    }

    /// A good server: keeps its connections, reads each request whole, and sends what `answer` makes of it.
    pub fn answering(answer: impl Fn(&Request) -> String + Send + Sync + 'static) -> Self {
        Self::scripted(good(answer))
    }

    /// A good server that answers everything with `200` and its name.
    pub fn named(name: &str) -> Self {
        let answer = ok(name);
        Self::answering(move |_| answer.clone())
    }

    /// The same at an address that is given.
    pub fn named_on(address: SocketAddr, name: &str) -> Self {
        let answer = ok(name);
        Self::on(address, good(move |_| answer.clone()))
    }

    /// A server that answers each request, whatever it is, with these bytes, and keeps the connection.
    pub fn fixed(answer: &'static [u8]) -> Self {
        Self::scripted(move |peer| {
            while peer.request()?.is_some() {
                peer.send(answer)?;
            }
            Ok(())
        })
    }

    /// A server that reads one request, sends these bytes and closes.
    pub fn closing(answer: &'static [u8]) -> Self {
        Self::scripted(move |peer| {
            peer.request()?;
            peer.send(answer)
        })
    }

    /// A server that accepts connections and requests, and never says a word.
    pub fn silent() -> Self {
        Self::scripted(Peer::wait_for_end)
    }

    /// An address at which nobody listens, and nobody else will while the tests run.
    pub fn nobody() -> SocketAddr {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        std::mem::forget(socket); // bound, so nobody else gets it; and not listening
        address
    }

    /// An address for a program that can't be told to take any: free now.
    pub fn free() -> SocketAddr {
        TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        self.shared.records.lock().unwrap().len()
    }

    /// How many of its connections are still open.
    pub fn open_connections(&self) -> usize {
        self.shared.sockets.lock().unwrap().iter().flatten().count()
    }

    /// The requests that it has read, in the order in which they were whole.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The only request that it has read.
    ///
    /// # Panics
    /// When there was none, or more.
    #[track_caller]
    pub fn request(&self) -> Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// Every byte that came, one connection after the other.
    pub fn received(&self) -> Vec<u8> {
        let records = self.shared.records.lock().unwrap();
        records.iter().flat_map(|record| record.lock().unwrap().clone()).collect()
    }

    /// Ends as if it were killed: no connection and no port is left.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // wakes the thread that accepts
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        for socket in self.shared.sockets.lock().unwrap().iter().flatten() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, script: &Script) {
    for socket in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(socket) = socket else { return };
        let (shared, script) = (Arc::clone(shared), Arc::clone(script));
        let record = Record::default();
        let connection = {
            let mut sockets = shared.sockets.lock().unwrap();
            sockets.push(socket.try_clone().ok());
            shared.records.lock().unwrap().push(Arc::clone(&record));
            sockets.len() - 1
        };
        std::thread::spawn(move || {
            let wire = Wire::new(socket).recorded(record);
            let mut peer = Peer { wire, connection, shared: Arc::clone(&shared) };
            // A script fails when the other side is gone, which is the other side's matter.
            let _ = script(&mut peer);
            drop(peer); // first, so that it is closed when it counts as closed
            // Both copies of the socket go now, so that the connection is closed, and as the script wants it.
            shared.sockets.lock().unwrap()[connection] = None;
        });
    }
}

fn good(answer: impl Fn(&Request) -> String) -> impl Fn(&mut Peer) -> io::Result<()> {
    move |peer| {
        while let Some(request) = peer.request()? {
            peer.send(answer(&request))?;
        }
        Ok(())
    }
}

impl Peer {
    /// Reads a request with its body; `None` when the other side has closed.
    ///
    /// # Errors
    /// When the request is not sound, or broke off.
    pub fn request(&mut self) -> io::Result<Option<Request>> {
        let Some(mut request) = self.head()? else { return Ok(None) };
        let framing = framing(&request.head)?;
        let body = self.wire.body(framing)?;
        request.body = body.bytes;
        request.trailers = body.trailers;
        self.keep(&request);
        Ok(Some(request))
    }

    /// Reads a request's head only; the body, if any, is the script's. `None` when the other side has closed.
    ///
    /// # Errors
    /// When it is not sound, or broke off.
    pub fn head(&mut self) -> io::Result<Option<Request>> {
        self.wire.socket.set_read_timeout(None)?; // the next request may be long in coming
        let head = self.wire.head();
        self.wire.socket.set_read_timeout(Some(crate::PATIENCE))?;
        let Some(head) = head? else { return Ok(None) };
        let mut words = head.start.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let connection = self.connection;
        Ok(Some(Request { method, target, head, connection, ..Request::default() }))
    }

    /// Lets the test see a request whose head was read with [`Peer::head`].
    pub fn keep(&self, request: &Request) {
        self.shared.requests.lock().unwrap().push(request.clone());
    }

    /// Reads the body of a request whose head was read with [`Peer::head`].
    ///
    /// # Errors
    /// When it is not sound, or broke off.
    pub fn body(&mut self, request: &mut Request) -> io::Result<()> {
        let framing = framing(&request.head)?;
        let body = self.wire.body(framing)?;
        (request.body, request.trailers) = (body.bytes, body.trailers);
        Ok(())
    }

    /// Reads exactly so many bytes.
    ///
    /// # Errors
    /// When they don't come.
    pub fn read(&mut self, count: usize) -> io::Result<Vec<u8>> {
        self.wire.exactly(count)
    }

    /// The same, however long they take to come.
    ///
    /// # Errors
    /// When they don't come.
    pub fn read_patiently(&mut self, count: usize) -> io::Result<Vec<u8>> {
        self.wire.socket.set_read_timeout(None)?;
        let read = self.wire.exactly(count);
        self.wire.socket.set_read_timeout(Some(crate::PATIENCE))?;
        read
    }

    /// Reads so many bytes and forgets them.
    ///
    /// # Errors
    /// When they don't come.
    pub fn skip(&mut self, count: u64) -> io::Result<()> {
        self.wire.skip(count)
    }

    /// Whether something came within `time`.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn anything_within(&mut self, time: Duration) -> io::Result<bool> {
        self.wire.more_within(time).map(|more| more == Some(true))
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.wire.write(bytes.as_ref())
    }

    /// Sends bytes one by one, each in a segment of its own.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send_slowly(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        bytes.as_ref().iter().try_for_each(|byte| self.wire.write(&[*byte]))
    }

    /// Sends no more.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn half_close(&mut self) -> io::Result<()> {
        self.wire.half_close()
    }

    /// The connection will end with a reset.
    pub fn reset_at_close(&mut self) {
        self.wire.reset_at_close();
    }

    /// Reads and forgets until the other side ends.
    ///
    /// # Errors
    /// When it ends with a reset.
    pub fn wait_for_end(&mut self) -> io::Result<()> {
        self.wire.socket.set_read_timeout(None)?;
        self.wire.rest().map(drop)
    }
}

fn framing(head: &Head) -> io::Result<Framing> {
    head.framing().map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))
}
