//! Metrics for monitoring.

use crate::support::Service;

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
    assert!(text.contains(r#"sgsend_request_duration_seconds_count{service="public"} 5"#), "{text}");
    for secret in [id.as_str(), "127.0.0", "PURGE", "sgs_", sender.authorization()] {
        assert!(!text.contains(secret), "{secret} is a label: {text}");
    }
}
