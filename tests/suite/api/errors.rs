//! Rejected requests: each has its error code, in the documented order of checks.

use crate::support::Service;

#[tokio::test]
async fn malformed_ids_are_rejected_first() {
    let service = Service::any().start().await;
    let zero = "0".repeat(32);
    for id in [
        "x",
        &zero[1..],
        &format!("{zero}0"),
        &zero.replace('0', "A"),
        "..%2f..%2fetc",
        "%00",
        "%ff",
        &zero.replacen('0', "%30", 1),
    ] {
        for (method, route) in [
            ("GET", "status"),
            ("POST", "payload/upload-bytes"),
            ("GET", "payload/download-bytes"),
            ("POST", "download/create-presign-url"),
            ("POST", "events/add"),
            ("GET", "events/list"),
            ("GET", "actions/list"),
            ("POST", "upload/complete"),
            ("GET", "upload/status"),
            ("POST", "delete"),
        ] {
            service.public().request(method, &format!("/transfers/id/{id}/{route}")).expect_error("invalid_id").await;
        }
        service.public().get(&format!("/d/{id}")).expect_error("invalid_id").await;
        service.admin().post(&format!("/tokens/id/{id}/revoke")).expect_error("invalid_id").await;
        service.admin().get(&format!("/audit/transfers/id/{id}/all")).expect_error("invalid_id").await;
        service.admin().post(&format!("/transfers/id/{id}/delete")).expect_error("invalid_id").await;
    }
}

#[tokio::test]
async fn missing_resources_are_not_found() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let zero = "0".repeat(32);
    for (method, route) in [
        ("GET", "status"),
        ("GET", "payload/download-bytes"),
        ("POST", "download/create-presign-url"),
        ("POST", "events/add"),
        ("GET", "events/list"),
        ("GET", "actions/list"),
    ] {
        let path = format!("/transfers/id/{zero}/{route}");
        service.public().request(method, &path).expect_error("transfer_not_found").await;
    }
    service.admin().get(&format!("/audit/transfers/id/{zero}/all")).expect_error("transfer_not_found").await;
    service.admin().post(&format!("/transfers/id/{zero}/delete")).expect_error("transfer_not_found").await;
    for path in ["/nothing", "/transfers", "/transfers/create/", "/transfers/id/", "/tokens/list"] {
        service.public().get(path).expect_error("route_not_found").await;
    }
    service.admin().post("/transfers/create").expect_error("route_not_found").await;
    for (method, path, allow) in [
        ("GET", "/transfers/create", "POST"),
        ("DELETE", "/health", "GET,HEAD"),
        ("PUT", &format!("/transfers/id/{zero}/payload/download-bytes"), "GET,HEAD"),
    ] {
        let response = sender.request(method, path).expect_error("method_not_allowed").await;
        assert_eq!(response.header("allow"), allow);
    }
}

#[tokio::test]
async fn invalid_bodies_are_rejected_and_the_member_is_named() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    for (body, named) in [
        ("", "size_bytes"),
        ("{}", "size_bytes"),
        ("null", "object"),
        ("[1]", "object"),
        ("{", "EOF"),
        (r#"{"size_bytes":1}{}"#, "trailing"),
        (r#"{"size_bytes":0}"#, "size_bytes"),
        (r#"{"size_bytes":-1}"#, "size_bytes"),
        (r#"{"size_bytes":1.5}"#, "size_bytes"),
        (r#"{"size_bytes":"1"}"#, "size_bytes"),
        (r#"{"size_bytes":1,"max_download":1}"#, "max_download"),
        (r#"{"size_bytes":1,"max_downloads":0}"#, "max_downloads"),
        (r#"{"size_bytes":1,"max_downloads":1001}"#, "max_downloads"),
        (r#"{"size_bytes":1,"max_downloads":"1"}"#, "max_downloads"),
        (r#"{"size_bytes":1,"expires_in_s":59}"#, "expires_in_s"),
        (r#"{"size_bytes":1,"expires_in_s":7776001}"#, "expires_in_s"),
        (r#"{"size_bytes":1,"expires_in_s":99999999999999999999}"#, "expires_in_s"),
        (r#"{"size_bytes":1,"access_sha256":"ff"}"#, "access_sha256"),
        (r#"{"size_bytes":1,"idempotency_key":"ff"}"#, "idempotency_key"),
        (r#"{"size_bytes":1,"size_bytes":1}"#, "size_bytes"),
    ] {
        let response = sender.post("/transfers/create").json(body).expect_error("invalid_request").await;
        assert!(response.text("detail").contains(named), "{body}: {response:?}");
    }
    let id = sender.create(1, "").await;
    for route in ["upload/complete", "delete"] {
        let path = format!("/transfers/id/{id}/{route}");
        sender.post(&path).json(r#"{"now":true}"#).expect_error("invalid_request").await;
        sender.post(&path).json("[").expect_error("invalid_request").await;
    }
    assert_eq!(sender.status(&id).await.text("status"), "pending");
    let long = format!(r#"{{"size_bytes":1,"idempotency_key":"{}"}}"#, "f".repeat(70_000));
    let response = sender.post("/transfers/create").json(&long).expect_error("payload_too_large").await;
    assert_eq!(response.number("limit_bytes"), 65_536);
    sender.post("/transfers/create").bytes(b"{\"size_bytes\":1,\"\xff\":1}").expect_error("invalid_request").await;
}

#[tokio::test]
async fn boundary_values_are_accepted() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let key = "0".repeat(64);
    for members in [
        r#""max_downloads":1,"expires_in_s":60"#,
        r#""max_downloads":1000,"expires_in_s":7776000"#,
        r#""max_downloads":null,"expires_in_s":null"#,
        &format!(r#""idempotency_key":"{key}","access_sha256":"{key}""#),
    ] {
        sender.create(104_924_803, members).await;
    }
}

#[tokio::test]
async fn checks_come_in_the_documented_order() {
    let service = Service::any().start().await;
    let (sender, other) = (service.sender().await, service.sender().await);
    let id = sender.create(1, "").await;
    let upload = |id: &str| format!("/transfers/id/{id}/payload/upload-bytes?offset=x");
    // Order: form of the ID, credential, existence, ownership, remaining parameters.
    service.public().post(&upload("x")).expect_error("invalid_id").await;
    service.public().post(&upload(&"0".repeat(32))).expect_error("token_missing").await;
    sender.post(&upload(&"0".repeat(32))).expect_error("transfer_not_found").await;
    other.post(&upload(&id)).expect_error("not_your_transfer").await;
    sender.post(&upload(&id)).expect_error("invalid_request").await;
    for path in ["/tokens/id/0000000000000000/revoke".to_owned(), format!("/transfers/id/{}/delete", "0".repeat(32))] {
        let missing = if path.starts_with("/tokens") { "token_not_found" } else { "transfer_not_found" };
        service.admin_without_key().post(&path).json("[").expect_error("admin_key_invalid").await;
        service.admin().post(&path).json("[").expect_error(missing).await;
    }
    let audit = format!("/audit/transfers/id/{}/all?x=1", "0".repeat(32));
    service.admin().get(&audit).expect_error("transfer_not_found").await;
    // Order: form of the body, state, access proof, grant.
    let digest = "0".repeat(64);
    let id = sender.create(1, &format!(r#""access_sha256":"{digest}""#)).await;
    let grant = || service.public().post(&format!("/transfers/id/{id}/download/create-presign-url"));
    let get = || service.public().get(&format!("/transfers/id/{id}/payload/download-bytes"));
    grant().json(r#"{"grant":"short"}"#).expect_error("invalid_request").await;
    grant().expect_error("not_completed").await;
    sender.upload(&id, b"a").await;
    grant().expect_error("access_required").await;
    get().header("x-sgsend-grant", &"A".repeat(43)).expect_error("access_required").await;
    let open = sender.send_payload(b"a", "").await;
    let get = service.public().get(&format!("/transfers/id/{open}/payload/download-bytes"));
    get.header("x-sgsend-grant", &"A".repeat(43)).expect_error("grant_invalid").await;
}

#[tokio::test]
async fn presigned_routes_report_the_wrong_mode() {
    let service = Service::on_disk().start().await;
    let sender = service.sender().await;
    let id = sender.create(1, "").await;
    let ask = |body: &str| sender.post(&format!("/transfers/id/{id}/upload/create-presign-urls")).json(body);
    ask(r#"{"numbers":[1]}"#).expect_error("wrong_mode").await;
    ask(r#"{"numbers":["1"]}"#).expect_error("invalid_request").await;
    ask("").expect_error("wrong_mode").await;
}

#[tokio::test]
async fn a_failing_store_is_reported_as_unavailable() {
    let service = Service::on_disk().start().await;
    let sender = service.sender().await;
    let records = rusqlite::Connection::open(service.folder().join("records.sqlite")).unwrap();
    records.execute_batch("DROP TABLE object").unwrap();
    let response =
        sender.post("/transfers/create").json(r#"{"size_bytes":1}"#).expect_error("storage_unavailable").await;
    assert!(response.header("retry-after").parse::<u64>().is_ok());
    let printed = String::from_utf8_lossy(&response.body).to_lowercase();
    for word in ["sqlite", "table", "object", service.folder().to_str().unwrap()] {
        assert!(!printed.contains(word), "the response contains {word}: {printed}");
    }
    let ready = service.public().get("/health/ready").expect_error("records_not_readable").await;
    let failed = serde_json::json!(["records_not_readable", "records_not_writable"]);
    assert_eq!((ready.status, &ready.json()["failed_checks"]), (503, &failed));
    assert_eq!(service.public().get("/health").send().await.status, 200);
}
