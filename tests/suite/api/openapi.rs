//! The `OpenAPI` description, checked against the route table and the error codes.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use sgsend::domain::audit::ServiceName;
use sgsend::domain::error::ErrorCode;
use sgsend::server::{ROUTES, Route};

use crate::support::{Api, Service, Started};

/// The documented API routes, written by hand on purpose, as an independent check.
const PUBLIC: &[&str] = &[
    "GET /health",
    "GET /health/ready",
    "GET /metrics",
    "GET /token/status",
    "POST /transfers/create",
    "POST /transfers/id/{transfer_id}/payload/upload-bytes",
    "GET /transfers/id/{transfer_id}/upload/status",
    "POST /transfers/id/{transfer_id}/upload/create-presign-urls",
    "POST /transfers/id/{transfer_id}/upload/complete",
    "GET /transfers/id/{transfer_id}/keys",
    "GET /transfers/id/{transfer_id}/status",
    "POST /transfers/id/{transfer_id}/download/create-presign-url",
    "GET /transfers/id/{transfer_id}/payload/download-bytes",
    "HEAD /transfers/id/{transfer_id}/payload/download-bytes",
    "POST /transfers/id/{transfer_id}/events/add",
    "GET /transfers/id/{transfer_id}/events/list",
    "GET /transfers/id/{transfer_id}/actions/list",
    "POST /transfers/id/{transfer_id}/update",
    "POST /transfers/id/{transfer_id}/links/create",
    "POST /transfers/id/{transfer_id}/links/list",
    "POST /transfers/id/{transfer_id}/links/id/{link_id}/update",
    "POST /transfers/id/{transfer_id}/links/id/{link_id}/revoke",
    "POST /transfers/id/{transfer_id}/delete",
    "GET /transfers/list",
    "GET /events/stream",
    "POST /requests/create",
    "POST /requests/list",
    "POST /requests/id/{token_id}/revoke",
    "GET /d/{transfer_id}",
    "GET /r/{token_id}",
    "GET /",
];

const ADMIN: &[&str] = &[
    "GET /health",
    "GET /health/ready",
    "POST /tokens/create",
    "GET /tokens/list",
    "POST /tokens/id/{token_id}/update",
    "POST /tokens/id/{token_id}/revoke",
    "GET /transfers/list",
    "POST /transfers/delete-many",
    "GET /metrics",
    "GET /stats/overview",
    "GET /notifications/targets",
    "GET /audit/transfers/id/{transfer_id}/all",
    "POST /transfers/id/{transfer_id}/delete",
    "GET /",
    "GET /auth/set-cookie-form",
    "GET /auth/set-cookie-form.js",
    "POST /auth/set-auth-cookie",
    "POST /auth/end-session",
    "POST /auth/prove",
];

/// Routes missing from the description: routes of the description itself, and of page assets.
const UNDESCRIBED: &[&str] = &["/openapi.json", "/docs", "/web/{*path}", "/save/worker.js"];

fn client(service: &Started, name: ServiceName) -> Api {
    match name {
        ServiceName::Public => service.public(),
        ServiceName::Admin => service.admin(),
    }
}

fn operations(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    operations.collect()
}

#[tokio::test]
async fn every_route_is_described_and_responds() {
    let service = Service::any().start().await;
    for (name, routes) in [(ServiceName::Public, PUBLIC), (ServiceName::Admin, ADMIN)] {
        let document = client(&service, name).get("/openapi.json").send().await;
        assert_eq!(document.header("content-type"), "application/json");
        let wanted: BTreeSet<String> = routes.iter().map(|route| (*route).to_owned()).collect();
        assert_eq!(operations(&document.json()), wanted);
        let table = ROUTES.iter().filter(|route| route.service == name);
        let name_of = |route: &Route| format!("{} {}", route.method, route.template);
        let (undescribed, table): (Vec<&Route>, Vec<_>) =
            table.partition(|route| UNDESCRIBED.contains(&route.template));
        let table: BTreeSet<String> = table.into_iter().map(name_of).collect();
        assert_eq!(table, wanted);
        let undescribed = undescribed.into_iter().map(name_of);
        for route in table.into_iter().chain(undescribed) {
            let (method, path) = route.split_once(' ').unwrap();
            let path = path.replace("{transfer_id}", &"0".repeat(32)).replace("{token_id}", &"0".repeat(16));
            let path = path.replace("{*path}", "style.css");
            let response = client(&service, name).request(method, &path).send().await;
            let missing = response.status == 404 && method != "HEAD" && response.code() == "route_not_found";
            assert!(!missing && response.status != 405, "{route}: {response:?}");
        }
    }
}

#[tokio::test]
async fn every_code_is_described_with_its_status() {
    let service = Service::any().start().await;
    let mut described = BTreeSet::new();
    for name in [ServiceName::Public, ServiceName::Admin] {
        let document = client(&service, name).get("/openapi.json").send().await.json();
        let of_service = ROUTES.iter().filter(|route| route.service == name);
        for route in of_service.filter(|route| !UNDESCRIBED.contains(&route.template)) {
            let operation = &document["paths"][route.template][route.method.to_lowercase()];
            for code in route.error_codes() {
                let response = &operation["responses"][route.status_of(code).as_str()];
                let text = response["description"].as_str().unwrap_or_default();
                assert!(text.contains(&format!("`{}`", code.as_str())), "{} lacks {}", route.template, code.as_str());
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem");
                described.insert(code.as_str());
            }
        }
        let codes = document["components"]["schemas"]["ErrorCode"]["enum"].as_array().unwrap();
        assert_eq!(codes.len(), ErrorCode::ALL.len());
    }
    let elsewhere = ["route_not_found", "method_not_allowed"];
    for code in ErrorCode::ALL {
        assert!(described.contains(code.as_str()) || elsewhere.contains(&code.as_str()), "{}", code.as_str());
    }
}

#[tokio::test]
async fn references_in_the_description_resolve() {
    let service = Service::any().start().await;
    for name in [ServiceName::Public, ServiceName::Admin] {
        let response = client(&service, name).get("/openapi.json").send().await;
        let text = String::from_utf8(response.body.to_vec()).unwrap();
        let schemas = response.json()["components"]["schemas"].clone();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let schema = reference.split('"').next().unwrap();
            assert!(schemas.get(schema).is_some(), "{schema} is referenced but missing");
        }
        let page = client(&service, name).get("/docs").send().await;
        let page = String::from_utf8_lossy(&page.body).into_owned();
        for (path, _) in response.json()["paths"].as_object().unwrap() {
            assert!(page.contains(path.as_str()), "the page lacks {path}");
        }
    }
}

/// Returns the values of all members named `member` in `value`, at any depth.
fn all_of<'a>(value: &'a Value, member: &str) -> Vec<&'a Value> {
    let inside: Vec<&Value> = match value {
        Value::Object(members) => members.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    value.get(member).into_iter().chain(inside.into_iter().flat_map(|inner| all_of(inner, member))).collect()
}

#[tokio::test]
async fn the_description_matches_the_wire_format() {
    let service = Service::any().start().await;
    let document = service.public().get("/openapi.json").send().await.json();
    let schemas = &document["components"]["schemas"];
    let codes: BTreeSet<&str> =
        schemas["ErrorCode"]["enum"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(codes, ErrorCode::ALL.iter().map(|code| code.as_str()).collect());
    // Records use the schema that allows only format version 1.
    for record in ["RequestRecord", "Action", "Event"] {
        assert_eq!(schemas[record]["properties"]["v"]["$ref"], "#/components/schemas/V1", "{record}");
    }
    assert_eq!(schemas["V1"]["type"], "integer");
    let limits = service.public().get("/health").send().await.json()["limits"].clone();
    assert_eq!(schemas["CreateTransfer"]["properties"]["size_bytes"]["maximum"], limits["max_payload_bytes"]);
    for name in [ServiceName::Public, ServiceName::Admin] {
        let document = client(&service, name).get("/openapi.json").send().await.json();
        for parameter in all_of(&document["paths"], "parameters").into_iter().filter_map(Value::as_array).flatten() {
            let text = parameter["schema"].to_string();
            assert!(!text.contains("null"), "queries and headers have no null: {parameter}");
            let schema = &parameter["schema"];
            let of_any_form = schema["type"] == "string" && schema["pattern"].is_null() && schema["enum"].is_null();
            assert!(!of_any_form || parameter["name"] == "range", "the parameter accepts any text: {parameter}");
        }
        for response in all_of(&document["paths"], "responses").into_iter().filter_map(Value::as_object).flatten() {
            assert!(response.1["headers"]["x-request-id"].is_object(), "{response:?}");
        }
    }
    let upload = &document["paths"]["/transfers/id/{transfer_id}/payload/upload-bytes"]["post"];
    assert_eq!(upload["requestBody"]["content"]["application/octet-stream"]["schema"]["format"], "binary");
    let required = |path: &str| document["paths"][path]["post"]["requestBody"]["required"].clone();
    assert_eq!(required("/transfers/create"), true);
    assert_eq!(required("/transfers/id/{transfer_id}/upload/complete"), false, "an empty body is {{}}");
}

#[tokio::test]
async fn links_name_existing_operations_and_parameters() {
    let service = Service::any().start().await;
    for name in [ServiceName::Public, ServiceName::Admin] {
        let document = client(&service, name).get("/openapi.json").send().await.json();
        let operations: Vec<&Value> = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|item| item.as_object().unwrap().values())
            .collect();
        let links: Vec<&Value> = all_of(&document["paths"], "links")
            .into_iter()
            .flat_map(|links| links.as_object().unwrap().values())
            .collect();
        assert!(!links.is_empty());
        for link in links {
            let target = operations.iter().find(|operation| operation["operationId"] == link["operationId"]);
            let parameters = target.unwrap_or_else(|| panic!("the target of {link} is missing"))["parameters"].clone();
            for (wanted, _) in link["parameters"].as_object().unwrap() {
                let (place, called) = wanted.split_once('.').unwrap();
                let found =
                    parameters.as_array().unwrap().iter().find(|one| one["in"] == place && one["name"] == called);
                assert!(found.is_some(), "{link} passes an unknown parameter");
            }
        }
    }
}

/// Compares the documents with the committed ones; writes them if `SGSEND_BLESS` is set.
#[tokio::test]
async fn reference_of_the_openapi_documents() {
    let service = Service::any().start().await;
    for (name, file) in [(ServiceName::Public, "openapi-public.json"), (ServiceName::Admin, "openapi-admin.json")] {
        let document = client(&service, name).get("/openapi.json").send().await.json();
        let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
        if std::env::var_os("SGSEND_BLESS").is_some_and(|value| !value.is_empty()) {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        let hint = "regenerate the file: SGSEND_BLESS=1 cargo test --test suite reference";
        assert!(committed == text, "{} differs from the served document; {hint}", path.display());
    }
}

#[tokio::test]
async fn clients_can_be_generated_from_the_description() {
    let service = Service::any().start().await;
    for name in [ServiceName::Public, ServiceName::Admin] {
        let document = client(&service, name).get("/openapi.json").send().await.json();
        assert_eq!(document["servers"][0]["url"], "/");
        let mut ids = BTreeSet::new();
        for operation in document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap()) {
            let id = operation.1["operationId"].as_str().unwrap().to_owned();
            assert!(id.contains('_'), "{id} is no verb with a noun");
            assert!(ids.insert(id.clone()), "{id} is used twice");
            for (status, response) in operation.1["responses"].as_object().unwrap() {
                assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{id} {status}");
            }
        }
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for (schema, union) in schemas.iter().filter(|(_, schema)| schema["oneOf"].is_array()) {
            let mapping = union["discriminator"]["mapping"].as_object().unwrap_or_else(|| panic!("{schema}"));
            assert_eq!(mapping.len(), union["oneOf"].as_array().unwrap().len(), "{schema}");
            for target in mapping.values().map(|target| target.as_str().unwrap()) {
                assert!(schemas.contains_key(target.rsplit('/').next().unwrap()), "{target} is missing");
            }
        }
    }
    let text = service.public().get("/openapi.json").send().await.json()["info"]["description"].to_string();
    assert!(text.contains("sgsend/v1/access") && text.contains("docs/format.md"), "{text}");
}

#[tokio::test]
async fn examples_are_accepted_as_they_are() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let schemas = sender.get("/openapi.json").send().await.json()["components"]["schemas"].clone();
    let example = |schema: &str| schemas[schema]["examples"][0].to_string();
    let created = sender.post("/transfers/create").json(&example("CreateTransfer")).send().await;
    assert_eq!(created.status, 201, "{created:?}");
    let payload = include_bytes!("../../vectors/hello.sealed");
    assert_eq!(created.json()["size_bytes"], payload.len());

    let id = sender.send_payload(payload, "").await;
    let started = sender.post(&format!("/transfers/id/{id}/download/create-presign-url"));
    let started = started.json(&example("DownloadRequest")).send().await;
    assert_eq!(started.status, 200, "{started:?}");
    let reported = sender.post(&format!("/transfers/id/{id}/events/add"));
    let reported = reported.header("x-sgsend-grant", &started.text("grant")).json(&example("AddEvent")).send().await;
    assert_eq!(reported.status, 201, "{reported:?}");

    let admin = service.admin();
    let schemas = admin.get("/openapi.json").send().await.json()["components"]["schemas"].clone();
    let token_response =
        admin.post("/tokens/create").json(&schemas["CreateToken"]["examples"][0].to_string()).send().await;
    assert_eq!(token_response.status, 201, "{token_response:?}");
}
