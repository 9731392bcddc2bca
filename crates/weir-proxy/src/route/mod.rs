//! Routing: which route of a listener a request takes. Compiled once from the file's list, immutable, and
//! shared by every worker.
//!
//! The rule is that of the file: the first route whose conditions all hold. A table of 100,000 hosts answers
//! as fast as one of ten, because only candidates are looked at: [`hosts`] finds the few groups of routes that
//! speak of the request's host, [`paths`] within a group the few routes that speak of its path, and
//! [`conditions`] tests what is left of those. The rule holds because each list of candidates is in file
//! order, and is left as soon as it cannot improve on the route found so far.
//!
//! Finding allocates nothing, but for an expression that meets a query value with an escape in it, and
//! for what an expression keeps for itself at its first use in a thread.

mod conditions;
mod hosts;
mod paths;
mod query;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use http::Method;
use weir_config::model::{Action, Route};

use conditions::Conditions;
use hosts::HostIndex;

use crate::fields::Fields;

/// What routes look at in a request.
#[derive(Debug, Clone, Copy)]
pub struct RequestView<'a> {
    /// The host asked for: in lower case, without its port and without a final dot. Empty when there is none.
    pub host: &'a str,
    /// The path of the target as it was sent, without the query.
    pub path: &'a str,
    /// What follows the `?` of the target, as it was sent.
    pub query: Option<&'a str>,
    /// The method.
    pub method: &'a Method,
    /// The fields of the head.
    pub fields: &'a Fields,
    /// The client's address. An IPv4 address mapped into IPv6 counts as the IPv4 address it is.
    pub source: IpAddr,
    /// The protocols that a TLS ClientHello offers, where one is looked into.
    pub alpn: &'a [Vec<u8>],
}

/// The routes of one listener, indexed.
#[derive(Debug)]
pub struct RouteTable {
    hosts: HostIndex,
    /// What the indexes leave to test, by index into the list that the table was made from. Apart from the
    /// actions, so that a candidate which is passed over costs one cache line at most.
    conditions: Box<[Option<Box<Conditions>>]>,
    actions: Box<[Action]>,
    /// A route has a condition on the ClientHello.
    looks_into_tls: bool,
}

impl RouteTable {
    /// Compiles a listener's routes, whose order is that of the file.
    pub fn new(routes: &[Route]) -> Self {
        Self {
            hosts: HostIndex::new(routes),
            conditions: routes.iter().map(|route| Conditions::new(&route.matches)).collect(),
            actions: routes.iter().map(|route| route.action.clone()).collect(),
            looks_into_tls: routes
                .iter()
                .any(|route| !route.matches.sni.is_empty() || !route.matches.alpn.is_empty()),
        }
    }

    /// The first route in file order whose conditions all hold: its index in the list that the table was
    /// made from, and what it does. `None` when there is none.
    pub fn find(&self, request: &RequestView<'_>) -> Option<(usize, &Action)> {
        let request = RequestView { source: request.source.to_canonical(), ..*request };
        let mut best = None;
        for group in self.hosts.groups(request.host) {
            for candidates in group.paths.lists(request.path) {
                best = self.earliest(candidates, &request, best);
            }
            best = self.earliest(&group.rest, &request, best);
        }
        let index = best? as usize;
        self.actions.get(index).map(|action| (index, action))
    }

    /// Whether a connection's TLS ClientHello decides where it goes.
    pub fn looks_into_tls(&self) -> bool {
        self.looks_into_tls
    }

    /// The same for a connection or a flow, which has no request: the name that its TLS asks for is its host.
    pub fn find_connection(
        &self,
        server_name: Option<&str>,
        alpn: &[Vec<u8>],
        source: IpAddr,
    ) -> Option<(usize, &Action)> {
        let (method, fields) = (Method::GET, Fields::default());
        self.find(&RequestView {
            host: server_name.unwrap_or_default(),
            path: "",
            query: None,
            method: &method,
            fields: &fields,
            source,
            alpn,
        })
    }

    /// The first of `candidates` that holds, if it comes before `best`; else `best`.
    fn earliest(&self, candidates: &[u32], request: &RequestView<'_>, best: Option<u32>) -> Option<u32> {
        candidates
            .iter()
            .copied()
            .take_while(|&candidate| best.is_none_or(|best| candidate < best))
            .find(|&candidate| {
                self.conditions[candidate as usize].as_ref().is_none_or(|conditions| conditions.hold(request))
            })
            .or(best)
    }
}
