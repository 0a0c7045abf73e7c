//! Services below a path: requests arrive with the path or, from a proxy that removes it, without.

use reqwest::Client;
use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use sgsend::server::Settings;

use crate::support::{ADMIN_KEY, Service, Started};

const KEY: &str = "x-api-key";

async fn below(public: &str, admin: &str) -> Started {
    let urls = |settings: &mut Settings| {
        settings.public_url = Some(format!("https://send.example{public}").parse().unwrap());
        settings.admin_url = Some(format!("https://admin.example{admin}").parse().unwrap());
    };
    Service::any().with(urls).start().await
}

fn client() -> Client {
    Client::builder().no_proxy().redirect(Policy::none()).build().unwrap()
}

async fn get(url: String) -> (u16, HeaderMap, String) {
    let response = client().get(url).send().await.unwrap();
    (response.status().as_u16(), response.headers().clone(), response.text().await.unwrap())
}

#[tokio::test]
async fn every_kind_of_request_works_with_and_without_the_base_path() {
    let service = below("/a/b%20c/", "/console/").await;
    let sender = service.sender().await;
    let id = sender.send_payload(b"payload", "").await;
    for base in ["", "/a/b%20c", "/a/b%20%63", "/%61/b%20c"] {
        let root = format!("http://{}{base}", service.public);
        for path in ["/", "/web/send/main.js", "/save/worker.js", "/docs", "/health", "/health/ready"] {
            assert_eq!(get(format!("{root}{path}")).await.0, 200, "{base}{path}");
        }
        assert_eq!(get(format!("{root}/d/{id}")).await.0, 200);
        let (status, headers, _) = get(format!("{root}/d/{id}/")).await;
        assert_eq!((status, &headers[LOCATION]), (308, &format!("../{id}").parse().unwrap()));
        let document: serde_json::Value = serde_json::from_str(&get(format!("{root}/openapi.json")).await.2).unwrap();
        assert_eq!(document["servers"][0]["url"], "https://send.example/a/b%20c");
        let status = client().get(format!("{root}/transfers/id/{id}/status"));
        let status = status.header("authorization", sender.authorization()).send().await.unwrap();
        assert_eq!(status.status(), 200);
    }
    for base in ["", "/console"] {
        let root = format!("http://{}{base}", service.admin);
        for path in ["/", "/web/admin/main.js", "/docs", "/auth/set-cookie-form"] {
            assert_eq!(get(format!("{root}{path}")).await.0, 200, "{base}{path}");
        }
        let document: serde_json::Value = serde_json::from_str(&get(format!("{root}/openapi.json")).await.2).unwrap();
        assert_eq!(document["servers"][0]["url"], "https://admin.example/console");
        let opened = client().post(format!("{root}/auth/set-auth-cookie")).header("origin", "https://admin.example");
        let opened = opened.body(format!(r#"{{"cookie_value":"{ADMIN_KEY}"}}"#)).send().await.unwrap();
        let cookie = opened.headers()[SET_COOKIE].to_str().unwrap().to_owned();
        // Browsers accept the prefix only with this path.
        assert!(cookie.starts_with("__Host-") && cookie.contains("; Path=/;"), "{cookie}");
        let session = client().get(format!("{root}/stats/overview"));
        let session = session.header("cookie", cookie.split(';').next().unwrap()).send().await.unwrap();
        assert_eq!(session.status(), 200);
        let trail = client().get(format!("{root}/audit/transfers/id/{id}/all")).header(KEY, ADMIN_KEY);
        let trail: serde_json::Value = trail.send().await.unwrap().json().await.unwrap();
        let routes = trail["items"].as_array().unwrap().iter().filter(|record| record["event"].is_null());
        assert!(routes.clone().count() > 3);
        assert!(routes.into_iter().all(|record| record["route"] != "none"), "{trail}");
    }
}

#[tokio::test]
async fn links_have_the_base_path_and_the_base_path_leads_to_its_page() {
    let service = below("/a/b", "").await;
    let created = service.sender().await.post("/transfers/create").json(r#"{"size_bytes":1}"#).send().await;
    assert!(created.text("page_url").starts_with("https://send.example/a/b/d/"), "{created:?}");
    let root = format!("http://{}", service.public);
    let (status, headers, _) = get(format!("{root}/a/b?x=1")).await;
    assert_eq!((status, headers[LOCATION].to_str().unwrap()), (308, "./b/?x=1"));
    // No other path is changed, and nothing but a page request is redirected.
    for path in ["/a", "/a/", "/a/bc/health", "/b/health", "/a%2Fb/health", "/A/b/health"] {
        assert_eq!(get(format!("{root}{path}")).await.0, 404, "{path}");
    }
    assert_eq!(client().post(format!("{root}/a/b")).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_base_path_that_is_a_route_is_left_to_the_proxy() {
    let service = below("/d", "/tokens/x").await;
    let root = format!("http://{}", service.public);
    assert_eq!(get(format!("{root}/health")).await.0, 200);
    // The page of a link with a malformed id, not the service's health.
    assert_eq!(get(format!("{root}/d/health")).await.0, 400);
    assert_eq!(get(format!("http://{}/tokens/x/health", service.admin)).await.0, 404);
}
