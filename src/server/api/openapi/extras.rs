//! Additions to the generated `OpenAPI` document: response headers, links, exact schemas.

use serde_json::{Map, Value, json};

use super::schemas;
use crate::domain::audit::ServiceName;

/// A link: source operation, target operations, and (target parameter, runtime expression) pairs.
type OperationLink = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

const TRANSFER: &[(&str, &str)] = &[("path.transfer_id", "$response.body#/transfer_id")];
const TOKEN: &[(&str, &str)] = &[("path.token_id", "$response.body#/token_id")];
const GRANT: &[(&str, &str)] =
    &[("path.transfer_id", "$request.path.transfer_id"), ("header.x-sgsend-grant", "$response.body#/grant")];

/// Returns the links between the operations of a service, by operation id.
const fn links(service: ServiceName) -> &'static [OperationLink] {
    match service {
        ServiceName::Public => &[
            (
                "create_transfer",
                &[
                    "upload_payload",
                    "get_upload_status",
                    "create_upload_urls",
                    "complete_upload",
                    "get_transfer_status",
                    "delete_transfer",
                    "show_recipient_page",
                ],
                TRANSFER,
            ),
            ("upload_payload", &["complete_upload", "get_upload_status"], TRANSFER),
            (
                "complete_upload",
                &[
                    "get_keys",
                    "start_download",
                    "download_payload",
                    "check_payload",
                    "add_event",
                    "list_events",
                    "list_actions",
                    "delete_transfer",
                ],
                TRANSFER,
            ),
            ("start_download", &["download_payload", "check_payload", "add_event"], GRANT),
            ("delete_transfer", &["get_transfer_status", "list_events", "list_actions"], TRANSFER),
        ],
        ServiceName::Admin => &[
            ("create_token", &["update_token", "revoke_token"], TOKEN),
            ("delete_any_transfer", &["list_audit_records"], TRANSFER),
        ],
    }
}

/// Adds the details to an `OpenAPI` document.
///
/// `max_payload` is the largest accepted payload, in encrypted bytes.
pub(crate) fn add_details(document: &mut Value, service: ServiceName, max_payload: u64) {
    if let Some(size) = document.pointer_mut("/components/schemas/CreateTransfer/properties/size_bytes") {
        size["maximum"] = max_payload.into();
    }
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        schemas::finish(schemas);
    }
    let schemas = document["components"]["schemas"].clone();
    for operation in operations(document) {
        remove_null_parameters(operation);
        mark_optional_bodies(operation, &schemas);
        set_binary_payloads(operation);
        describe_responses(operation, &schemas);
        add_headers(operation);
        add_links(operation, service);
    }
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let items = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    items.filter_map(Value::as_object_mut).flat_map(Map::values_mut)
}

/// Removes `null` from the types of query and header parameters.
///
/// The code uses `Option` for a parameter that may be missing, but `null` in a query or header is ordinary text.
fn remove_null_parameters(operation: &mut Value) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for schema in parameters.into_iter().flatten().filter_map(|parameter| parameter.get_mut("schema")) {
        if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
            types.retain(|name| name != "null");
            schema["type"] = types.first().cloned().unwrap_or_default();
        }
        if let Some(choice) = schema.get("oneOf").and_then(Value::as_array) {
            *schema = choice.iter().find(|one| one["type"] != "null").cloned().unwrap_or_default();
        }
    }
}

/// Marks a request body as optional unless its schema has required members.
///
/// An empty body means `{}`, or an empty chunk of a payload.
fn mark_optional_bodies(operation: &mut Value, schemas: &Value) {
    let Some(body) = operation.get_mut("requestBody") else { return };
    let schema = body.pointer("/content/application~1json/schema/$ref").and_then(Value::as_str);
    let named = schema.and_then(|path| path.rsplit('/').next()).and_then(|name| schemas.get(name));
    let required = named.is_some_and(|schema| schema.get("required").is_some());
    body["required"] = required.into();
}

/// Describes payloads as binary, since `Vec<u8>` in the annotations means an array of numbers.
fn set_binary_payloads(operation: &mut Value) {
    let mut bodies = Vec::new();
    for (name, member) in operation.as_object_mut().into_iter().flatten() {
        match name.as_str() {
            "requestBody" => bodies.push(member),
            "responses" => bodies.extend(member.as_object_mut().into_iter().flat_map(Map::values_mut)),
            _ => {}
        }
    }
    for body in bodies {
        if let Some(schema) = body.pointer_mut("/content/application~1octet-stream/schema") {
            *schema = json!({ "type": "string", "format": "binary" });
        }
    }
}

/// Describes successful responses by their schema or media type, unless the handler's annotation does.
fn describe_responses(operation: &mut Value, schemas: &Value) {
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        if response["description"].as_str().is_some_and(|text| !text.is_empty()) {
            continue;
        }
        let content = response["content"].as_object().and_then(|content| content.iter().next());
        let text = content.map_or("The request succeeded.", |(media_type, content)| {
            let reference = content["schema"]["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
            let schema = reference.and_then(|name| schemas[name]["description"].as_str());
            schema.and_then(|text| text.lines().next()).unwrap_or(match (media_type.as_str(), status.as_str()) {
                ("application/octet-stream", "206") => "The requested range of the payload.",
                ("application/octet-stream", _) => "The whole payload.",
                ("text/html", _) => "The page, as HTML.",
                ("text/javascript", _) => "The script.",
                ("application/openmetrics-text", _) => "The metrics, in the OpenMetrics format.",
                _ => "The request succeeded.",
            })
        });
        response["description"] = text.into();
    }
}

/// Documents the response headers of an operation.
fn add_headers(operation: &mut Value) {
    let bytes = operation["operationId"] == "download_payload" || operation["operationId"] == "check_payload";
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        let mut headers = vec![
            ("x-request-id", true, "string", "The server's id of the request, as in the audit trail"),
            ("x-client-request-id", false, "string", "The client's own id, sent as `x-request-id` in the request"),
        ];
        match status.as_str() {
            "200" | "206" if bytes => headers.extend([
                ("etag", true, "string", "The payload's constant entity tag"),
                ("accept-ranges", true, "string", "`bytes`"),
                ("x-sgsend-grant", false, "string", "The new grant of a GET without a grant, to resume the download"),
            ]),
            "304" | "412" if bytes => headers.push(("etag", true, "string", "The payload's constant entity tag")),
            "401" => headers.push(("www-authenticate", true, "string", "How to authenticate")),
            "429" => headers.push(("retry-after", false, "integer", "Seconds to wait before a retry")),
            "503" => headers.push(("retry-after", true, "integer", "Seconds to wait before a retry")),
            _ => {}
        }
        if matches!(status.as_str(), "206" | "416") {
            headers.push(("content-range", true, "string", "The byte range and the total size"));
        }
        for (name, required, kind, description) in headers {
            response["headers"][name] =
                json!({ "required": required, "description": description, "schema": { "type": kind } });
        }
    }
}

fn add_links(operation: &mut Value, service: ServiceName) {
    let from = operation["operationId"].as_str().unwrap_or_default().to_owned();
    let responses = operation["responses"].as_object_mut().into_iter().flatten();
    for (_, response) in responses.filter(|(status, _)| matches!(status.as_str(), "200" | "201")) {
        for (_, to, parameters) in links(service).iter().filter(|(link, ..)| *link == from) {
            let parameters: Map<String, Value> =
                parameters.iter().map(|(name, found)| ((*name).to_owned(), (*found).into())).collect();
            for to in *to {
                response["links"][to] = json!({ "operationId": to, "parameters": parameters });
            }
        }
    }
}
