//! The handle of the running product: the data plane, the admin server in front of it, and the one way to
//! another configuration.
//!
//! Invariant: data plane, admin address and token are always those of one configuration. Whatever can fail is
//! done before the data plane changes; what follows that can't fail.

use std::cell::{Ref, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};
use weir_config::model::Admin;
use weir_config::tls::{self, Tls};
use weir_config::{Diagnostics, Ready};
use weir_proxy::{Applied, Proxy};

use crate::failure::{BindError, ReloadError, StartError};
use crate::reloads::Reloads;
use crate::server::{self, Server};
use crate::token::{Token, TokenError};

/// How many candidate configurations may be on their way at once, each up to 64 MiB.
const UPLOADS_MAX: usize = 4;

/// The running product.
pub struct Operator {
    proxy: Proxy,
    token: RefCell<Option<Token>>,
    /// The last one is that of `admin.bind`; those before it answer what they have begun.
    servers: RefCell<Vec<Server>>,
    reloads: RefCell<Reloads>,
    /// What of the files of the configuration in force is broken now; said once.
    broken_files: RefCell<Vec<String>>,
    /// Held by the reload that is under way.
    reloading: Mutex<()>,
    pub(crate) uploads: Semaphore,
    pub(crate) started: (Instant, SystemTime),
}

/// A reload that took effect.
pub(crate) struct Reloaded {
    pub(crate) applied: Applied,
    pub(crate) warnings: Diagnostics,
}

impl Operator {
    /// Starts the data plane with a configuration, and serves the admin API on the current `LocalRuntime`.
    ///
    /// # Errors
    /// See [`StartError`]; nothing serves then.
    pub async fn start(ready: Ready) -> Result<Rc<Self>, StartError> {
        let Ready { config, tls, warnings: _ } = ready;
        let token = read_token(config.admin.clone()).await?;
        let bind = config.admin.bind;
        let listener = server::bind(bind, None).map_err(|source| BindError { address: bind, source })?;
        let proxy = Proxy::start(config, Arc::new(tls)).await?;
        let now = SystemTime::now();
        let reloads = Reloads::new(proxy.snapshot().generation, now);
        Ok(Rc::new_cyclic(|operator| Self {
            proxy,
            token: RefCell::new(token),
            servers: RefCell::new(vec![Server::spawn(bind, listener, operator.clone())]),
            reloads: RefCell::new(reloads),
            broken_files: RefCell::default(),
            reloading: Mutex::new(()),
            uploads: Semaphore::new(UPLOADS_MAX),
            started: (Instant::now(), now),
        }))
    }

    /// The address that the admin server has: the real one where port 0 was asked for.
    pub fn admin_address(&self) -> SocketAddr {
        self.servers.borrow().last().expect("a server is only ever replaced by another one").address()
    }

    /// The data plane.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Takes `text` as the configuration from now on, all of it, or nothing of it and says why. Concurrent
    /// calls are taken one after the other. What is probably a mistake and yet allowed is logged.
    ///
    /// # Errors
    /// See [`ReloadError`]; what served before still does.
    pub async fn reload(self: &Rc<Self>, text: &str) -> Result<Applied, ReloadError> {
        let Reloaded { applied, warnings } = self.replace(text.to_owned(), None).await?;
        for warning in &warnings {
            tracing::warn!(line = warning.line, column = warning.column, "{}", warning.message);
        }
        Ok(applied)
    }

    /// Takes what changed in the files that the configuration in force names: certificates, keys, authorities. A
    /// broken file changes nothing and is logged, once.
    pub async fn refresh_files(self: &Rc<Self>) {
        let _alone = self.reloading.lock().await;
        let snapshot = self.proxy.snapshot();
        let config = Arc::clone(&snapshot.config);
        let before = Arc::clone(&snapshot.tls);
        drop(snapshot); // it may be large, and this takes a while
        if config.listeners.iter().all(|listener| listener.tls.is_none())
            && config.pools.iter().all(|pool| pool.tls.is_none())
        {
            return;
        }
        let refreshed = tokio::task::spawn_blocking({
            let (config, before) = (Arc::clone(&config), Arc::clone(&before));
            move || tls::refresh(&config, &before)
        });
        let Ok((tls, broken)) = refreshed.await else {
            return tracing::error!("a defect in Weir ended the look at certificates; please report it");
        };
        let known = self.broken_files.replace(broken.clone());
        for message in broken.iter().filter(|message| !known.contains(message)) {
            tracing::error!(cause = message, "a file for TLS is of no use; what was read before serves on");
        }
        if tls.is_same(&before) {
            return;
        }
        match self.proxy.apply((*config).clone(), Arc::new(tls)).await {
            Ok(Applied { generation, .. }) => tracing::info!(generation, "changed certificates taken"),
            Err(error) => tracing::warn!(%error, "changed certificates not taken"),
        }
    }

    /// Counts a reload that failed before there was a text to load.
    pub fn refuse(&self, why: &str) {
        self.reloads.borrow_mut().failed(why.to_owned(), SystemTime::now());
    }

    /// Ends the admin server and then the data plane, at once. A reload under way ends first.
    pub async fn stop(self: Rc<Self>) {
        let servers = self.servers.take();
        for server in servers {
            server.stop().await;
        }
        drop(self.reloading.lock().await);
        match Rc::into_inner(self) {
            Some(operator) => operator.proxy.stop(),
            None => tracing::error!("the data plane is still in use at the end; this is a defect in Weir"),
        }
    }

    /// The reload itself: in a task of its own, so that one whose client goes away is not left half done.
    /// With `expected`, only the configuration of that generation is replaced.
    pub(crate) async fn replace(
        self: &Rc<Self>,
        text: String,
        expected: Option<u64>,
    ) -> Result<Reloaded, ReloadError> {
        let operator = Rc::clone(self);
        let reload = async move {
            let _alone = operator.reloading.lock().await;
            operator.check_generation(expected)?;
            let outcome = operator.replace_alone(text).await;
            let now = SystemTime::now();
            match &outcome {
                Ok(reloaded) => {
                    operator.reloads.borrow_mut().succeeded(reloaded.applied.generation, now);
                }
                Err(error) => operator.reloads.borrow_mut().failed(error.to_string(), now),
            }
            outcome
        };
        tokio::task::spawn_local(reload).await.unwrap_or(Err(ReloadError::Defect))
    }

    fn check_generation(&self, expected: Option<u64>) -> Result<(), ReloadError> {
        let now = self.reloads.borrow().generation;
        match expected {
            Some(expected) if expected != now => Err(ReloadError::Stale { now }),
            Some(_) | None => Ok(()),
        }
    }

    async fn replace_alone(self: &Rc<Self>, text: String) -> Result<Reloaded, ReloadError> {
        let before = Arc::clone(&self.proxy.snapshot().tls);
        let Ready { config, tls, warnings } = load(text, before).await?.map_err(ReloadError::Invalid)?;
        let token = read_token(config.admin.clone()).await?;
        let bind = config.admin.bind;
        let moved = self.bind_if_moved(bind)?;
        let applied = self.proxy.apply(config, Arc::new(tls)).await?;
        *self.token.borrow_mut() = token;
        if let Some(listener) = moved {
            let server = Server::spawn(bind, listener, Rc::downgrade(self));
            tracing::info!(address = %server.address(), "admin API moved");
            let mut servers = self.servers.borrow_mut();
            servers.retain(|server| !server.is_finished());
            servers.iter().for_each(Server::retire);
            servers.push(server);
        }
        Ok(Reloaded { applied, warnings })
    }

    /// The new socket, if the admin API is to move to `bind`.
    fn bind_if_moved(&self, bind: SocketAddr) -> Result<Option<TcpListener>, BindError> {
        let servers = self.servers.borrow();
        let left = servers.last().filter(|server| server.bind() != bind).map(Server::address);
        let Some(left) = left else { return Ok(None) };
        server::bind(bind, Some(left)).map(Some).map_err(|source| BindError { address: bind, source })
    }

    pub(crate) fn token(&self) -> Ref<'_, Option<Token>> {
        self.token.borrow()
    }

    pub(crate) fn reloads(&self) -> Ref<'_, Reloads> {
        self.reloads.borrow()
    }
}

/// Reads a configuration and its files apart from the main thread, which has others to answer meanwhile.
pub(crate) async fn load(text: String, before: Arc<Tls>) -> Result<Result<Ready, Diagnostics>, ReloadError> {
    let loaded = tokio::task::spawn_blocking(move || weir_config::load(&text, &before)).await;
    loaded.map_err(|_| ReloadError::Defect)
}

/// Reads the token that `admin` names, apart from the main thread: the file may be far away.
async fn read_token(admin: Admin) -> Result<Option<Token>, TokenError> {
    let Some(path) = admin.token_file else { return Ok(None) };
    let read = tokio::task::spawn_blocking(move || Token::read(&path)).await;
    match read {
        Ok(token) => token.map(Some),
        Err(defect) => std::panic::resume_unwind(defect.into_panic()),
    }
}
