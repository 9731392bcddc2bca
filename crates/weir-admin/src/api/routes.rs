//! Everything that can be asked, in one table: requests are routed by it, and `/openapi.json` is made of it.

use http::Method;

use super::path::Captured;

/// One thing that can be asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// `{pool}` and `{server}` stand for one segment each.
    pub(crate) path: &'static str,
    pub(crate) endpoint: Endpoint,
    pub(crate) summary: &'static str,
    pub(crate) takes: Option<Media>,
    pub(crate) gives: Media,
    /// Further statuses, beside 200 and those that any request may get.
    pub(crate) refusals: &'static [u16],
}

/// What answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Page,
    Healthz,
    Readyz,
    Metrics,
    OpenApi,
    Stats,
    System,
    Pools,
    Pool,
    Server,
    ChangeServer,
    Config,
    ReplaceConfig,
    CheckConfig,
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    Html,
    Metrics,
    Yaml,
    /// JSON of the schema of this name.
    Json(&'static str),
    /// JSON without a schema of its own.
    AnyJson,
}

const fn get(path: &'static str, endpoint: Endpoint, gives: Media, summary: &'static str) -> Route {
    Route { method: "GET", path, endpoint, summary, takes: None, gives, refusals: &[] }
}

/// Every route. Requests with HEAD are those with GET.
pub(crate) static ROUTES: &[Route] = &[
    get("/", Endpoint::Page, Media::Html, "A page for people: listeners, pools, servers and their health"),
    get("/healthz", Endpoint::Healthz, Media::Json("Alive"), "200 while the process lives; needs no token"),
    Route {
        refusals: &[503],
        ..get(
            "/readyz",
            Endpoint::Readyz,
            Media::Json("Readiness"),
            "200 while every listener is bound and serving, 503 while starting or draining; needs no token",
        )
    },
    get("/metrics", Endpoint::Metrics, Media::Metrics, "All counters and gauges for Prometheus"),
    get("/openapi.json", Endpoint::OpenApi, Media::AnyJson, "This description"),
    get("/api/v1/stats", Endpoint::Stats, Media::Json("Stats"), "All counters and gauges, as JSON"),
    get(
        "/api/v1/system",
        Endpoint::System,
        Media::Json("System"),
        "The machine: hypervisor, firmware, processors, memory, network cards and disks with their drivers; what the \
         appliance has come to",
    ),
    get("/api/v1/pools", Endpoint::Pools, Media::Json("Pools"), "All pools with their servers"),
    Route {
        refusals: &[404],
        ..get("/api/v1/pools/{pool}", Endpoint::Pool, Media::Json("Pool"), "One pool with its servers")
    },
    Route {
        refusals: &[404],
        ..get(
            SERVER,
            Endpoint::Server,
            Media::Json("Server"),
            "One server: address, weight, state, health, last check, counters",
        )
    },
    Route {
        method: "PATCH",
        takes: Some(Media::Json("Change")),
        refusals: &[400, 404, 408, 413, 415, 422],
        ..get(
            SERVER,
            Endpoint::ChangeServer,
            Media::Json("Server"),
            "Drain a server, bring it back, change its weight; in force until the process ends",
        )
    },
    get(
        "/api/v1/config",
        Endpoint::Config,
        Media::Yaml,
        "The running configuration; its ETag is the generation that brought it",
    ),
    Route {
        method: "PUT",
        takes: Some(Media::Yaml),
        refusals: &[400, 408, 409, 412, 413, 415, 422, 503],
        ..get(
            "/api/v1/config",
            Endpoint::ReplaceConfig,
            Media::Json("Applied"),
            "Replace the running configuration: validated, atomic, all or nothing; where Weir was told to \
             (`--save-config`, the appliance), its file, too",
        )
    },
    Route {
        method: "POST",
        takes: Some(Media::Yaml),
        refusals: &[400, 408, 413, 415, 503],
        ..get(
            "/api/v1/config/check",
            Endpoint::CheckConfig,
            Media::Json("Verdict"),
            "Validate a configuration and apply nothing",
        )
    },
];

const SERVER: &str = "/api/v1/pools/{pool}/servers/{server}";

/// What the table says to a request.
pub(crate) enum Found<'a> {
    Route(&'static Route, Captured<'a>),
    /// The path is one, the method is not: those that are, as in `Allow`.
    OtherMethods(String),
    Nothing,
}

/// Looks a request up.
pub(crate) fn find<'a>(method: &Method, path: &'a str) -> Found<'a> {
    let mut allow: Vec<&str> = Vec::new();
    for route in ROUTES {
        let Some(captured) = Captured::of(route.path, path) else { continue };
        if route.method == method || (*method == Method::HEAD && route.method == "GET") {
            return Found::Route(route, captured);
        }
        allow.push(route.method);
        if route.method == "GET" {
            allow.push("HEAD");
        }
    }
    if allow.is_empty() { Found::Nothing } else { Found::OtherMethods(allow.join(", ")) }
}

impl Found<'_> {
    /// Whether anybody may ask, with no token and under any name: it says nothing but whether Weir serves.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Route(route, _) => match route.endpoint {
                Endpoint::Healthz | Endpoint::Readyz => true,
                Endpoint::Page
                | Endpoint::Metrics
                | Endpoint::OpenApi
                | Endpoint::Stats
                | Endpoint::System
                | Endpoint::Pools
                | Endpoint::Pool
                | Endpoint::Server
                | Endpoint::ChangeServer
                | Endpoint::Config
                | Endpoint::ReplaceConfig
                | Endpoint::CheckConfig => false,
            },
            Self::OtherMethods(_) | Self::Nothing => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(method: &Method, path: &str) -> Result<Endpoint, Option<String>> {
        match find(method, path) {
            Found::Route(route, _) => Ok(route.endpoint),
            Found::OtherMethods(allow) => Err(Some(allow)),
            Found::Nothing => Err(None),
        }
    }

    #[test]
    fn path_and_method_decide() {
        assert_eq!(endpoint(&Method::GET, "/"), Ok(Endpoint::Page));
        assert_eq!(endpoint(&Method::HEAD, "/metrics"), Ok(Endpoint::Metrics));
        assert_eq!(endpoint(&Method::PATCH, "/api/v1/pools/a/servers/b"), Ok(Endpoint::ChangeServer));
        assert_eq!(endpoint(&Method::POST, "/api/v1/config"), Err(Some("GET, HEAD, PUT".into())));
        for path in ["", "/x", "/metrics/", "//metrics", "/api/v1/pools/", "/api/v1/pools/a/servers/b/c"] {
            assert_eq!(endpoint(&Method::GET, path), Err(None), "{path}");
        }
    }

    #[test]
    fn every_route_is_reached_by_its_own_path() {
        for route in ROUTES {
            let path = route.path.replace("{pool}", "p").replace("{server}", "s");
            let method = Method::from_bytes(route.method.as_bytes()).unwrap();
            assert_eq!(endpoint(&method, &path), Ok(route.endpoint));
        }
    }
}
