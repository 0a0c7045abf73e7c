//! The admin key, and browser sessions on the admin service.

use std::time::Duration;

use sgsend::domain::audit::ServiceName;
use sgsend::server::ROUTES;
use url::Url;

use crate::support::{ADMIN_KEY, ApiResponse, START, Service, Started};

fn origin(service: &Started) -> String {
    format!("http://{}", service.admin)
}

async fn open_session(service: &Started) -> String {
    let body = format!(r#"{{"cookie_value":"{ADMIN_KEY}"}}"#);
    let response =
        service.admin_without_key().post("/auth/set-auth-cookie").header("origin", &origin(service)).json(&body);
    let response = response.send().await;
    assert_eq!(response.status, 200, "{response:?}");
    let cookie = response.header("set-cookie").to_owned();
    for attribute in ["x-api-key=", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(attribute), "{attribute} is missing: {cookie}");
    }
    assert!(!cookie.contains(ADMIN_KEY), "the cookie contains the key");
    assert!(!cookie.contains("Secure"), "a browser would drop the cookie on plain http");
    cookie.split(';').next().unwrap().to_owned()
}

/// Admin routes without authentication.
///
/// These are health checks, pages without data, the proof of the key, and a route that takes the key in the body.
const UNAUTHENTICATED: [(&str, &str); 10] = [
    ("GET", "/health"),
    ("GET", "/health/ready"),
    ("GET", "/"),
    ("GET", "/web/{*path}"),
    ("GET", "/auth/set-cookie-form"),
    ("GET", "/auth/set-cookie-form.js"),
    ("POST", "/auth/set-auth-cookie"),
    ("POST", "/auth/prove"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
];

#[tokio::test]
async fn every_admin_route_needs_the_key() {
    let service = Service::any().start().await;
    let transfer = service.sender().await.send_payload(b"abc", "").await;
    let token = service.admin().get("/tokens/list").send().await.items()[0]["token_id"].as_str().unwrap().to_owned();
    let admin_routes = || ROUTES.iter().filter(|route| route.service == ServiceName::Admin);
    let protected: Vec<_> =
        admin_routes().filter(|route| !UNAUTHENTICATED.contains(&(route.method, route.template))).collect();
    assert_eq!(
        admin_routes().count() - protected.len(),
        UNAUTHENTICATED.len(),
        "UNAUTHENTICATED lists a route that no longer exists"
    );
    assert!(protected.len() >= 8, "ROUTES has too few admin routes: {protected:?}");
    for route in protected {
        let path = route.template.replace("{transfer_id}", &transfer).replace("{token_id}", &token);
        assert!(!path.contains('{'), "{path} has an unfilled parameter");
        let unauthenticated = service.admin_without_key();
        for request in [
            unauthenticated.request(route.method, &path),
            unauthenticated.request(route.method, &path).header("x-api-key", "wrong"),
            unauthenticated.request(route.method, &path).header("x-api-key", ""),
            unauthenticated.request(route.method, &path).header("cookie", "x-api-key=wrong"),
            unauthenticated.request(route.method, &path).header("authorization", &format!("Bearer {ADMIN_KEY}")),
        ] {
            let response = request.json("{}").expect_error("admin_key_invalid").await;
            assert_eq!(response.status, 401, "{} {path}: {response:?}", route.method);
        }
        // A minute between routes keeps the wrong keys below the limit of ten failed attempts a minute.
        service.advance_clock(Duration::from_mins(1));
    }
    let list = service.admin().get("/tokens/list").send().await;
    assert_eq!((list.items().len(), list.items()[0]["status"].as_str()), (1, Some("active")));
    assert_eq!(service.public().status(&transfer).await.text("status"), "completed");
}

#[tokio::test]
async fn more_than_ten_wrong_keys_a_minute_are_rate_limited() {
    let service = Service::any().start().await;
    for _ in 0..10 {
        let list = service.admin_without_key().get("/tokens/list").header("x-api-key", "wrong");
        list.expect_error("admin_key_invalid").await;
    }
    let wrong = || service.admin_without_key().get("/tokens/list").header("x-api-key", "wrong");
    let limited = wrong().expect_error("rate_limited").await;
    assert!(limited.header("retry-after").parse::<u64>().unwrap() <= 61);
    // The admin on the same network is not locked out.
    assert_eq!(service.admin().get("/tokens/list").send().await.status, 200);
    let cookie = open_session(&service).await;
    let browser = service.admin_without_key().with_header("cookie", &cookie);
    assert_eq!(browser.get("/tokens/list").send().await.status, 200);
    service.advance_clock(Duration::from_mins(1));
    wrong().expect_error("admin_key_invalid").await;
}

#[tokio::test]
async fn an_expired_session_is_no_failed_attempt() {
    let service = Service::any().start().await;
    let cookie = open_session(&service).await;
    service.advance_clock(Duration::from_hours(12));
    let browser = service.admin_without_key().with_header("cookie", &cookie);
    for _ in 0..11 {
        browser.get("/tokens/list").expect_error("admin_key_invalid").await;
    }
    assert_eq!(service.admin().get("/tokens/list").send().await.status, 200);
}

#[tokio::test]
async fn a_session_opens_admin_routes_for_twelve_hours() {
    let service = Service::any().start().await;
    let cookie = open_session(&service).await;
    let browser = || service.admin_without_key().with_header("cookie", &format!("theme=dark; {cookie}"));
    assert_eq!(browser().get("/tokens/list").send().await.status, 200);
    let create = || browser().post("/tokens/create").json(r#"{"name":"by cookie"}"#);
    assert_eq!(create().header("origin", &origin(&service)).send().await.status, 201);
    create().expect_error("origin_not_allowed").await;
    create().header("origin", "https://evil.example").expect_error("origin_not_allowed").await;
    service.advance_clock(Duration::from_hours(12));
    browser().get("/tokens/list").expect_error("admin_key_invalid").await;
}

#[tokio::test]
async fn cookies_of_other_services_on_the_host_lock_no_admin_out() {
    let service = Service::any().start().await;
    let cookie = open_session(&service).await;
    let tossed = "x-api-key=tossed; __Host-x-api-key=tossed; ".repeat(20);
    for _ in 0..30 {
        let browser = service.admin_without_key().with_header("cookie", &format!("{tossed}{cookie}"));
        assert_eq!(browser.get("/tokens/list").send().await.status, 200);
    }
}

#[tokio::test]
async fn a_cookie_that_holds_the_key_is_accepted_for_scripts() {
    let service = Service::any().start().await;
    let script = service.admin_without_key().with_header("cookie", &format!("x-api-key={ADMIN_KEY}"));
    assert_eq!(script.get("/tokens/list").send().await.status, 200);
}

#[tokio::test]
async fn only_the_admin_key_from_the_service_origin_opens_a_session() {
    let service = Service::any().start().await;
    let open = || service.admin_without_key().post("/auth/set-auth-cookie");
    let body = format!(r#"{{"cookie_value":"{ADMIN_KEY}"}}"#);
    open().json(&body).expect_error("origin_not_allowed").await;
    open().header("origin", "http://127.0.0.1:1").json(&body).expect_error("origin_not_allowed").await;
    let wrong = r#"{"cookie_value":"not the key, but long enough to be one"}"#;
    open().header("origin", &origin(&service)).json(wrong).expect_error("admin_key_invalid").await;
    open().header("origin", &origin(&service)).json("{}").expect_error("invalid_request").await;
    // Behind a TLS-terminating proxy, the origin is https and the cookie gets the `__Host-` prefix.
    let https = origin(&service).replace("http:", "https:");
    let response = open().header("origin", &https).json(&body).send().await;
    assert!(response.header("set-cookie").starts_with("__Host-x-api-key="));
    assert!(response.header("set-cookie").ends_with("; Secure"));
}

#[tokio::test]
async fn a_session_is_ended_from_its_own_page_and_its_cookie_cleared() {
    let service = Service::any().start().await;
    let cookie = open_session(&service).await;
    let end = || service.admin_without_key().post("/auth/end-session").json("{}");
    end().header("origin", &origin(&service)).expect_error("admin_key_invalid").await;
    end().header("cookie", &cookie).expect_error("origin_not_allowed").await;
    end().header("cookie", &cookie).header("origin", "https://evil.example").expect_error("origin_not_allowed").await;
    let end_response = end().header("cookie", &cookie).header("origin", &origin(&service)).send().await;
    assert_eq!((end_response.status, end_response.number("expires_at")), (200, START.as_millis()), "{end_response:?}");
    assert_eq!(set_cookies(&end_response), ["x-api-key=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict"]);
    // The response also clears the cookie without prefix, set before TLS was enabled.
    let https = origin(&service).replace("http:", "https:");
    let end_response = end().header("cookie", &cookie).header("origin", &https).send().await;
    let cleared = [
        "__Host-x-api-key=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict; Secure",
        "x-api-key=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict",
    ];
    assert_eq!(set_cookies(&end_response), cleared);
}

fn set_cookies(response: &ApiResponse) -> Vec<&str> {
    response.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn login_pages_run_only_scripts_of_this_service() {
    let service = Service::any().start().await;
    let mut forms = Vec::new();
    for (path, root, script) in
        [("/auth/set-cookie-form", "auth/", "set-cookie-form.js"), ("/", "", "web/admin/main.js")]
    {
        let page = service.admin_without_key().get(path).send().await;
        let policy = page.header("content-security-policy").to_owned();
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let html = String::from_utf8_lossy(&page.body).into_owned();
        let tag = format!(r#"<script type="module" src="{script}"></script>"#);
        // The other block holds texts, which browsers do not run.
        let texts = html.matches(r#"<script type="application/json" id="texts">"#).count();
        assert!(html.contains(&tag) && html.matches("<script").count() == 1 + texts, "{html}");
        assert!(!html.contains(r#"="http"#), "a page loads from a third party: {html}");
        let script = service.admin_without_key().get(&format!("/{root}{script}")).send().await;
        assert!(script.header("content-type").starts_with("text/javascript"));
        let (_, form) = html.split_once(r#"<form id="session""#).unwrap();
        forms.push(form.split_once("</form>").unwrap().0.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    assert_eq!(forms[0], forms[1], "the session forms of the two pages differ");
    assert!(forms[0].contains(r#"type="password" autocomplete="off""#), "{}", forms[0]);
    assert!(!forms[0].contains("name="), "without its script, the form would put the key into the URL");
}

#[tokio::test]
async fn every_asset_of_the_admin_page_exists() {
    let service = Service::any().start().await;
    let load = async |name: &str| {
        let response = service.admin_without_key().get(&format!("/web/{name}")).send().await;
        assert_eq!(response.status, 200, "{name}");
        String::from_utf8(response.body.to_vec()).unwrap()
    };
    let mut loaded = vec!["admin/main.js".to_owned()];
    let mut next = 0;
    while let Some(name) = loaded.get(next).cloned() {
        let script = load(&name).await;
        let url = Url::parse("http://service/").unwrap().join(&name).unwrap();
        let imports = script.lines().filter_map(|line| line.split_once(" from \"")?.1.strip_suffix("\";"));
        let names = imports.map(|import| url.join(import).unwrap().path()[1..].to_owned());
        let new: Vec<_> = names.filter(|name| !loaded.contains(name)).collect();
        loaded.extend(new);
        next += 1;
    }
    // The admin page and the form page share one session script.
    assert!(loaded.iter().any(|name| name == "admin/session.js"), "the page loads {loaded:?}");
    let form = service.admin_without_key().get("/auth/set-cookie-form.js").send().await;
    assert!(String::from_utf8_lossy(&form.body).contains(" from \"../web/admin/session.js\";"), "{form:?}");
    service.public().get("/web/admin/main.js").expect_error("route_not_found").await;
}

#[tokio::test]
async fn the_name_of_header_and_cookie_can_be_changed() {
    let renamed = Service::any().with(|settings| settings.auth_name = "x-our-key".parse().unwrap());
    let service = renamed.start().await;
    let list = || service.admin_without_key().get("/tokens/list");
    assert_eq!(list().header("x-our-key", ADMIN_KEY).send().await.status, 200);
    list().header("x-api-key", ADMIN_KEY).expect_error("admin_key_invalid").await;
}

#[tokio::test]
async fn a_changed_host_header_is_explained_and_admin_url_allows_the_origin() {
    let body = format!(r#"{{"cookie_value":"{ADMIN_KEY}"}}"#);
    let open = async |service: &Started| {
        let request = service.admin_without_key().post("/auth/set-auth-cookie");
        request.header("origin", "https://admin.example:8443").json(&body).send().await
    };
    let service = Service::any().start().await;
    let response = open(&service).await;
    assert_eq!(response.status, 403);
    let detail = response.check("origin_not_allowed").text("detail");
    for words in [&service.admin.to_string(), "Host", "$http_host", "--admin-url https://admin.example:8443"] {
        assert!(detail.contains(words), "{words} is not in {detail}");
    }
    let allow = |settings: &mut sgsend::server::Settings| {
        settings.admin_url = Some("https://admin.example:8443".parse().unwrap());
    };
    let service = Service::any().with(allow).start().await;
    let open_response = open(&service).await;
    assert_eq!(open_response.status, 200, "{open_response:?}");
    assert!(open_response.header("set-cookie").contains("; Secure"), "{open_response:?}");
}
