//! `GET /docs`: renders the `OpenAPI` document as an HTML page.

use http::StatusCode;
use serde_json::Value;

use crate::server::web::html::Html;

/// HTTP methods of the API, in display order.
const METHODS: [&str; 3] = ["get", "head", "post"];

/// Renders an `OpenAPI` document as the body of a page.
pub(crate) fn render(document: &Value) -> Html {
    let mut html = Html::default();
    html.element("h1", text(&document["info"]["title"]));
    html.element("p", text(&document["info"]["description"]));
    html.link("openapi.json", "OpenAPI document");
    for (path, item) in members(&document["paths"]) {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                html.element("h2", &format!("{} {path}", method.to_uppercase()));
                describe_operation(&mut html, operation);
            }
        }
    }
    html.element("h2", "Schemas");
    for (name, schema) in members(&document["components"]["schemas"]) {
        html.element("h3", name);
        html.element("pre", &serde_json::to_string_pretty(schema).unwrap_or_default());
    }
    html
}

fn describe_operation(html: &mut Html, operation: &Value) {
    for member in ["summary", "description"] {
        if let Some(text) = operation[member].as_str() {
            html.element("p", text);
        }
    }
    let security = operation["security"].as_array().into_iter().flatten();
    let schemes: Vec<&str> = security.flat_map(members).map(|(name, _)| name).collect();
    let mut lines = Vec::new();
    if !schemes.is_empty() {
        lines.push(format!("Authentication: {}", schemes.join(" or ")));
    }
    lines.extend(operation["parameters"].as_array().into_iter().flatten().map(parameter));
    lines.extend(content(&operation["requestBody"]).map(|body| format!("Body: {body}")));
    lines.extend(members(&operation["responses"]).map(|(status, response)| describe_response(status, response)));
    html.list(&lines);
}

fn parameter(parameter: &Value) -> String {
    let optional = if parameter["required"] == true { "" } else { ", optional" };
    format!("{}: in the {}{optional}", text(&parameter["name"]), text(&parameter["in"]))
}

fn describe_response(status: &str, response: &Value) -> String {
    let title = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
    let title = title.and_then(|status| status.canonical_reason()).unwrap_or_default();
    let description = text(&response["description"]).replace('`', "");
    let body = content(response).unwrap_or_default();
    let parts = [format!("{status} {title}"), description, body];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}

/// Returns the schema name, if any, and the media type of a body, such as `Empty (application/json)`.
fn content(body: &Value) -> Option<String> {
    let (media_type, content) = members(&body["content"]).next()?;
    let reference = content["schema"]["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
    Some(reference.map_or_else(|| media_type.to_owned(), |name| format!("{name} ({media_type})")))
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
