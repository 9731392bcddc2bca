//! A device or socket whose reads end after a time at the latest: whatever a hypervisor forgets to answer, nobody waits for
//! ever.

use std::fs::File;
use std::io::{self, Read, Write};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Something that can be waited for.
pub(crate) trait Wait {
    /// Whether there is something to read (its end, too), within `time`.
    fn wait(&self, time: Duration) -> io::Result<bool>;
}

impl<T: std::os::fd::AsFd> Wait for T {
    fn wait(&self, time: Duration) -> io::Result<bool> {
        let time = Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(time.subsec_nanos()),
        };
        let mut fds = [PollFd::new(self, PollFlags::IN)];
        match poll(&mut fds, Some(&time)) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// A file whose reads take at most this long.
#[derive(Debug)]
pub(crate) struct Timed {
    pub(crate) file: File,
    pub(crate) limit: Duration,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.file.wait(self.limit)? {
            self.file.read(buffer)
        } else {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no answer within {} s", self.limit.as_secs()),
            ))
        }
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.file.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
