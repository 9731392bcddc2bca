//! Load: a few clients that ask again and again, and remember when they were answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long one of them waits for an answer before it asks anew.
const ATTEMPT: Duration = Duration::from_millis(500);

/// When answers came.
#[derive(Debug)]
pub struct Answers(Vec<Instant>);

/// Has so many clients ask `address`, each request on a connection of its own, while `during` runs.
///
/// # Panics
/// When `during` does.
pub fn load<T>(address: SocketAddr, clients: usize, during: impl FnOnce() -> T) -> Answers {
    let (over, times) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let asking = || {
        while !over.load(Ordering::Relaxed) {
            if answered(address) {
                times.lock().unwrap().push(Instant::now());
            } else {
                std::thread::sleep(Duration::from_millis(10)); // refused at once, while nobody listens
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(asking);
        }
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(during));
        over.store(true, Ordering::Relaxed); // also when it panicked: the others would ask forever
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
    let mut times = times.into_inner().unwrap();
    times.sort();
    Answers(times)
}

impl Answers {
    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The longest time in which nobody was answered.
    pub fn longest_gap(&self) -> Duration {
        self.0.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }
}

fn answered(address: SocketAddr) -> bool {
    let mut answer = Vec::new();
    let mut exchange = || -> std::io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&address, ATTEMPT)?;
        stream.set_read_timeout(Some(ATTEMPT))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n")?;
        stream.read_to_end(&mut answer)?;
        Ok(())
    };
    exchange().is_ok() && answer.starts_with(b"HTTP/1.1 200")
}
