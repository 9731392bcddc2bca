//! The table against tables of examples, and against a scan of the list in file order.

use std::net::IpAddr;

use http::{HeaderName, Method};
use proptest::prelude::*;
use proptest::sample::select;
use weir_config::model::{
    Action, FieldMatch, FieldTest, HostPattern, PathMatch, Pattern, PoolId, Route, RouteMatch,
};

use super::{RequestView, RouteTable};
use crate::fields::Fields;

fn route(matches: RouteMatch) -> Route {
    Route { matches, action: Action::Pool(PoolId(0)) }
}

fn host(text: &str) -> HostPattern {
    match text.strip_prefix('*') {
        Some(suffix) => HostPattern::Wildcard(suffix.into()),
        None => HostPattern::Exact(text.into()),
    }
}

fn on(hosts: &[&str], path: Option<PathMatch>) -> Route {
    route(RouteMatch { hosts: hosts.iter().copied().map(host).collect(), path, ..RouteMatch::default() })
}

fn exact(text: &str) -> Option<PathMatch> {
    Some(PathMatch::Exact(text.into()))
}

fn prefix(text: &str) -> Option<PathMatch> {
    Some(PathMatch::Prefix(text.into()))
}

fn regex(text: &str) -> Option<PathMatch> {
    Some(PathMatch::Regex(Pattern::new(text).unwrap()))
}

/// A request, owned.
#[derive(Debug, Clone)]
struct Request {
    host: String,
    path: String,
    query: Option<String>,
    method: Method,
    fields: Fields,
    source: IpAddr,
}

impl Request {
    fn get(host: &str, path: &str) -> Self {
        Self {
            host: host.into(),
            path: path.into(),
            query: None,
            method: Method::GET,
            fields: Fields::default(),
            source: [192, 0, 2, 1].into(),
        }
    }

    fn view(&self) -> RequestView<'_> {
        RequestView {
            host: &self.host,
            path: &self.path,
            query: self.query.as_deref(),
            method: &self.method,
            fields: &self.fields,
            source: self.source,
            alpn: &[],
        }
    }
}

fn found(table: &RouteTable, request: &Request) -> Option<usize> {
    table.find(&request.view()).map(|(index, _)| index)
}

#[test]
fn the_first_route_in_file_order_wins_whatever_its_kind() {
    let table = RouteTable::new(&[
        on(&["a.test"], exact("/only")),
        on(&["*.test"], prefix("/deep/er/")),
        on(&[], regex("[.]png$")),
        on(&["a.test", "b.test", "a.test"], prefix("/deep")),
        on(&["*.a.test", "*.test"], None),
        on(&["a.test"], prefix("/")),
        on(&[], exact("/last")),
    ]);
    for (host, path, expected) in [
        ("a.test", "/only", Some(0)),
        ("a.test", "/deep/er/x", Some(1)),
        ("a.test", "/deep/er", Some(3)),
        ("a.test", "/deep/x.png", Some(2)),
        ("a.test", "/x", Some(4)),
        ("x.y.a.test", "/only", Some(4)),
        ("test", "/deep", None),
        (".test", "/deep", None),
        ("test", "/last", Some(6)),
        ("", "/last", Some(6)),
        ("", "/x.png", Some(2)),
        ("b.other", "*", None),
    ] {
        assert_eq!(found(&table, &Request::get(host, path)), expected, "{host} {path}");
    }
}

#[test]
fn method_source_header_and_query_must_all_hold() {
    let field = |name, test| FieldMatch { name: HeaderName::from_static(name), test };
    let table = RouteTable::new(&[
        route(RouteMatch { methods: vec![Method::PUT, Method::POST], ..RouteMatch::default() }),
        route(RouteMatch {
            sources: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
            headers: vec![field("x-a", FieldTest::Exact("1".into()))],
            ..RouteMatch::default()
        }),
        route(RouteMatch {
            headers: vec![
                field("x-a", FieldTest::Regex(Pattern::new("^[23]$").unwrap())),
                field("x-b", FieldTest::Present(false)),
            ],
            query: vec![FieldMatch { name: "q".into(), test: FieldTest::Exact("1".into()) }],
            ..RouteMatch::default()
        }),
    ]);
    let ask = |method: Method, source: &str, fields: &[(&'static str, &'static str)], query: Option<&str>| {
        let mut request = Request::get("a.test", "/");
        for (name, value) in fields {
            request.fields.append_named(name, value.as_bytes());
        }
        request.method = method;
        request.source = source.parse().unwrap();
        request.query = query.map(Into::into);
        found(&table, &request)
    };
    assert_eq!(ask(Method::POST, "192.0.2.1", &[], None), Some(0));
    assert_eq!(ask(Method::GET, "10.1.2.3", &[], None), None);
    assert_eq!(ask(Method::GET, "10.1.2.3", &[("x-a", "0"), ("x-a", "1")], None), Some(1));
    assert_eq!(ask(Method::GET, "::ffff:10.1.2.3", &[("x-a", "1")], None), Some(1));
    assert_eq!(ask(Method::GET, "2001:db8::1", &[("x-a", "1")], None), Some(1));
    assert_eq!(ask(Method::GET, "2001:db9::1", &[("x-a", "1")], None), None);
    assert_eq!(ask(Method::GET, "192.0.2.1", &[("x-a", "3")], Some("p=2&q=1")), Some(2));
    assert_eq!(ask(Method::GET, "192.0.2.1", &[("x-a", "3")], Some("q=2")), None);
    assert_eq!(ask(Method::GET, "192.0.2.1", &[("x-a", "3"), ("x-b", "")], Some("q=1")), None);
}

/// The documentation of the model, word for word, without an index.
fn scan(routes: &[Route], request: &Request) -> Option<usize> {
    let host_holds = |pattern: &HostPattern| match pattern {
        HostPattern::Exact(name) => request.host == *name,
        HostPattern::Wildcard(suffix) => {
            request.host.len() > suffix.len() && request.host.ends_with(suffix.as_str())
        }
    };
    let path_holds = |path: &PathMatch| match path {
        PathMatch::Exact(text) => request.path == *text,
        PathMatch::Prefix(text) if text.ends_with('/') => request.path.starts_with(text),
        PathMatch::Prefix(text) => request.path == *text || request.path.starts_with(&format!("{text}/")),
        PathMatch::Regex(pattern) => pattern.is_match(request.path.as_bytes()),
    };
    routes.iter().position(|Route { matches, .. }| {
        (matches.hosts.is_empty() || matches.hosts.iter().any(host_holds))
            && matches.path.as_ref().is_none_or(path_holds)
            && (matches.methods.is_empty() || matches.methods.contains(&request.method))
            && (matches.sources.is_empty() || matches.sources.iter().any(|net| net.contains(&request.source)))
            && matches.headers.iter().all(|field| {
                let present = request.fields.named(field.name.as_str()).next().is_some();
                field.test == FieldTest::Present(present)
            })
    })
}

const HOSTS: [&str; 8] = ["", "test", "a.test", "b.test", "x.a.test", "y.x.a.test", "z.y.x.a.test", "a"];
const WILDCARDS: [&str; 5] = [".test", ".a.test", ".x.a.test", ".other", ".y.x.a.test"];

fn any_path() -> impl Strategy<Value = String> {
    prop::collection::vec(select(vec!["/", "a", "/a", "/b", "ab", "/a/"]), 0..5)
        .prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn any_route() -> impl Strategy<Value = Route> {
    let host = prop_oneof![
        select(&HOSTS[..]).prop_map(|name| HostPattern::Exact(name.into())),
        select(&WILDCARDS[..]).prop_map(|suffix| HostPattern::Wildcard(suffix.into())),
    ];
    let path = prop_oneof![
        any_path().prop_map(PathMatch::Exact),
        any_path().prop_map(PathMatch::Prefix),
        select(vec!["a$", "^/b", "//"]).prop_map(|text| PathMatch::Regex(Pattern::new(text).unwrap())),
    ];
    let field = any::<bool>().prop_map(|there| FieldMatch {
        name: HeaderName::from_static("x-a"),
        test: FieldTest::Present(there),
    });
    let source = select(vec!["10.0.0.0/8", "10.1.0.0/16", "::/0"]).prop_map(|net| net.parse().unwrap());
    (
        prop::collection::vec(host, 0..3),
        prop::option::weighted(0.8, path),
        prop::collection::vec(select(vec![Method::GET, Method::PUT]), 0..2),
        prop::option::weighted(0.2, field),
        prop::option::weighted(0.2, source),
    )
        .prop_map(|(hosts, path, methods, field, source)| {
            route(RouteMatch {
                hosts,
                path,
                methods,
                headers: field.into_iter().collect(),
                sources: source.into_iter().collect(),
                ..RouteMatch::default()
            })
        })
}

fn any_request() -> impl Strategy<Value = Request> {
    (select(&HOSTS[..]), any_path(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(host, path, put, field, inside)| {
            let mut request = Request::get(host, &path);
            request.method = if put { Method::PUT } else { Method::GET };
            request.source = if inside { [10, 1, 2, 3].into() } else { [192, 0, 2, 1].into() };
            if field {
                request.fields.append_named("x-a", b"1");
            }
            request
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn finds_what_a_scan_in_file_order_finds(
        routes in prop::collection::vec(any_route(), 0..40),
        requests in prop::collection::vec(any_request(), 1..20),
    ) {
        let table = RouteTable::new(&routes);
        for request in &requests {
            prop_assert_eq!(found(&table, request), scan(&routes, request), "{:?}", request);
        }
    }
}
