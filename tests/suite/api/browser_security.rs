//! Browser security: response headers, CORS and HSTS.

use sgsend::domain::audit::ServiceName;
use sgsend::server::ROUTES;

use crate::support::{ApiResponse, Service, Started};

const APP: &str = "https://app.example.org";

async fn with_origin() -> Started {
    Service::any().with(|settings| settings.allow_origins = vec![APP.parse().unwrap()]).start().await
}

#[tokio::test]
async fn every_response_has_security_headers() {
    let service = Service::any().start().await;
    for route in ROUTES {
        let api = match route.service {
            ServiceName::Public => service.public(),
            ServiceName::Admin => service.admin(),
        };
        let path = route.template.replace("{transfer_id}", &"0".repeat(32)).replace("{token_id}", &"0".repeat(16));
        check(&api.request(route.method, &path).send().await, &path);
    }
    check(&service.public().get("/nowhere").send().await, "/nowhere");
    check(&service.public().request("DELETE", "/health").send().await, "a wrong method");
}

fn check(response: &ApiResponse, path: &str) {
    let policy = response.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
    assert!(!policy.contains("unsafe-inline") && !policy.contains('*'), "{path}: {policy}");
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(response.header(name), value, "{path}: {name}");
    }
    assert_eq!(response.header("strict-transport-security"), "", "{path}: this is plain http");
    assert_eq!(response.header("access-control-allow-origin"), "", "{path}");
}

#[tokio::test]
async fn https_base_urls_set_hsts() {
    let url = |settings: &mut sgsend::server::Settings| {
        settings.public_url = Some("https://send.example.org".parse().unwrap());
    };
    let service = Service::any().with(url).start().await;
    let response = service.public().get("/health").send().await;
    assert_eq!(response.header("strict-transport-security"), "max-age=31536000");
}

#[tokio::test]
async fn pages_of_an_allowed_origin_may_call_the_public_service() {
    let service = with_origin().await;
    let preflight = service
        .public()
        .request("OPTIONS", "/transfers/create")
        .header("origin", APP)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,x-sgsend-token")
        .send()
        .await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, APP));
    for header in ["authorization", "content-type", "range", "x-sgsend-token", "x-sgsend-access", "x-sgsend-grant"] {
        assert!(preflight.header("access-control-allow-headers").contains(header), "{header}: {preflight:?}");
    }
    for method in ["GET", "HEAD", "POST"] {
        assert!(preflight.header("access-control-allow-methods").contains(method));
    }
    let health = service.public().get("/health").header("origin", APP).send().await;
    assert_eq!((health.header("access-control-allow-origin"), health.header("vary")), (APP, "origin"));
    assert!(health.header("access-control-expose-headers").contains("x-sgsend-grant"));
    let response = service.public().post("/transfers/create").header("origin", APP).expect_error("token_missing").await;
    assert_eq!(response.header("access-control-allow-origin"), APP, "the page can't read the error");
    assert_eq!(response.header("access-control-allow-credentials"), "");
}

#[tokio::test]
async fn other_origins_get_no_cors_headers() {
    let service = with_origin().await;
    let other_requests = [
        "https://app.example.org.evil.example",
        "https://evil.example",
        "http://app.example.org",
        "https://app.example.org:8443",
        "https://APP.example.org",
        "null",
        "",
    ];
    for origin in other_requests {
        let health = service.public().get("/health").header("origin", origin).send().await;
        assert_eq!(health.header("access-control-allow-origin"), "", "{origin}");
        assert_eq!(health.header("vary"), "origin", "a cache would serve the response to the allowed origin");
        let preflight = service.public().request("OPTIONS", "/transfers/create").header("origin", origin);
        let preflight =
            preflight.header("access-control-request-method", "POST").expect_error("method_not_allowed").await;
        assert_eq!(preflight.header("access-control-allow-methods"), "", "{origin}");
    }
    let admin = service.admin().get("/health").header("origin", APP).send().await;
    assert_eq!(admin.header("access-control-allow-origin"), "", "the admin service allows a foreign origin");
}
