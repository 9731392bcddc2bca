//! A network of one test's own: a thread in namespaces of its own, to which jobs are given. What is started in it,
//! threads and programs, is in them too.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::gettid;
use weir_tests::{PATIENCE, installed};

type Job = Box<dyn FnOnce() + Send>;

/// A namespace for the network and the host name, until it is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    thread: i32,
    jobs: Sender<Job>,
}

impl Namespace {
    /// None, and a word on why, where the test has not the rights for one.
    pub(crate) fn new() -> Option<Self> {
        let (jobs, given) = channel::<Job>();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            let unshared = unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS);
            tell.send(unshared.map(|()| gettid().as_raw())).unwrap();
            if unshared.is_ok() {
                given.into_iter().for_each(|job| job());
            }
        });
        match told.recv().unwrap() {
            Ok(thread) => {
                let namespace = Self { thread, jobs };
                namespace.ip("link set lo up");
                Some(namespace)
            }
            Err(error) => {
                eprintln!("skipped: network namespaces need root ({error})");
                None
            }
        }
    }

    /// Does this in it.
    #[track_caller]
    pub(crate) fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = channel();
        self.jobs.send(Box::new(move || drop(tell.send(job())))).unwrap();
        told.recv().expect("the job does not panic")
    }

    /// `ip` with these arguments: what it prints.
    #[track_caller]
    pub(crate) fn ip(&self, arguments: &str) -> String {
        let (done, output) = self.try_program("ip", arguments);
        assert!(done, "ip {arguments}: {output}");
        output
    }

    /// Whether a program succeeds, and what it prints.
    pub(crate) fn try_program(&self, name: &str, arguments: &str) -> (bool, String) {
        let mut command = installed(name);
        command.args(arguments.split_whitespace());
        self.run(move || {
            let output = command.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            (output.status.success(), text.into_owned())
        })
    }

    /// Sets a file of /proc/sys/net.
    pub(crate) fn set(&self, key: &str, value: &str) {
        let path = format!("/proc/sys/net/{key}");
        let value = value.to_owned();
        self.run(move || std::fs::write(path, value)).unwrap();
    }

    /// What such a file says.
    pub(crate) fn setting(&self, key: &str) -> String {
        let path = format!("/proc/sys/net/{key}");
        self.run(move || std::fs::read_to_string(path)).unwrap().trim().to_owned()
    }

    /// Whether it reaches this address of `other` by TCP.
    pub(crate) fn reaches(&self, other: &Self, address: &str) -> bool {
        let listener = other.run(|| TcpListener::bind("0.0.0.0:0")).unwrap();
        let to = SocketAddr::new(address.parse().unwrap(), listener.local_addr().unwrap().port());
        self.run(move || TcpStream::connect_timeout(&to, PATIENCE)).is_ok()
    }

    /// A cable from `here` to `there` in the other namespace, its far end with this hardware address; the near one is
    /// up.
    pub(crate) fn plug(&self, here: &str, other: &Self, there: &str, mac: &str) {
        let thread = other.thread;
        self.ip(&format!("link add {here} type veth peer name {there} address {mac} netns {thread}"));
        self.ip(&format!("link set {here} up"));
    }
}
