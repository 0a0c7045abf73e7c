//! Metrics for monitoring.

use sgsend::domain::audit::ServiceName;
use sgsend::server::{MetricsKey, ROUTES, RateMode};

use crate::support::{ADMIN_KEY, Service, Started, eventually};

/// Key that opens the metrics.
const KEY: &str = "a key for Prometheus, long enough";

async fn started_with_key() -> Started {
    Service::any().with(|settings| settings.metrics_key = Some(MetricsKey::new(KEY).unwrap())).start().await
}

#[tokio::test]
async fn requests_are_counted_without_client_data() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let id = sender.send_payload(b"abcdefgh", "").await;
    service.public().get(&format!("/transfers/id/{id}/payload/download-bytes")).send().await;
    service.public().request("PURGE", &format!("/{id}")).send().await;
    service.admin_without_key().get("/metrics").expect_error("admin_key_invalid").await;
    let response = service.admin().get("/metrics").send().await;
    assert_eq!(response.status, 200);
    let text = String::from_utf8(response.body.to_vec()).unwrap();
    for line in [
        r#"sgsend_requests_total{service="public",method="POST",route="/transfers/create",status="201"} 1"#,
        r#"sgsend_requests_total{service="public",method="other",route="none",status="404"} 1"#,
        r#"sgsend_requests_total{service="admin",method="GET",route="/metrics",status="401"} 1"#,
        // 8 bytes of payload, and the bodies `{"size_bytes":8}` and `{}`.
        r#"sgsend_received_bytes_total{service="public"} 26"#,
    ] {
        assert!(text.contains(line), "{line} is missing: {text}");
    }
    for line in [
        r#"sgsend_request_duration_seconds_count{service="public",route="/transfers/create"} 1"#,
        r#"sgsend_limit_hits_total{service="public",limit="client_rate"} 0"#,
        // Counters of a bucket are written once a minute.
        if Service::is_presigned() {
            "sgsend_transfers{state=\"completed\"} "
        } else {
            "sgsend_transfers{state=\"completed\"} 1"
        },
        if Service::is_presigned() { "sgsend_stored_bytes " } else { "sgsend_stored_bytes 8" },
        "sgsend_open_uploads 0",
        "sgsend_log_lines_dropped_total 0",
    ] {
        assert!(text.contains(line), "{line} is missing: {text}");
    }
    for operation in ["get", "commit", "payload_open", "payload_write", "payload_finish", "payload_read"] {
        let counted = format!(r#"sgsend_store_operations_total{{operation="{operation}",outcome="ok"}} "#);
        let count = text.lines().find_map(|line| line.strip_prefix(&counted)?.parse::<u64>().ok());
        // Payloads of the presigned flow do not pass through the service.
        assert!(count.is_some_and(|count| count > 0 || Service::is_presigned()), "{operation}: {text}");
    }
    for secret in [id.as_str(), "127.0.0", "PURGE", "sgs_", sender.authorization()] {
        assert!(!text.contains(secret), "{secret} is a label: {text}");
    }
}

#[tokio::test]
async fn the_metrics_key_opens_the_metrics_of_both_services() {
    let service = started_with_key().await;
    for api in [service.public(), service.admin_without_key()] {
        for scheme in ["Bearer", "bearer"] {
            let read = api.get("/metrics").header("authorization", &format!("{scheme} {KEY}")).send().await;
            assert_eq!(read.status, 200, "{read:?}");
            assert!(read.header("content-type").starts_with("application/openmetrics-text"), "{read:?}");
            assert!(!String::from_utf8_lossy(&read.body).contains(KEY));
        }
        let wrong =
            api.get("/metrics").header("authorization", "Bearer wrong").expect_error("metrics_key_invalid").await;
        assert_eq!(wrong.header("www-authenticate"), "Bearer realm=\"sgsend metrics\"");
    }
    // The admin key opens the metrics of its own service only.
    assert_eq!(service.admin().get("/metrics").send().await.status, 200);
    let admin_at_public = service.public().get("/metrics").header("x-api-key", ADMIN_KEY);
    admin_at_public.expect_error("metrics_key_invalid").await;
    // Without a configured key, nothing opens the metrics of the public service.
    let service = Service::any().start().await;
    for key in [KEY, ADMIN_KEY, ""] {
        let read = service.public().get("/metrics").header("authorization", &format!("Bearer {key}"));
        read.expect_error("metrics_key_invalid").await;
    }
}

#[tokio::test]
async fn the_metrics_key_opens_nothing_else() {
    let service = started_with_key().await;
    let id = service.sender().await.send_payload(b"abc", "").await;
    let mut tried = 0;
    for route in ROUTES.iter().filter(|route| route.service == ServiceName::Admin && route.template != "/metrics") {
        let path = route.template.replace("{transfer_id}", &id).replace("{token_id}", &"0".repeat(16));
        if service.admin_without_key().request(route.method, &path).json("{}").send().await.status != 401 {
            continue;
        }
        tried += 1;
        for (name, value) in [
            ("authorization", format!("Bearer {KEY}")),
            ("x-api-key", KEY.to_owned()),
            ("cookie", format!("x-api-key={KEY}")),
        ] {
            let request = service.admin_without_key().request(route.method, &path).header(name, &value).json("{}");
            let response = request.send().await;
            assert_eq!(response.status, 401, "{name} at {} {path}: {response:?}", route.method);
        }
        service.advance_clock(std::time::Duration::from_mins(1));
    }
    assert!(tried >= 7, "only {tried} routes need the admin key");
    let session = format!(r#"{{"cookie_value":"{KEY}"}}"#);
    let origin = format!("http://{}", service.admin);
    let session = service.admin_without_key().post("/auth/set-auth-cookie").header("origin", &origin).json(&session);
    session.expect_error("admin_key_invalid").await;
    let create = service.public().post("/transfers/create").header("authorization", &format!("Bearer {KEY}"));
    create.json(r#"{"size_bytes":3}"#).expect_error("token_invalid").await;
}

#[tokio::test]
async fn wrong_metrics_keys_are_limited_and_the_right_one_is_not() {
    let service = started_with_key().await;
    for api in [service.public(), service.admin_without_key()] {
        let read = |key: &str| api.get("/metrics").header("authorization", &format!("Bearer {key}"));
        for _ in 0..10 {
            read("wrong").expect_error("metrics_key_invalid").await;
        }
        read("wrong").expect_error("rate_limited").await;
        assert_eq!(read(KEY).send().await.status, 200);
        assert_eq!(service.admin().get("/metrics").send().await.status, 200);
        service.advance_clock(std::time::Duration::from_mins(1));
    }
}

#[tokio::test]
async fn limits_that_reject_are_counted_by_name() {
    let service = Service::any().with(|settings| settings.rate = RateMode::Limited("1/s:9".parse().unwrap()));
    let service = service.start().await;
    let api = service.public();
    let mut rejected = 0;
    for _ in 0..30 {
        rejected += u32::from(api.get("/health").send().await.status == 429);
    }
    assert!(rejected > 10, "{rejected} of 30 requests were rejected");
    let text = eventually(|| async {
        let read = service.admin().get("/metrics").send().await;
        (read.status == 200).then(|| String::from_utf8(read.body.to_vec()).unwrap())
    })
    .await;
    let expected = format!(r#"sgsend_limit_hits_total{{service="public",limit="client_rate"}} {rejected}"#);
    assert!(text.contains(&expected), "{expected}: {text}");
}
