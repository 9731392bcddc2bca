//! The handle of the running product: the data plane, the admin server in front of it, and the one way to
//! another configuration.
//!
//! Invariant: data plane, admin address and token are always those of one configuration. Whatever can fail is
//! done before the data plane changes; what follows that can't fail.

use std::cell::{Cell, Ref, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};
use weir_config::model::Admin;
use weir_config::tls;
use weir_config::{Diagnostics, Ready};
use weir_proxy::{Applied, Proxy};

use crate::failure::{BindError, ReloadError, StartError};
use crate::reloads::Reloads;
use crate::save::{self, Stamp};
use crate::server::{self, Server};
use crate::setup::Setup;
use crate::token::{Token, TokenError};

/// How many candidate configurations may be on their way at once, each up to 64 MiB.
const UPLOADS_MAX: usize = 4;

/// The running product.
pub struct Operator {
    proxy: Proxy,
    setup: Setup,
    token: RefCell<Option<Token>>,
    /// The last one is that of `admin.bind`; those before it answer what they have begun.
    servers: RefCell<Vec<Server>>,
    reloads: RefCell<Reloads>,
    /// What of the files of the configuration in force is broken now; said once.
    broken_files: RefCell<Vec<String>>,
    /// The file of `setup.save_to` as the last `PUT` left it.
    saved: Cell<Option<Stamp>>,
    /// Held by the reload that is under way.
    reloading: Mutex<()>,
    pub(crate) uploads: Semaphore,
    pub(crate) started: (Instant, SystemTime),
}

/// A reload that took effect.
pub(crate) struct Reloaded {
    pub(crate) applied: Applied,
    pub(crate) warnings: Diagnostics,
    pub(crate) saved: Saved,
}

/// What becomes of a text at the next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Saved {
    /// It is what the next start reads.
    Yes,
    /// Nobody asked for that.
    NotWanted,
    /// It could not be written, and why.
    Failed(String),
}

/// Where a text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The file that the next start reads, too.
    File,
    /// The API.
    Api,
}

impl Operator {
    /// Starts the data plane with a configuration, and serves the admin API on the current `LocalRuntime`.
    ///
    /// # Errors
    /// See [`StartError`]; nothing serves then.
    pub async fn start(ready: Ready, setup: Setup) -> Result<Rc<Self>, StartError> {
        let Ready { config, tls, warnings: _ } = ready;
        let admin = config.admin_or(&setup.default_admin).clone();
        let bind = admin.bind;
        let token = read_token(admin).await?;
        let listener = server::bind(bind, None).map_err(|source| BindError { address: bind, source })?;
        let proxy = Proxy::start(config, Arc::new(tls)).await?;
        let now = SystemTime::now();
        let reloads = Reloads::new(proxy.snapshot().generation, now);
        Ok(Rc::new_cyclic(|operator| Self {
            proxy,
            setup,
            token: RefCell::new(token),
            servers: RefCell::new(vec![Server::spawn(bind, listener, operator.clone())]),
            reloads: RefCell::new(reloads),
            broken_files: RefCell::default(),
            saved: Cell::new(None),
            reloading: Mutex::new(()),
            uploads: Semaphore::new(UPLOADS_MAX),
            started: (Instant::now(), now),
        }))
    }

    /// The address that the admin server has: the real one where port 0 was asked for.
    pub fn admin_address(&self) -> SocketAddr {
        self.servers.borrow().last().expect("a server is only ever replaced by another one").address()
    }

    /// Whether the admin API speaks TLS.
    pub fn admin_speaks_tls(&self) -> bool {
        self.proxy.snapshot().tls.admin().is_some()
    }

    /// The configuration's file as the last `PUT` left it, if one was written to it: seeing that again is no news.
    pub async fn saved(&self) -> Option<Stamp> {
        let _alone = self.reloading.lock().await; // one may be about to tell
        self.saved.get()
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
        let Reloaded { applied, warnings, saved: _ } =
            self.replace_from(Origin::File, text.to_owned(), None).await?;
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
        if config.admin_or(&self.setup.default_admin).tls.is_none()
            && config.listeners.iter().all(|listener| listener.tls.is_none())
            && config.pools.iter().all(|pool| pool.tls.is_none())
        {
            return;
        }
        let refreshed = tokio::task::spawn_blocking({
            let (config, before) = (Arc::clone(&config), Arc::clone(&before));
            let default_admin = self.setup.default_admin.clone();
            move || tls::refresh(&config, &default_admin, &before)
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

    /// The reload of a text that came by the API, which is written to the configuration's file then if that is wanted.
    /// With `expected`, only the configuration of that generation is replaced.
    pub(crate) async fn replace(
        self: &Rc<Self>,
        text: String,
        expected: Option<u64>,
    ) -> Result<Reloaded, ReloadError> {
        self.replace_from(Origin::Api, text, expected).await
    }

    /// The reload itself: in a task of its own, so that one whose client goes away is not left half done.
    async fn replace_from(
        self: &Rc<Self>,
        origin: Origin,
        text: String,
        expected: Option<u64>,
    ) -> Result<Reloaded, ReloadError> {
        let operator = Rc::clone(self);
        let reload = async move {
            let _alone = operator.reloading.lock().await;
            operator.check_generation(expected)?;
            let outcome = operator.replace_alone(origin, text).await;
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

    async fn replace_alone(self: &Rc<Self>, origin: Origin, text: String) -> Result<Reloaded, ReloadError> {
        let text: Arc<str> = text.into();
        let loaded = self.load(Arc::clone(&text)).await?;
        let Ready { config, tls, warnings } = loaded.map_err(ReloadError::Invalid)?;
        let admin = config.admin_or(&self.setup.default_admin).clone();
        let bind = admin.bind;
        let token = read_token(admin).await?;
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
        let saved = match origin {
            Origin::File => Saved::Yes,
            Origin::Api => self.save(text).await,
        };
        Ok(Reloaded { applied, warnings, saved })
    }

    /// Reads a configuration and its files apart from the main thread, which has others to answer meanwhile.
    pub(crate) async fn load(&self, text: Arc<str>) -> Result<Result<Ready, Diagnostics>, ReloadError> {
        let before = Arc::clone(&self.proxy.snapshot().tls);
        let default_admin = self.setup.default_admin.clone();
        let load = move || weir_config::load_with(&text, &default_admin, &before);
        tokio::task::spawn_blocking(load).await.map_err(|_| ReloadError::Defect)
    }

    /// Writes what is in force to the configuration's file, if that is wanted. What fails here takes nothing back.
    async fn save(&self, text: Arc<str>) -> Saved {
        let Some(path) = self.setup.save_to.clone() else { return Saved::NotWanted };
        let shown = path.display().to_string();
        match tokio::task::spawn_blocking(move || save::save(&path, &text)).await {
            Ok(Ok(stamp)) => {
                self.saved.set(Some(stamp));
                tracing::info!(file = shown, "configuration saved");
                Saved::Yes
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "the configuration serves, and is not saved");
                Saved::Failed(error.to_string())
            }
            Err(_defect) => Saved::Failed(format!("a defect in Weir ended the writing of {shown}")),
        }
    }

    /// The new socket, if the admin API is to move to `bind`.
    fn bind_if_moved(&self, bind: SocketAddr) -> Result<Option<TcpListener>, BindError> {
        let servers = self.servers.borrow();
        let left = servers.last().filter(|server| server.bind() != bind).map(Server::address);
        let Some(left) = left else { return Ok(None) };
        server::bind(bind, Some(left)).map(Some).map_err(|source| BindError { address: bind, source })
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    pub(crate) fn token(&self) -> Ref<'_, Option<Token>> {
        self.token.borrow()
    }

    pub(crate) fn reloads(&self) -> Ref<'_, Reloads> {
        self.reloads.borrow()
    }
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
