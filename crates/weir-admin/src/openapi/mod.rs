//! `/openapi.json`: the paths come from the table of routes, the schemas from [`schemas`] and [`machine`].

mod machine;
mod schemas;

use serde_json::{Map, Value, json};

use crate::api::routes::{Endpoint, Media, ROUTES, Route};

/// The description of the API (OpenAPI 3.1).
pub(crate) fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Weir admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "On the admin address only. Every GET answers HEAD as well. \
                            Errors are problem documents (RFC 9457).",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        // With or without: a token is needed where the configuration names one.
        "security": [{ "token": [] }, {}],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas(),
        },
    })
}

fn schemas() -> Map<String, Value> {
    let parts = [schemas::all(), machine::all()];
    parts.into_iter().flat_map(|part| part.as_object().cloned().unwrap_or_default()).collect()
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route.endpoint),
        "summary": route.summary,
        "responses": responses(route),
    });
    let parameters: Vec<Value> = ["pool", "server"]
        .into_iter()
        .filter(|name| route.path.contains(&format!("{{{name}}}")))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .chain((route.endpoint == Endpoint::ReplaceConfig).then(|| {
            json!({
                "name": "If-Match",
                "in": "header",
                "description": "The ETag of the configuration that is to be replaced; any when absent.",
                "schema": { "type": "string" },
            })
        }))
        .collect();
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    if let Some(media) = route.takes {
        operation["requestBody"] = json!({ "required": true, "content": content(media) });
    }
    operation
}

fn responses(route: &Route) -> Value {
    let mut responses = json!({
        "200": { "description": "Done", "content": content(route.gives) },
        "default": {
            "description": "A problem",
            "content": { "application/problem+json": { "schema": reference("Problem") } },
        },
    });
    for &status in route.refusals {
        let description = http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("");
        // /readyz says the same shape whether it is ready or not.
        let content = match route.endpoint {
            Endpoint::Readyz => content(route.gives),
            Endpoint::Page
            | Endpoint::Healthz
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
            | Endpoint::CheckConfig => {
                json!({ "application/problem+json": { "schema": reference("Problem") } })
            }
        };
        responses[status.to_string()] = json!({ "description": description, "content": content });
    }
    responses
}

fn content(media: Media) -> Value {
    match media {
        Media::Html => json!({ "text/html": {} }),
        Media::Metrics => json!({ "text/plain; version=0.0.4": {} }),
        Media::Yaml => json!({ "application/yaml": {} }),
        Media::Json(schema) => json!({ "application/json": { "schema": reference(schema) } }),
        Media::AnyJson => json!({ "application/json": {} }),
    }
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn operation_id(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Page => "getPage",
        Endpoint::Healthz => "getHealth",
        Endpoint::Readyz => "getReadiness",
        Endpoint::Metrics => "getMetrics",
        Endpoint::OpenApi => "getDescription",
        Endpoint::Stats => "getStats",
        Endpoint::System => "getSystem",
        Endpoint::Pools => "listPools",
        Endpoint::Pool => "getPool",
        Endpoint::Server => "getServer",
        Endpoint::ChangeServer => "changeServer",
        Endpoint::Config => "getConfig",
        Endpoint::ReplaceConfig => "replaceConfig",
        Endpoint::CheckConfig => "checkConfig",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described() {
        let document = document();
        for route in ROUTES {
            let operation = &document["paths"][route.path][route.method.to_ascii_lowercase()];
            assert_eq!(operation["summary"], route.summary, "{} {}", route.method, route.path);
        }
        let described: usize =
            document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
        assert_eq!(described, ROUTES.len());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn walk(value: &Value, schemas: &Value, seen: &mut usize) {
            match value {
                Value::Object(fields) => {
                    if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                        let name = target.strip_prefix("#/components/schemas/").unwrap();
                        assert!(schemas[name].is_object(), "{target}");
                        *seen += 1;
                    }
                    fields.values().for_each(|value| walk(value, schemas, seen));
                }
                Value::Array(values) => values.iter().for_each(|value| walk(value, schemas, seen)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let document = document();
        let mut seen = 0;
        walk(&document, &document["components"]["schemas"], &mut seen);
        assert!(seen > 20, "{seen}");
    }
}
