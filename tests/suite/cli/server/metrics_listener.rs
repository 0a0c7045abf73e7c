//! `--metrics-listen`: a listener for the metrics alone.

use crate::support::{FinishedCommand, Home};

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_of_its_own_serves_the_metrics_and_nothing_else() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let (listen, key) = (["--metrics-listen", "127.0.0.1:0"], "k".repeat(40));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for service in ["public", "admin"] {
        let server = home.server().only(service).storage(&store).admin_key();
        let serving = server.arguments(&listen).start();
        let root = serving.metrics.strip_suffix("/metrics").unwrap();
        let get = |path: &str| client.get(format!("{root}{path}"));
        let read = get("/metrics").send().await.unwrap();
        assert_eq!(read.status(), 200);
        assert!(read.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
        let text = read.text().await.unwrap();
        assert!(text.contains("sgsend_build_info{version=") && text.ends_with("# EOF\n"), "{text}");
        for path in ["/", "/health", "/health/ready", "/stats/overview", "/openapi.json", "/metrics/x"] {
            assert_eq!(get(path).send().await.unwrap().status(), 404, "{path}");
        }
        assert_eq!(client.post(&serving.metrics).send().await.unwrap().status(), 405);
        let log = serving.terminate();
        assert!(!log.contains("other machines can read the metrics"), "{log}");
    }
    // With a key, the listener asks for it, and limits guesses.
    let server = home.server().only("public").storage(&store).env("SGSEND_METRICS_KEY", &key);
    let serving = server.arguments(&listen).start();
    let status =
        async |key: &str| client.get(&serving.metrics).bearer_auth(key).send().await.unwrap().status().as_u16();
    assert_eq!(client.get(&serving.metrics).send().await.unwrap().status(), 401);
    for _ in 0..10 {
        assert_eq!(status("wrong").await, 401);
    }
    assert_eq!((status("wrong").await, status(&key).await), (429, 200));
    serving.terminate();
}

#[test]
fn a_listener_that_other_machines_reach_is_warned_of_and_a_used_address_is_an_error() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let server = || home.server().only("public").storage(&store);
    let warning = "other machines can read the metrics";
    let open = ["--metrics-listen", "0.0.0.0:0"];
    let log = server().arguments(&open).start().terminate();
    assert!(log.contains(warning), "{log}");
    let log = server().arguments(&open).env("SGSEND_METRICS_KEY", &"k".repeat(40)).start().terminate();
    assert!(!log.contains(warning), "{log}");
    let used = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = used.local_addr().unwrap().to_string();
    let arguments = ["serve", "public", "--listen", "127.0.0.1:0", "--storage", &store, "--metrics-listen", &listen];
    FinishedCommand::of(home.sgsend(&arguments).output().unwrap()).expect_failure(1, "cannot listen on");
}
