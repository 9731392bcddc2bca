//! What was typed becomes what it means: the one place where a [`Config`] is made of a file.
//!
//! The decoder has read every value by itself; here they are judged together. Names are looked up in hash
//! maps, so a file of any size takes time in proportion. A part that cannot be built is left out after its
//! mistakes are reported, and the whole is returned only when there were none.

mod listener;
mod pool;
mod system;

use std::collections::HashMap;

use crate::codec::{Codec as _, Context, Entry, Problem};
use crate::model::{Admin, Config, PoolId};
use crate::raw;
use crate::suggest::nearest;
use crate::tree::{At, NodeId};

/// Judges the file below `root`, where `default_admin` holds without an `admin` section. `None` when there are errors,
/// all of which have been reported.
pub(crate) fn validate(root: NodeId, default_admin: &Admin, cx: &mut Context<'_>) -> Option<Config> {
    let file = raw::FILE.decode(root, cx)?;
    let admin = match &file.admin {
        Some(admin) => {
            self::admin(admin, cx);
            admin.clone()
        }
        None => At { value: default_admin.clone(), node: NodeId::NONE },
    };
    let system = system::system(file.system, cx);
    let mut names = PoolNames::new(&file.pools);
    let no_listener = file.listeners.is_empty();
    let mut listeners = listener::listeners(file.listeners, &admin, &mut names, cx);
    listener::share_subject_fields(&mut listeners);
    let pools: Vec<_> = file.pools.iter().filter_map(|entry| pool::pool(entry, cx)).collect();
    if cx.findings.has_errors() {
        return None;
    }
    // With errors about, what looks unused may only be mistyped.
    names.report_unused(cx);
    if no_listener {
        let problem =
            Problem::new("there is no listener: nothing is served").hint("add one below `listeners`");
        cx.warning(cx.child_or_self(root, "listeners"), problem);
    }
    Some(Config {
        workers: file.workers,
        admin: file.admin.map(|admin| admin.value),
        log: file.log,
        resolver: file.resolver,
        limits: file.limits,
        timeouts: file.timeouts,
        watch_config: file.watch_config,
        system,
        listeners,
        pools,
    })
}

fn admin(admin: &At<Admin>, cx: &mut Context<'_>) {
    let Admin { bind, token_file, tls: _ } = &admin.value;
    if !bind.ip().to_canonical().is_loopback() && token_file.is_none() {
        let problem =
            Problem::new(format!("the admin API is open to others at `{bind}` and asks for no token"));
        let at = cx.child_or_self(admin.node, "bind");
        cx.problem(at, problem.hint("add `token_file`, or bind it to 127.0.0.1"));
    }
}

/// The pools of the file by name, and which of them something uses.
struct PoolNames<'f> {
    pools: &'f [Entry<raw::Pool>],
    ids: HashMap<&'f str, PoolId>,
    used: Vec<bool>,
}

impl<'f> PoolNames<'f> {
    fn new(pools: &'f [Entry<raw::Pool>]) -> Self {
        let id = |(index, pool): (usize, &'f Entry<raw::Pool>)| (pool.name.value.as_str(), PoolId(index));
        let ids = pools.iter().enumerate().map(id).collect();
        Self { pools, ids, used: vec![false; pools.len()] }
    }

    /// The pool that `name` names, which is used from now on; `None` when there is none, which is reported.
    fn get(&mut self, name: &At<String>, cx: &mut Context<'_>) -> Option<PoolId> {
        if let Some(&id) = self.ids.get(name.value.as_str()) {
            self.used[id.0] = true;
            return Some(id);
        }
        let problem = Problem::new(format!("no pool named `{}`", name.value));
        let known = || self.pools.iter().map(|pool| pool.name.value.as_str());
        let problem = match known().next() {
            _ if cx.findings.is_crowded() => problem,
            None => problem.hint("there are no pools: add one below `pools`"),
            Some(first) => match nearest(&name.value, known()) {
                Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
                None if self.pools.len() == 1 => problem.hint(format!("the only pool is `{first}`")),
                None => problem,
            },
        };
        cx.problem(name.node, problem);
        None
    }

    fn report_unused(&self, cx: &mut Context<'_>) {
        for (pool, used) in self.pools.iter().zip(&self.used) {
            if !used {
                let problem = Problem::new(format!("no route uses pool `{}`", pool.name.value));
                cx.warning(pool.name.node, problem.hint("its servers are checked and get no request"));
            }
        }
    }
}
