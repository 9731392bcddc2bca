//! A name server on UDP that answers questions for A records from a table, and can fall silent.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A name server; it stops when it is dropped.
pub struct NameServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    table: Mutex<HashMap<String, Vec<Ipv4Addr>>>,
    silent: AtomicBool,
    stopping: AtomicBool,
    questions: AtomicUsize,
}

impl NameServer {
    /// Starts one that knows no name.
    pub fn start() -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let address = socket.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let serving = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || serve(&socket, &shared))
        };
        Self { address, shared, serving: Some(serving) }
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives a name these addresses.
    pub fn set(&self, name: &str, addresses: &[[u8; 4]]) {
        let addresses = addresses.iter().map(|&octets| octets.into()).collect();
        self.shared.table.lock().unwrap().insert(name.to_owned(), addresses);
    }

    /// Answers no more, or again.
    pub fn be_silent(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::SeqCst);
    }

    /// How many questions came.
    pub fn questions(&self) -> usize {
        self.shared.questions.load(Ordering::SeqCst)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

fn serve(socket: &UdpSocket, shared: &Shared) {
    let mut packet = [0; 1500];
    while !shared.stopping.load(Ordering::SeqCst) {
        let Ok((length, peer)) = socket.recv_from(&mut packet) else { continue };
        shared.questions.fetch_add(1, Ordering::SeqCst);
        if shared.silent.load(Ordering::SeqCst) {
            continue;
        }
        if let Some(answer) = answer(&packet[..length], &shared.table.lock().unwrap()) {
            let _ = socket.send_to(&answer, peer);
        }
    }
}

/// RFC 1035 section 4: the header, the one question again, and a record for each address.
fn answer(question: &[u8], table: &HashMap<String, Vec<Ipv4Addr>>) -> Option<Vec<u8>> {
    const TYPE_A: u16 = 1;
    let (name, end) = name(question)?;
    let kind = u16::from_be_bytes([*question.get(end)?, *question.get(end + 1)?]);
    let known = table.get(&name);
    let addresses = known.filter(|_| kind == TYPE_A).map_or(&[][..], Vec::as_slice);
    let code: u8 = if known.is_some() { 0 } else { 3 }; // NXDOMAIN
    let mut answer = question.get(..2)?.to_vec();
    answer.extend_from_slice(&[0x81, 0x80 | code, 0, 1, 0, u8::try_from(addresses.len()).ok()?, 0, 0, 0, 0]);
    answer.extend_from_slice(question.get(12..end + 4)?);
    for address in addresses {
        // A pointer to the question's name, A, IN, no time to live, four bytes.
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend_from_slice(&address.octets());
    }
    Some(answer)
}

/// The name that is asked for, in lower case, and where it ends.
fn name(question: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        let label = question.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length;
    }
}
