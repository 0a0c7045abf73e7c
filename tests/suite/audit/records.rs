//! Audit records: every request, its actions and its events.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Api, Service, Started, eventually};

async fn trail(service: &Started, id: &str) -> Vec<Value> {
    let (mut records, mut after) = (Vec::new(), String::new());
    loop {
        let page = service.admin().get(&format!("/audit/transfers/id/{id}/all?limit=7{after}")).send().await;
        assert_eq!(page.status, 200, "{page:?}");
        records.extend(page.items());
        match page.json()["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return records,
        }
    }
}

fn texts<'a>(records: &'a [Value], kind: &str, member: &str) -> Vec<&'a str> {
    records.iter().filter(|record| record["type"] == kind).map(|record| record[member].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_known_sequence_of_calls_leaves_exactly_its_records() {
    for service in Service::each() {
        let service = service.start().await;
        let (sender, anyone) = (service.sender().await, service.public());
        let path = |id: &str, route: &str| format!("/transfers/id/{id}/{route}");
        let id = sender.create(5, r#""max_downloads":2"#).await;
        sender.get(&path(&id, "upload/status")).send().await;
        sender.post(&path(&id, "upload/complete")).expect_error("upload_incomplete").await;
        sender.post(&path(&id, "payload/upload-bytes")).bytes(b"hello").send().await;
        sender.post(&path(&id, "upload/complete")).send().await;
        anyone.get(&path(&id, "status")).header("x-request-id", "my-own-1").send().await;
        anyone.post(&path(&id, "events/add")).json(r#"{"kind":"link_opened"}"#).send().await;
        anyone.post(&path(&id, "download/create-presign-url")).send().await;
        anyone.get(&path(&id, "payload/download-bytes")).send().await;
        // The download record is written after the response body has been sent.
        eventually(|| async { (trail(&service, &id).await.len() >= 24 + 2).then_some(()) }).await;
        anyone.post(&path(&id, "payload/upload-bytes")).expect_error("token_missing").await;
        anyone.get(&path(&id, "events/list")).send().await;
        sender.post(&path(&id, "delete")).send().await;

        let records = trail(&service, &id).await;
        let routes = [
            ("POST", "/transfers/create", 201),
            ("GET", "/transfers/id/{transfer_id}/upload/status", 200),
            ("POST", "/transfers/id/{transfer_id}/upload/complete", 409),
            ("POST", "/transfers/id/{transfer_id}/payload/upload-bytes", 200),
            ("POST", "/transfers/id/{transfer_id}/upload/complete", 200),
            ("GET", "/transfers/id/{transfer_id}/status", 200),
            ("POST", "/transfers/id/{transfer_id}/events/add", 201),
            ("POST", "/transfers/id/{transfer_id}/download/create-presign-url", 200),
            ("GET", "/transfers/id/{transfer_id}/payload/download-bytes", 200),
            ("POST", "/transfers/id/{transfer_id}/payload/upload-bytes", 401),
            ("GET", "/transfers/id/{transfer_id}/events/list", 200),
            ("POST", "/transfers/id/{transfer_id}/delete", 200),
        ];
        let requests: Vec<_> = records
            .iter()
            .filter(|record| record["type"] == "request" && record["service"] == "public")
            .map(|record| {
                let text = |member: &str| record[member].as_str().unwrap();
                (text("method"), text("route"), record["status"].as_u64().unwrap())
            })
            .collect();
        assert_eq!(requests, routes);
        let actions = [
            "transfer.create done",
            "upload.status done",
            "upload.complete refused",
            "payload.upload done",
            "upload.complete done",
            "transfer.status done",
            "event.add done",
            "download.grant done",
            "payload.download done",
            "payload.upload refused",
            "event.list done",
            "transfer.delete done",
        ];
        let done: Vec<_> = records
            .iter()
            .filter(|record| record["type"] == "action" && record["action"] != "audit.read")
            .map(|record| format!("{} {}", record["action"].as_str().unwrap(), record["outcome"].as_str().unwrap()))
            .collect();
        assert_eq!(done, actions);
        let events = [
            "transfer_created",
            "transfer_completed",
            "link_opened",
            "download_granted",
            "download_granted",
            "transfer_exhausted",
            "transfer_deleted",
            "payload_removed",
        ];
        assert_eq!(texts(&records, "event", "kind"), events);

        // Each action and event belongs to a recorded request.
        let known = texts(&records, "request", "request_id");
        for record in &records {
            assert!(known.contains(&record["request_id"].as_str().unwrap()), "{record} belongs to no request");
            assert_eq!(record["v"], 1);
        }
        let status = records.iter().find(|record| record["client_request_id"] == "my-own-1").unwrap();
        assert_ne!(status["request_id"], "my-own-1");
        let download = records.iter().find(|record| {
            record["type"] == "request" && record["route"] == "/transfers/id/{transfer_id}/payload/download-bytes"
        });
        assert_eq!(download.unwrap()["bytes_out"], 5);
        let upload = records.iter().find(|record| record["status"] == 200 && record["bytes_in"] == 5);
        assert_eq!(upload.unwrap()["token_id"].as_str().unwrap().len(), 16);
    }
}

#[tokio::test]
async fn only_the_senders_token_shows_the_client_of_an_event() {
    let service = Service::any().start().await;
    let (sender, other) = (service.sender().await, service.sender().await);
    let id = sender.send_payload(b"abc", "").await;
    let add = service.public().post(&format!("/transfers/id/{id}/events/add")).json(r#"{"kind":"decrypt_failed"}"#);
    let added = add.send().await;
    assert_eq!(added.status, 201);
    for list in ["events", "actions"] {
        let path = format!("/transfers/id/{id}/{list}/list");
        let open = service.public().get(&path).send().await;
        let text = String::from_utf8_lossy(&open.body).into_owned();
        assert!(!text.contains("client\":{") && !text.contains("token_id"), "{text}");
        other.get(&path).expect_error("not_your_transfer").await;
        service.public().get(&path).header("x-sgsend-token", "wrong").expect_error("token_invalid").await;
    }
    let own = sender.get(&format!("/transfers/id/{id}/events/list")).send().await;
    let claim = own.items().pop().unwrap();
    assert_eq!((claim["id"].as_str().unwrap(), claim["source"].as_str().unwrap()), (&*added.text("id"), "client"));
    assert_eq!(claim["client"]["ip_mode"], "hashed");
}

#[tokio::test]
async fn clients_add_few_events_and_only_known_ones() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let pending = sender.create(3, "").await;
    let id = sender.send_payload(b"abc", "").await;
    let add = |id: &str, body: &str| service.public().post(&format!("/transfers/id/{id}/events/add")).json(body);
    assert_eq!(add(&pending, r#"{"kind":"link_opened"}"#).send().await.status, 201);
    add(&pending, r#"{"kind":"download_started"}"#).expect_error("not_completed").await;
    sender.post(&format!("/transfers/id/{pending}/delete")).send().await;
    add(&pending, r#"{"kind":"download_completed"}"#).expect_error("not_completed").await;
    for body in ["", r#"{"kind":"transfer_deleted"}"#, r#"{"kind":"x"}"#, r#"{"kind":"link_opened","note":"hi"}"#] {
        add(&id, body).expect_error("invalid_request").await;
    }
    for _ in 0..20 {
        assert_eq!(add(&id, r#"{"kind":"link_opened"}"#).send().await.status, 201);
    }
    add(&id, r#"{"kind":"link_opened"}"#).expect_error("event_limit_reached").await;
    // Holders of a grant have an event limit of their own.
    let granted = service.public().post(&format!("/transfers/id/{id}/download/create-presign-url")).send().await;
    let with_grant = add(&id, r#"{"kind":"download_started"}"#).header("x-sgsend-grant", &granted.text("grant"));
    assert_eq!(with_grant.send().await.status, 201);
    // The omission is recorded as an event.
    assert!(texts(&api_events(&sender, &id).await, "event", "kind").contains(&"audit_truncated"));
}

async fn api_events(api: &Api, id: &str) -> Vec<Value> {
    api.get(&format!("/transfers/id/{id}/events/list?limit=1000")).send().await.items()
}

#[tokio::test]
async fn pagination_continues_after_the_last_record() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let id = sender.send_payload(b"abc", "").await;
    for _ in 0..9 {
        sender.status(&id).await;
    }
    let whole = sender.get(&format!("/transfers/id/{id}/actions/list?limit=1000")).send().await.items();
    let (mut found, mut after) = (Vec::new(), String::new());
    while found.len() < whole.len() {
        let page = sender.get(&format!("/transfers/id/{id}/actions/list?limit=3{after}")).send().await;
        found.extend(page.items());
        after = format!("&after={}", found.last().unwrap()["id"].as_str().unwrap());
    }
    assert_eq!(found[..whole.len()], whole);
    assert!(whole.is_sorted_by_key(|record| record["id"].as_str().unwrap().to_owned()));
    for query in ["limit=0", "after=x", "before=x"] {
        sender.get(&format!("/transfers/id/{id}/events/list?{query}")).expect_error("invalid_request").await;
        service.admin().get(&format!("/audit/transfers/id/{id}/all?{query}")).expect_error("invalid_request").await;
    }
}

#[tokio::test]
async fn strangers_see_neither_reads_nor_refusals_and_nobody_an_admins_reads() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let id = sender.send_payload(b"abc", r#""max_downloads":1"#).await;
    sender.status(&id).await;
    service.admin().get(&format!("/audit/transfers/id/{id}/all")).send().await;
    let download = format!("/transfers/id/{id}/payload/download-bytes");
    assert_eq!(service.public().get(&download).send().await.status, 200);
    service.public().get(&download).expect_error("transfer_exhausted").await;
    let listed = async |api: Api| {
        let actions = api.get(&format!("/transfers/id/{id}/actions/list?limit=1000")).send().await.items();
        let described = actions.iter().map(|record| {
            let text = |member: &str| record[member].as_str().unwrap_or_default().to_owned();
            format!("{} {}", text("action"), text("outcome"))
        });
        described.collect::<BTreeSet<_>>()
    };
    let changes = ["transfer.create done", "payload.upload done", "upload.complete done", "payload.download done"];
    let changes = changes.map(str::to_owned);
    let (by_stranger, by_sender) = (listed(service.public()).await, listed(sender.clone()).await);
    assert!(by_stranger.is_subset(&BTreeSet::from(changes.clone())), "{by_stranger:?}");
    assert!(by_stranger.contains("payload.download done"), "{by_stranger:?}");
    for more in ["transfer.status done", "payload.download refused", "upload.complete done"] {
        assert!(by_sender.contains(more), "{more}: {by_sender:?}");
    }
    assert!(!by_sender.contains("audit.read done"), "{by_sender:?}");
    let all = service.admin().get(&format!("/audit/transfers/id/{id}/all?limit=1000")).send().await.items();
    assert!(all.iter().any(|record| record["action"] == "audit.read"), "{all:?}");
}

#[tokio::test]
async fn requests_that_name_no_transfer_are_kept_apart() {
    let service = Service::on_disk().start().await;
    let missing = "0".repeat(32);
    service.public().get(&format!("/transfers/id/{missing}/status")).expect_error("transfer_not_found").await;
    service.public().post("/transfers/create").expect_error("token_missing").await;
    service.public().get("/no/such/route?with=a-query").expect_error("route_not_found").await;
    service.public().get("/health").send().await;
    let folder = service.stop().await.1.unwrap();
    let records = rusqlite::Connection::open(folder.path().join("records.sqlite")).unwrap();
    let mut statement =
        records.prepare("SELECT key, CAST(value AS TEXT) FROM object WHERE key LIKE 'service/%'").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    let rows: Vec<_> = rows.map(Result::unwrap).collect();
    assert!(rows.iter().all(|(key, _)| key.starts_with("service/reads/2026-01-01/")), "{rows:?}");
    let requests = rows.iter().filter(|(key, _)| key.contains("/requests/")).count();
    assert_eq!((requests, rows.len()), (3, 6), "{rows:?}");
    assert!(!rows.iter().any(|(_, value)| value.contains("a-query") || value.contains("no/such")), "{rows:?}");
    let of_missing =
        records.query_row("SELECT count(*) FROM object WHERE key LIKE 'transfers/%'", [], |row| row.get(0));
    assert_eq!(of_missing, Ok(0));
}

#[tokio::test]
async fn clients_that_disconnect_early_are_recorded() {
    use tokio::io::AsyncWriteExt;
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let id = sender.send_payload(b"abc", "").await;
    for _ in 0..20 {
        let mut stream = tokio::net::TcpStream::connect(service.public).await.unwrap();
        let request = format!("GET /transfers/id/{id}/payload/download-bytes HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
    }
    // Some clients disconnect before the server reads the request; each counted download still has its request record.
    eventually(|| async {
        let records = trail(&service, &id).await;
        let downloads = texts(&records, "action", "action").into_iter().filter(|action| *action == "payload.download");
        let routes = texts(&records, "request", "route").into_iter().filter(|route| route.ends_with("download-bytes"));
        let (downloads, routes) = (downloads.count(), routes.count());
        (downloads > 0 && downloads == routes).then_some(())
    })
    .await;
}

#[tokio::test]
async fn records_contain_the_status_sent_to_the_client() {
    let service = Service::on_disk().start().await;
    let sender = service.sender().await;
    let id = sender.send_payload(b"abc", "").await;
    // A payload that the server can't remove.
    let payload = service.payload_file(&id);
    std::fs::remove_file(&payload).unwrap();
    std::fs::create_dir(&payload).unwrap();
    sender.post(&format!("/transfers/id/{id}/delete")).expect_error("storage_unavailable").await;
    let records = trail(&service, &id).await;
    let delete = records
        .iter()
        .find(|record| record["type"] == "request" && record["route"] == "/transfers/id/{transfer_id}/delete");
    assert_eq!(delete.unwrap()["status"], 503);
    std::fs::remove_dir(&payload).unwrap();
    assert_eq!(sender.post(&format!("/transfers/id/{id}/delete")).send().await.text("status"), "deleted");
}

#[tokio::test]
async fn records_contain_no_client_controlled_text() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let service = Service::on_disk().start().await;
    let odd = "X".repeat(10_000);
    let mut stream = tokio::net::TcpStream::connect(service.public).await.unwrap();
    let request = format!("{odd} /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 405"), "{response}");
    assert_eq!(service.public().request("HEAD", "/health").send().await.status, 200);
    let folder = service.stop().await.1.unwrap();
    let records = rusqlite::Connection::open(folder.path().join("records.sqlite")).unwrap();
    let all = "SELECT CAST(value AS TEXT) FROM object WHERE key LIKE 'service/%'";
    let mut statement = records.prepare(all).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let rows: Vec<String> = rows.map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2, "HEAD of a page that leaves no records left one: {rows:?}");
    let rows = rows.concat();
    assert!(rows.contains(r#""method":"other""#) && !rows.contains("XXX"), "{rows}");
}

#[tokio::test]
async fn buffered_records_are_written_at_shutdown() {
    let service = Service::on_disk().with(|settings| settings.audit = sgsend::domain::audit::WriteMode::Batched);
    let service = service.start().await;
    let sender = service.sender().await;
    let id = sender.send_payload(b"abc", "").await;
    for _ in 0..50 {
        sender.status(&id).await;
    }
    let service = service.restart().await;
    let reads = trail(&service, &id).await;
    let reads = texts(&reads, "action", "action").into_iter().filter(|action| *action == "transfer.status").count();
    assert_eq!(reads, 50);
}
