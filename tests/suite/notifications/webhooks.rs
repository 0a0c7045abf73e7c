//! Webhooks: what they contain, how they are signed, and receivers that fail.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;
use sgsend::domain::notification::{WebhookKey, WebhookUrl};

use super::receiver::{Receiver, status};
use crate::support::{Api, Service, Started, eventually};

const KEY: &str = "a key for the secrets of webhooks in tests";

/// Returns services whose tokens can have webhooks on this machine.
fn service() -> Service {
    Service::any().with(|settings| {
        settings.notifications.webhook_key = Some(WebhookKey::new(KEY).unwrap());
        settings.notifications.allow_private = true;
    })
}

/// Creates a token with a webhook. Returns its client, its id and the secret of the webhook.
async fn sender(service: &Started, url: &str, choice: &str) -> (Api, String, String) {
    let body = json!({"name": "press", "notifications": {"webhook": url, "choice": choice}}).to_string();
    let created = service.admin().post("/tokens/create").json(&body).send().await;
    assert_eq!(created.status, 201, "{created:?}");
    let sender = service.public().with_header("authorization", &format!("Bearer {}", created.text("token")));
    (sender, created.text("token_id"), created.text("webhook_secret"))
}

async fn download(service: &Started, id: &str) {
    let path = format!("/transfers/id/{id}/payload/download-bytes");
    assert_eq!(service.public().get(&path).send().await.status, 200);
}

async fn failing_target(service: &Started, reason: &str) -> serde_json::Value {
    let reason = json!(reason);
    eventually(|| async {
        let overview = service.admin().get("/stats/overview").send().await;
        let target = overview.json()["failing_targets"][0].clone();
        tokio::time::sleep(Duration::from_millis(50)).await;
        (target["reason"] == reason).then_some(target)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_of_a_transfer_is_posted_once_signed_and_in_order() {
    if Service::is_presigned() {
        return;
    }
    for service in Service::each() {
        let receiver = Receiver::start();
        let service = service.with(|settings| {
            settings.notifications.webhook_key = Some(WebhookKey::new(KEY).unwrap());
            settings.notifications.allow_private = true;
        });
        let service = service.start().await;
        let (sender, _, secret) = sender(&service, &receiver.url, "every").await;
        let id = sender.send_payload(b"abc", r#""max_downloads":2"#).await;
        download(&service, &id).await;
        download(&service, &id).await;
        sender.post(&format!("/transfers/id/{id}/delete")).json("{}").send().await;
        let kinds = [
            "transfer.completed",
            "transfer.first_download",
            "transfer.downloaded",
            "transfer.downloaded",
            "transfer.exhausted",
            "transfer.deleted",
        ];
        let posts = receiver.wait_for(kinds.len());
        assert_eq!(posts.iter().map(super::receiver::Received::kind).collect::<Vec<_>>(), kinds);
        for request in &posts {
            request.check_signature(&secret);
            let body = request.json();
            assert_eq!(body["id"], request.header("webhook-id"));
            assert_eq!((&body["transfer_id"], &body["max_downloads"]), (&json!(id), &json!(2)));
            let mut members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
            members.sort_unstable();
            assert_eq!(members, ["at", "download_count", "id", "kind", "max_downloads", "transfer_id", "v"]);
            assert_eq!(request.header("content-type"), "application/json");
        }
        assert_eq!(posts[3].json()["download_count"], 2);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(receiver.received().len(), kinds.len(), "a notification was posted again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sender_chooses_which_notifications_are_sent() {
    let (service, receiver) = (service().start().await, Receiver::start());
    let (sender, _, _) = sender(&service, &receiver.url, "first").await;
    let silent = sender.send_payload(b"abc", r#""notify":"never""#).await;
    let every = sender.send_payload(b"abc", r#""notify":"every","max_downloads":3"#).await;
    let first = sender.send_payload(b"abc", r#""max_downloads":3"#).await;
    for id in [&silent, &every, &first] {
        for _ in 0..2 {
            let path = format!("/transfers/id/{id}/download/create-presign-url");
            assert_eq!(service.public().post(&path).json("{}").send().await.status, 200);
        }
    }
    let of = |posts: &[super::receiver::Received], id: &str| -> Vec<String> {
        let mine = posts.iter().filter(|one| one.json()["transfer_id"] == json!(id));
        mine.map(super::receiver::Received::kind).collect()
    };
    let posts = receiver.wait_for(6);
    let downloaded = ["transfer.completed", "transfer.first_download", "transfer.downloaded", "transfer.downloaded"];
    assert_eq!(of(&posts, &every), downloaded);
    assert_eq!(of(&posts, &first), ["transfer.completed", "transfer.first_download"]);
    assert_eq!(of(&posts, &silent), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_down_gets_everything_later_in_order_and_no_request_waits() {
    let service = service().start().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (sender, _, _) = sender(&service, &format!("http://{address}/"), "every").await;
    let started = Instant::now();
    let id = sender.send_payload(b"abc", "").await;
    assert!(started.elapsed() < Duration::from_secs(5), "a request waited for the receiver");
    let target = failing_target(&service, "not_reachable").await;
    assert_eq!((target["health"].as_str(), target["delivered"].as_u64()), (Some("retrying"), Some(0)));
    assert_eq!(target["address"], format!("http://{address}"));
    sender.post(&format!("/transfers/id/{id}/delete")).json("{}").send().await;
    let metrics = service.admin().get("/metrics").send().await;
    assert!(String::from_utf8_lossy(&metrics.body).contains("sgsend_notifications_total{result=\"failed\"}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_redirects_and_silence_are_failures_and_the_same_id_is_posted_again() {
    for (respond, reason) in [
        (Some(status("500 Internal Server Error")), "receiver_error"),
        (Some(status("302 Found").replace("\r\n\r\n", "\r\nlocation: http://127.0.0.1:1/\r\n\r\n")), "redirect"),
        (Some(status("404 Not Found")), "rejected"),
    ] {
        let receiver = Receiver::with(move |_, _| respond.clone());
        let service = service().start().await;
        let (sender, _, _) = sender(&service, &receiver.url, "first").await;
        sender.send_payload(b"abc", "").await;
        let failing = failing_target(&service, reason).await;
        let listed = || async { service.admin().get("/notifications/targets").send().await.json()["items"].clone() };
        assert_eq!(listed().await, json!([failing]), "{reason}");
        receiver.respond_with(|_, _| Some(status("200 OK")));
        service.advance_clock(Duration::from_secs(10));
        let posts = receiver.wait_for(2);
        assert_eq!(posts[0].header("webhook-id"), posts[1].header("webhook-id"), "{reason}");
        assert_eq!(posts[0].body, posts[1].body);
        eventually(|| async {
            let overview = service.admin().get("/stats/overview").send().await.json();
            overview.get("failing_targets").is_none().then_some(())
        })
        .await;
        let listed = listed().await;
        assert_eq!((&listed[0]["health"], &listed[0]["target_id"]), (&json!("ok"), &failing["target_id"]), "{listed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_receiver_has_at_most_four_requests_and_is_given_up_after_ten_seconds() {
    let receiver = Receiver::with(|_, _| {
        std::thread::sleep(Duration::from_millis(300));
        Some(status("204 No Content"))
    });
    let service = service().start().await;
    let (sender, _, _) = sender(&service, &receiver.url, "first").await;
    for _ in 0..12 {
        sender.send_payload(b"abc", "").await;
    }
    let posts = receiver.wait_for(12);
    let most = posts.iter().map(|request| request.at_once).max().unwrap();
    assert!((2..=4).contains(&most), "{most} requests at once");

    receiver.respond_with(|_, _| None);
    let started = Instant::now();
    sender.send_payload(b"abc", "").await;
    failing_target(&service, "timeout").await;
    assert!(started.elapsed() >= Duration::from_secs(9), "given up after {:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_need_a_setting_and_metadata_addresses_are_always_refused() {
    let receiver = Receiver::start();
    for (allow_private, url) in [
        (false, receiver.url.clone()),
        (false, receiver.url.replace("127.0.0.1", "localhost")),
        (true, "http://169.254.169.254/latest/meta-data/".to_owned()),
        (true, "https://[fd00:ec2::254]/".to_owned()),
        (true, "http://0.0.0.0:80/".to_owned()),
        (true, "http://[::ffff:169.254.169.254]/".to_owned()),
    ] {
        let service = service().with(|settings| settings.notifications.allow_private = allow_private).start().await;
        let (sender, _, _) = sender(&service, &url, "first").await;
        sender.send_payload(b"abc", "").await;
        failing_target(&service, "address_refused").await;
    }
    assert_eq!(receiver.received().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_of_all_transfers_gets_those_of_every_token() {
    let receiver = Receiver::start();
    let secret = format!("whsec_{}", "A".repeat(32));
    let url: WebhookUrl = receiver.url.parse().unwrap();
    let service = Service::any().with(|settings| {
        settings.notifications.webhook = Some(url);
        settings.notifications.webhook_secret = Some(secret.parse().unwrap());
        settings.notifications.allow_private = true;
    });
    let service = service.start().await;
    let (one, two) = (service.sender().await, service.sender().await);
    let ids = [one.send_payload(b"abc", "").await, two.send_payload(b"abc", "").await];
    let posts = receiver.wait_for(2);
    for request in &posts {
        request.check_signature(&secret);
        assert_eq!(request.path, "/hook");
    }
    let mut got: Vec<_> = posts.iter().map(|one| one.json()["transfer_id"].as_str().unwrap().to_owned()).collect();
    got.sort_unstable();
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    assert_eq!(got, ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_of_a_token_are_changed_and_removed_and_secrets_are_shown_once() {
    let (old, new) = (Receiver::start(), Receiver::start());
    let service = service().start().await;
    let (sender, id, first) = sender(&service, &old.url, "first").await;
    let change = |body: serde_json::Value| {
        let request = service.admin().post(&format!("/tokens/id/{id}/update"));
        async move { request.json(&json!({ "notifications": body }).to_string()).send().await }
    };
    let changed = change(json!({"webhook": new.url})).await;
    let second = changed.text("webhook_secret");
    assert_ne!(first, second);
    assert_eq!(changed.json()["notifications"]["webhook"]["origin"], new.url.replace("/hook", ""));
    sender.send_payload(b"abc", "").await;
    new.wait_for(1)[0].check_signature(&second);
    let listed = service.admin().get("/tokens/list").send().await;
    let text = String::from_utf8_lossy(&listed.body);
    assert!(!text.contains("whsec_") && !text.contains("/hook"), "{text}");
    let silent = change(json!({"choice": "never"})).await;
    assert!(silent.json().get("webhook_secret").is_none(), "the secret is shown again");
    let removed = change(json!({"webhook": null, "choice": "first"})).await;
    assert!(removed.json().get("notifications").is_none(), "{removed:?}");
    sender.send_payload(b"abc", "").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((old.received().len(), new.received().len()), (0, 1));

    let plain = Service::any().start().await;
    for body in [
        json!({"name": "x", "notifications": {"webhook": "https://hooks.example"}}),
        json!({"name": "x", "notifications": {"email": "a@b.example"}}),
    ] {
        let request = plain.admin().post("/tokens/create").json(&body.to_string());
        request.expect_error("notifications_unavailable").await;
    }
    for body in [r#"{"name":"x","notifications":{"webhook":"x"}}"#, r#"{"name":"x","notifications":{"url":"x"}}"#] {
        plain.admin().post("/tokens/create").json(body).expect_error("invalid_request").await;
    }
}
