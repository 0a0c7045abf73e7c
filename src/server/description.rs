//! What the API's description says beyond what is read off the handlers: headers of answers, and what leads where.

use serde_json::{Map, Value, json};

use crate::domain::audit::ServiceName;

/// One answer tells what other requests need: from, to, and which parameter is found where.
type Link = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

const TRANSFER: &[(&str, &str)] = &[("path.transfer_id", "$response.body#/transfer_id")];
const TOKEN: &[(&str, &str)] = &[("path.token_id", "$response.body#/token_id")];
const GRANT: &[(&str, &str)] =
    &[("path.transfer_id", "$request.path.transfer_id"), ("header.x-sgsend-grant", "$response.body#/grant")];

/// The links of a service, by the ids of its operations.
const fn links(service: ServiceName) -> &'static [Link] {
    match service {
        ServiceName::Public => &[
            (
                "create",
                &["upload_bytes", "upload_status", "create_presign_urls", "complete", "status", "delete", "recipient"],
                TRANSFER,
            ),
            ("upload_bytes", &["complete", "upload_status"], TRANSFER),
            (
                "complete",
                &["create_presign_url", "get_bytes", "head_bytes", "add", "list_events", "list_actions", "delete"],
                TRANSFER,
            ),
            ("create_presign_url", &["get_bytes", "head_bytes", "add"], GRANT),
            ("delete", &["status", "list_events", "list_actions"], TRANSFER),
        ],
        ServiceName::Admin => &[("create", &["revoke"], TOKEN), ("delete", &["all"], TRANSFER)],
    }
}

/// Completes a document. `max_payload` is the largest payload that is accepted.
pub(super) fn complete(document: &mut Value, service: ServiceName, max_payload: u64) {
    if let Some(size) = document.pointer_mut("/components/schemas/CreateTransfer/properties/size_bytes") {
        size["maximum"] = max_payload.into();
    }
    let schemas = document["components"]["schemas"].clone();
    for operation in operations(document) {
        parameters_are_never_null(operation);
        bodies_may_be_left_out(operation, &schemas);
        payloads_are_bytes(operation);
        add_headers(operation);
        add_links(operation, service);
    }
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let items = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    items.filter_map(Value::as_object_mut).flat_map(Map::values_mut)
}

/// What may be left out of a query or a head is an `Option` in the code; `null` is a text like any other there.
fn parameters_are_never_null(operation: &mut Value) {
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

/// An empty body is `{}`, and a piece of a payload may be empty too.
fn bodies_may_be_left_out(operation: &mut Value, schemas: &Value) {
    let Some(body) = operation.get_mut("requestBody") else { return };
    let schema = body.pointer("/content/application~1json/schema/$ref").and_then(Value::as_str);
    let named = schema.and_then(|path| path.rsplit('/').next()).and_then(|name| schemas.get(name));
    let required = named.is_some_and(|schema| schema.get("required").is_some());
    body["required"] = required.into();
}

/// Bytes are a list of numbers in the code; on the wire they are what they are.
fn payloads_are_bytes(operation: &mut Value) {
    let mut places = Vec::new();
    for (name, member) in operation.as_object_mut().into_iter().flatten() {
        match name.as_str() {
            "requestBody" => places.push(member),
            "responses" => places.extend(member.as_object_mut().into_iter().flat_map(Map::values_mut)),
            _ => {}
        }
    }
    for place in places {
        if let Some(schema) = place.pointer_mut("/content/application~1octet-stream/schema") {
            *schema = json!({ "type": "string", "format": "binary" });
        }
    }
}

/// The headers that answers have beside their bodies.
fn add_headers(operation: &mut Value) {
    let bytes = operation["operationId"] == "get_bytes" || operation["operationId"] == "head_bytes";
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        let mut headers = vec![
            ("x-request-id", true, "string", "The request's id, as in the audit trail"),
            ("x-client-request-id", false, "string", "What the client called its request in `x-request-id`"),
        ];
        match status.as_str() {
            "200" | "206" if bytes => headers.extend([
                ("etag", true, "string", "The payload's only version"),
                ("accept-ranges", true, "string", "`bytes`"),
                ("x-sgsend-grant", false, "string", "The grant that a GET without one was counted under"),
            ]),
            "304" | "412" if bytes => headers.push(("etag", true, "string", "The payload's only version")),
            "401" => headers.push(("www-authenticate", true, "string", "How to authenticate")),
            "429" => headers.push(("retry-after", false, "integer", "Seconds after which another try makes sense")),
            "503" => headers.push(("retry-after", true, "integer", "Seconds after which another try makes sense")),
            _ => {}
        }
        if matches!(status.as_str(), "206" | "416") {
            headers.push(("content-range", true, "string", "Which bytes of how many"));
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
