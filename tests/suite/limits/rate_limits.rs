//! Rate limits, and limits on failed attempts.

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::crypto::proof::AccessProof;
use sgsend::server::{RateMode, Settings};

use super::{from, proxied};
use crate::support::{ADMIN_KEY, Api, ApiResponse, Service, eventually};

fn limited(rate: &str) -> impl FnOnce(&mut Settings) + use<> {
    let rate = RateMode::Limited(rate.parse().unwrap());
    move |settings| settings.rate = rate
}

async fn ask(api: &Api, times: usize) -> Vec<ApiResponse> {
    let mut responses = Vec::new();
    for _ in 0..times {
        responses.push(api.get("/health").send().await);
    }
    responses
}

/// Repeats `request` until a response is not 200. Checks that `burst` requests were accepted, and those that `per_second`
/// allows in the time it took. Returns that response.
async fn exhaust(burst: u64, per_second: u64, request: impl AsyncFn() -> ApiResponse) -> ApiResponse {
    let (began, mut accepted) = (Instant::now(), 0);
    let rejected = loop {
        let response = request().await;
        if response.status != 200 {
            break response;
        }
        accepted += 1;
        assert!(accepted <= burst + per_second * 60, "not limited after {accepted} requests");
    };
    let allowed = burst + (began.elapsed().as_secs() + 1) * per_second;
    assert!((burst..=allowed).contains(&accepted), "{accepted} accepted, expected {burst} to {allowed}");
    rejected
}

#[tokio::test]
async fn an_address_has_its_burst_and_then_its_rate() {
    let service = Service::any().with(limited("1/s:5")).with(proxied).start().await;
    let one = from(&service.public(), "203.0.113.9");
    let rejected = exhaust(5, 1, async || one.get("/health").send().await).await;
    assert_eq!((rejected.status, rejected.code().as_str()), (429, "rate_limited"));
    let wait: u64 = rejected.header("retry-after").parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    assert_eq!(ask(&from(&service.public(), "203.0.113.10"), 1).await[0].status, 200, "one address limits another");
    eventually(|| async { (ask(&one, 1).await[0].status == 200).then_some(()) }).await;
}

#[tokio::test]
async fn an_ipv6_network_counts_as_one_address() {
    let service = Service::any().with(limited("1/s:3")).with(proxied).start().await;
    let host = AtomicU16::new(1);
    let rejected = exhaust(3, 1, async || {
        let address = format!("2001:db8:1:2:{:x}::1", host.fetch_add(1, Ordering::Relaxed));
        from(&service.public(), &address).get("/health").send().await
    });
    assert_eq!(rejected.await.status, 429);
    assert_eq!(ask(&from(&service.public(), "2001:db8:1:3::1"), 1).await[0].status, 200);
}

#[tokio::test]
async fn a_token_is_limited_across_addresses() {
    let service = Service::any().with(limited("1/s:4")).with(proxied).start().await;
    let created = from(&service.admin(), "203.0.113.250").post("/tokens/create").json(r#"{"name":"a"}"#).send().await;
    let sender = service.public().with_header("x-sgsend-token", &created.text("token"));
    let host = AtomicU16::new(1);
    let rejected = exhaust(4, 1, async || {
        let address = format!("203.0.113.{}", host.fetch_add(1, Ordering::Relaxed));
        from(&sender, &address).get("/token/status").send().await
    });
    assert_eq!(rejected.await.status, 429);
}

#[tokio::test]
async fn loopback_services_are_not_rate_limited() {
    let service = Service::any().start().await;
    assert!(ask(&service.public(), 700).await.iter().all(|response| response.status == 200));
}

#[tokio::test]
async fn non_loopback_services_are_rate_limited_by_default() {
    let service = Service::any().with(proxied).start().await;
    let one = from(&service.public(), "203.0.113.9");
    let rejected = exhaust(500, 50, async || one.get("/health").send().await).await;
    assert_eq!(rejected.status, 429);
}

#[tokio::test]
async fn ten_wrong_proofs_an_hour_are_checked() {
    let service = Service::any().with(proxied).start().await;
    let sender = service.sender().await;
    let proof = || AccessProof::of(&PayloadKey::random());
    let right = proof();
    let digest = right.digest();
    let right = right.to_text();
    let id = sender.send_payload(b"abc", &format!(r#""access_sha256":"{digest}""#)).await;
    let other = sender.send_payload(b"abc", &format!(r#""access_sha256":"{digest}""#)).await;
    let path = |id: &str| format!("/transfers/id/{id}/payload/download-bytes");
    let guesser = from(&service.public(), "203.0.113.9");
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let wrong = proof().to_text();
        let request = guesser.get(&path(&id)).header("x-sgsend-access", &wrong);
        tries.spawn(async move { request.send().await.code() });
    }
    let codes = tries.join_all().await;
    assert_eq!(codes.iter().filter(|code| *code == "access_invalid").count(), 10, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| *code == "rate_limited").count(), 40);
    let open = |api: &Api, id: &str| api.request("HEAD", &path(id)).header("x-sgsend-access", &right);
    let rejected = open(&guesser, &id).send().await;
    assert_eq!(rejected.status, 429, "the eleventh guess was checked");
    assert!(rejected.header("retry-after").parse::<u64>().unwrap() <= 3_601);
    assert_eq!(open(&guesser, &other).send().await.status, 200, "guesses for one transfer block another");
    assert_eq!(open(&from(&service.public(), "203.0.113.10"), &id).send().await.status, 200);
    service.advance_clock(Duration::from_hours(1));
    assert_eq!(open(&guesser, &id).send().await.status, 200);
}

#[tokio::test]
async fn wrong_proofs_lock_nobody_out_without_a_passphrase() {
    let service = Service::any().with(proxied).start().await;
    let right = AccessProof::of(&PayloadKey::random());
    let body = format!(r#""access_sha256":"{}","access_from_passphrase":false"#, right.digest());
    let id = service.sender().await.send_payload(b"abc", &body).await;
    let path = format!("/transfers/id/{id}/payload/download-bytes");
    let client = from(&service.public(), "203.0.113.9");
    for _ in 0..30 {
        let wrong = AccessProof::of(&PayloadKey::random()).to_text();
        client.get(&path).header("x-sgsend-access", &wrong).expect_error("access_invalid").await;
    }
    assert_eq!(client.request("HEAD", &path).header("x-sgsend-access", &right.to_text()).send().await.status, 200);
}

#[tokio::test]
async fn wrong_proofs_for_an_unfinished_upload_do_not_count() {
    let service = Service::any().with(proxied).start().await;
    let right = AccessProof::of(&PayloadKey::random());
    let sender = service.sender().await;
    let id = sender.create(3, &format!(r#""access_sha256":"{}""#, right.digest())).await;
    let path = format!("/transfers/id/{id}/payload/download-bytes");
    let client = from(&service.public(), "203.0.113.9");
    for _ in 0..20 {
        let wrong = AccessProof::of(&PayloadKey::random()).to_text();
        client.get(&path).header("x-sgsend-access", &wrong).expect_error("not_completed").await;
    }
    sender.upload(&id, b"abc").await;
    assert_eq!(client.request("HEAD", &path).header("x-sgsend-access", &right.to_text()).send().await.status, 200);
}

#[tokio::test]
async fn failed_proofs_count_per_ipv6_site() {
    let service = Service::any().with(proxied).start().await;
    let right = AccessProof::of(&PayloadKey::random());
    let body = format!(r#""access_sha256":"{}""#, right.digest());
    let id = service.sender().await.send_payload(b"abc", &body).await;
    let path = format!("/transfers/id/{id}/payload/download-bytes");
    let show = |address: &str, proof: &AccessProof| {
        from(&service.public(), address).get(&path).header("x-sgsend-access", &proof.to_text())
    };
    for network in 0..10 {
        let wrong = AccessProof::of(&PayloadKey::random());
        show(&format!("2001:db8:7:{network:x}::1"), &wrong).expect_error("access_invalid").await;
    }
    show("2001:db8:7:abcd::1", &right).expect_error("rate_limited").await;
    assert_eq!(show("2001:db8:8::1", &right).send().await.status, 200);
}

#[tokio::test]
async fn failed_admin_keys_count_per_ipv6_site() {
    let service = Service::any().with(proxied).start().await;
    let show = |address: &str, key: &str| {
        from(&service.admin_without_key(), address).get("/tokens/list").header("x-api-key", key)
    };
    for network in 0..10 {
        show(&format!("2001:db8:7:{network:x}::1"), "wrong").expect_error("admin_key_invalid").await;
    }
    show("2001:db8:7:abcd::1", "wrong").expect_error("rate_limited").await;
    show("2001:db8:8::1", "wrong").expect_error("admin_key_invalid").await;
    // The right key is accepted from everywhere.
    assert_eq!(show("2001:db8:7:abcd::1", ADMIN_KEY).send().await.status, 200);
}

#[tokio::test]
async fn a_flood_neither_fills_the_store_nor_hides_errors() {
    let service = Service::on_disk().with(limited("1/s:20")).with(proxied).start().await;
    let quiet = from(&service.admin(), "203.0.113.250");
    let created = quiet.post("/tokens/create").json(r#"{"name":"a"}"#).send().await;
    let sender = from(&service.public(), "203.0.113.251").with_header("x-sgsend-token", &created.text("token"));
    let id = sender.create(3, "").await;
    let flood = from(&service.public(), "203.0.113.9");
    for _ in 0..300 {
        flood.get(&format!("/transfers/id/{id}/status")).send().await;
    }
    from(&service.public(), "203.0.113.10")
        .post(&format!("/transfers/id/{id}/delete"))
        .expect_error("token_missing")
        .await;
    let trail = quiet.get(&format!("/audit/transfers/id/{id}/all?limit=1000")).send().await.items();
    let codes: Vec<_> = trail.iter().filter_map(|record| record["code"].as_str()).collect();
    assert!(!codes.contains(&"rate_limited"), "the audit records contain rate-limited requests");
    assert_eq!(codes.iter().filter(|code| **code == "token_missing").count(), 2, "{codes:?}");
}
