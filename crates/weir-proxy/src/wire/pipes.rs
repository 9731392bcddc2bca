//! Pipes through which the kernel moves bytes from one plain socket to another (splice(2)), which spares both
//! copies.
//!
//! It pays for much at once only, and through a pipe that holds much: with the usual 64 KiB it is no cheaper than
//! copying, with 1 MiB it takes a little over half of the CPU time. So pipes are large, few, and a worker's.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// A worker's pipes.
#[derive(Default)]
pub(crate) struct Pipes {
    /// Empty ones, for the next.
    kept: RefCell<Vec<Pipe>>,
    /// How many there are.
    made: Rc<Cell<usize>>,
    /// The kernel gives none of this size.
    refused: Cell<bool>,
}

/// A pipe, and what is in it.
pub(crate) struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
    held: usize,
    made: Rc<Cell<usize>>,
}

/// What one step has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So much has come in; 0 at the end.
    In(usize),
    /// So much has gone out.
    Out,
}

/// Which socket broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BrokenEnd {
    From,
    To,
}

impl Pipes {
    /// How much one holds: the most that the kernel gives without privileges.
    const BYTES: usize = 1 << 20;
    /// The most of one worker; whoever finds none copies.
    const MAX: usize = 64;
    /// The most that are kept for later.
    const KEPT_MAX: usize = 8;

    /// An empty pipe, if one is to be had.
    pub(crate) fn take(&self) -> Option<Pipe> {
        if let Some(kept) = self.kept.borrow_mut().pop() {
            return Some(kept);
        }
        if self.refused.get() || self.made.get() >= Self::MAX {
            return None;
        }
        let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        if fcntl_setpipe_size(&into, Self::BYTES).is_err() {
            self.refused.set(true); // as small as it is, it is of no use
            return None;
        }
        self.made.set(self.made.get() + 1);
        Some(Pipe { out, into, held: 0, made: Rc::clone(&self.made) })
    }

    /// Takes a pipe back. One that is not empty is closed.
    pub(crate) fn put(&self, pipe: Pipe) {
        let mut kept = self.kept.borrow_mut();
        if pipe.is_empty() && kept.len() < Self::KEPT_MAX {
            kept.push(pipe);
        }
    }
}

impl Pipe {
    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Moves what there is in, or, when there is something in it, out.
    pub(crate) fn poll_step(
        &mut self,
        from: &TcpStream,
        to: &TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Step, BrokenEnd>> {
        if self.is_empty() {
            let read = ready!(self.poll_in(from, cx)).map_err(|_| BrokenEnd::From)?;
            self.held = read;
            Poll::Ready(Ok(Step::In(read)))
        } else {
            let written = ready!(self.poll_out(to, cx)).map_err(|_| BrokenEnd::To)?;
            self.held -= written;
            Poll::Ready(Ok(Step::Out))
        }
    }

    fn poll_in(&self, from: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(from.poll_read_ready(cx))?;
            match from
                .try_io(Interest::READABLE, || Ok(splice(from, None, &self.into, None, Pipes::BYTES, FLAGS)?))
            {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_out(&self, to: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(to.poll_write_ready(cx))?;
            match to.try_io(Interest::WRITABLE, || Ok(splice(&self.out, None, to, None, self.held, FLAGS)?)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

const FLAGS: SpliceFlags = SpliceFlags::MOVE.union(SpliceFlags::NONBLOCK);

impl Drop for Pipe {
    fn drop(&mut self) {
        self.made.set(self.made.get().saturating_sub(1));
    }
}
