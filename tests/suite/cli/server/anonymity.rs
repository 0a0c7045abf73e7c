//! Client addresses and user agents are absent from records, logs and metrics of a service.

use crate::support::Home;

const ADDRESS: &str = "203.0.113.77";
const AGENT: &str = "CanaryAgent/47.11";

#[test]
fn no_record_log_or_metric_names_an_address_or_an_agent() {
    let home = Home::new();
    let key = home.file("key", &[b'k'; 40]);
    let store = home.path().join("store");
    let server = home.server().storage(&format!("file:{}", store.display())).env("SGSEND_LOG", "trace");
    let serving = server.arguments(&["--trusted-proxy", "127.0.0.1", "--admin-key-file", &key]).start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let metrics = runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().user_agent(AGENT).build().unwrap();
        let ask = |url: String| client.get(url).header("x-forwarded-for", ADDRESS);
        for path in ["/health", "/nowhere", "/token/status", "/transfers/id/x/status", "/d/x"] {
            ask(format!("{}{path}", serving.public)).send().await.unwrap();
        }
        let wrong = ask(format!("{}/stats/overview", serving.admin)).header("x-api-key", "wrong");
        assert_eq!(wrong.send().await.unwrap().status(), 401);
        let right = ask(format!("{}/metrics", serving.admin)).header("x-api-key", "k".repeat(40));
        right.send().await.unwrap().text().await.unwrap()
    });
    let log = serving.terminate();
    let records = std::fs::read(store.join("records.sqlite")).unwrap();
    assert!(metrics.contains("sgsend_requests_total"), "no request was counted: {metrics}");
    for route in ["/health", "/token/status", "/stats/overview"] {
        assert!(log.contains(route), "the log lacks {route}: {log}");
    }
    assert!(
        memchr::memmem::find(&records, b"admin_key_invalid").is_some(),
        "the search can't find a text that is stored"
    );
    for (place, bytes) in [("log", log.as_bytes()), ("metrics", metrics.as_bytes()), ("records", &records)] {
        for canary in [ADDRESS, "203.0.113", AGENT, "CanaryAgent"] {
            assert!(memchr::memmem::find(bytes, canary.as_bytes()).is_none(), "{canary} is in the {place}");
        }
    }
}
