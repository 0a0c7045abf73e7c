//! The admin key, and sessions in a browser.

use std::time::Duration;

use crate::support::{ADMIN_KEY, Service, Started};

fn origin(service: &Started) -> String {
    format!("http://{}", service.admin)
}

async fn session(service: &Started) -> String {
    let body = format!(r#"{{"cookie_value":"{ADMIN_KEY}"}}"#);
    let opened =
        service.admin_without_key().post("/auth/set-auth-cookie").header("origin", &origin(service)).json(&body);
    let opened = opened.send().await;
    assert_eq!(opened.status, 200, "{opened:?}");
    let cookie = opened.header("set-cookie").to_owned();
    for attribute in ["x-api-key=", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(attribute), "{attribute} is missing: {cookie}");
    }
    assert!(!cookie.contains(ADMIN_KEY), "the cookie holds the key");
    assert!(!cookie.contains("Secure"), "a browser would drop the cookie on plain http");
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn every_admin_route_needs_the_key() {
    let service = Service::any().start().await;
    let zero = "0".repeat(32);
    for (method, path) in [
        ("POST", "/tokens/create".to_owned()),
        ("GET", "/tokens/list".to_owned()),
        ("POST", "/tokens/id/0000000000000000/revoke".to_owned()),
        ("GET", "/stats/overview".to_owned()),
        ("GET", format!("/audit/transfers/id/{zero}/all")),
        ("POST", format!("/transfers/id/{zero}/delete")),
    ] {
        service.admin_without_key().request(method, &path).refused("admin_key_invalid").await;
        let refused = service.admin_without_key().request(method, &path).header("x-api-key", "wrong");
        refused.refused("admin_key_invalid").await;
    }
}

#[tokio::test]
async fn ten_wrong_keys_a_minute_are_answered() {
    let service = Service::any().start().await;
    for _ in 0..10 {
        let list = service.admin_without_key().get("/tokens/list").header("x-api-key", "wrong");
        list.refused("admin_key_invalid").await;
    }
    let limited = service.admin_without_key().get("/tokens/list").header("x-api-key", ADMIN_KEY);
    let limited = limited.refused("rate_limited").await;
    assert!(limited.header("retry-after").parse::<u64>().unwrap() <= 61);
    service.wait(Duration::from_mins(1));
    assert_eq!(service.admin().get("/tokens/list").send().await.status, 200);
}

#[tokio::test]
async fn an_ended_session_is_no_attempt_at_the_key() {
    let service = Service::any().start().await;
    let cookie = session(&service).await;
    service.wait(Duration::from_hours(12));
    let browser = service.admin_without_key().with_header("cookie", &cookie);
    for _ in 0..11 {
        browser.get("/tokens/list").refused("admin_key_invalid").await;
    }
    assert_eq!(service.admin().get("/tokens/list").send().await.status, 200);
}

#[tokio::test]
async fn a_session_opens_admin_routes_for_twelve_hours() {
    let service = Service::any().start().await;
    let cookie = session(&service).await;
    let browser = || service.admin_without_key().with_header("cookie", &format!("theme=dark; {cookie}"));
    assert_eq!(browser().get("/tokens/list").send().await.status, 200);
    let create = || browser().post("/tokens/create").json(r#"{"name":"by cookie"}"#);
    assert_eq!(create().header("origin", &origin(&service)).send().await.status, 201);
    create().refused("origin_not_allowed").await;
    create().header("origin", "https://evil.example").refused("origin_not_allowed").await;
    service.wait(Duration::from_hours(12));
    browser().get("/tokens/list").refused("admin_key_invalid").await;
}

#[tokio::test]
async fn a_cookie_that_holds_the_key_is_accepted_for_scripts() {
    let service = Service::any().start().await;
    let script = service.admin_without_key().with_header("cookie", &format!("x-api-key={ADMIN_KEY}"));
    assert_eq!(script.get("/tokens/list").send().await.status, 200);
}

#[tokio::test]
async fn a_session_is_opened_only_by_the_key_from_the_own_origin() {
    let service = Service::any().start().await;
    let open = || service.admin_without_key().post("/auth/set-auth-cookie");
    let body = format!(r#"{{"cookie_value":"{ADMIN_KEY}"}}"#);
    open().json(&body).refused("origin_not_allowed").await;
    open().header("origin", "http://127.0.0.1:1").json(&body).refused("origin_not_allowed").await;
    let wrong = r#"{"cookie_value":"not the key, but long enough to be one"}"#;
    open().header("origin", &origin(&service)).json(wrong).refused("admin_key_invalid").await;
    open().header("origin", &origin(&service)).json("{}").refused("invalid_request").await;
    // Behind a proxy that ends TLS, the origin says https and the cookie is bound to it.
    let https = origin(&service).replace("http:", "https:");
    let opened = open().header("origin", &https).json(&body).send().await;
    assert!(opened.header("set-cookie").starts_with("__Host-x-api-key="));
    assert!(opened.header("set-cookie").ends_with("; Secure"));
}

#[tokio::test]
async fn the_form_runs_no_script_but_its_own() {
    let service = Service::any().start().await;
    let form = service.admin_without_key().get("/auth/set-cookie-form").send().await;
    let policy = form.header("content-security-policy").to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let html = String::from_utf8_lossy(&form.body).into_owned();
    assert!(html.contains(r#"<script src="set-cookie-form.js"></script>"#), "{html}");
    let script = service.admin_without_key().get("/auth/set-cookie-form.js").send().await;
    assert!(script.header("content-type").starts_with("text/javascript"));
}

#[tokio::test]
async fn the_name_of_header_and_cookie_can_be_changed() {
    let renamed = Service::any().with(|settings| settings.auth_name = "x-our-key".parse().unwrap());
    let service = renamed.start().await;
    let list = || service.admin_without_key().get("/tokens/list");
    assert_eq!(list().header("x-our-key", ADMIN_KEY).send().await.status, 200);
    list().header("x-api-key", ADMIN_KEY).refused("admin_key_invalid").await;
}
