//! Two service processes over one store, with concurrent requests to both.

use reqwest::{Client, RequestBuilder};
use sgsend::domain::crypto::key::LinkKey;
use sgsend::domain::crypto::proof::AccessProof;

use crate::support::Home;

/// Sends fifty concurrent requests, half of them to each service; returns statuses and bodies.
fn ask(urls: &[String; 2], request: impl Fn(&Client, &str) -> RequestBuilder) -> Vec<(u16, String)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::builder().no_proxy().build().unwrap();
        let mut asking = tokio::task::JoinSet::new();
        for number in 0..50 {
            let request = request(&client, &urls[number % 2]);
            asking.spawn(async move {
                let response = request.send().await.unwrap();
                (response.status().as_u16(), String::from_utf8_lossy(&response.bytes().await.unwrap()).into_owned())
            });
        }
        asking.join_all().await
    })
}

fn count(responses: &[(u16, String)], status: u16, words: &str) -> usize {
    responses.iter().filter(|(code, body)| *code == status && body.contains(words)).count()
}

#[test]
fn two_processes_enforce_limit_and_quota_together() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let admin = home.serve_one("admin", &["--storage", &store]);
    let publics = [(); 2].map(|()| home.serve_one("public", &["--storage", &store]));
    let urls = publics.each_ref().map(|serving| serving.public.clone());
    let servers = ["--server", &urls[0], "--admin-server", &admin.admin];
    let run = |arguments: &[&str]| home.run(&[&servers, arguments].concat());

    run(&["token", "create", "sender", "--login"]).text();
    let file = home.file("a.txt", b"hello");
    for limit in [1, 7, 49] {
        let uploaded = run(&["upload", &file, "--downloads", &limit.to_string(), "--json"]).json();
        let id = uploaded["transfer_id"].as_str().unwrap();
        let key: LinkKey = uploaded["key"].as_str().unwrap().parse().unwrap();
        let proof = AccessProof::of(&key.unlock(None).unwrap().into_own().unwrap()).to_text();
        let responses = ask(&urls, |client, url| {
            let url = format!("{url}/transfers/id/{id}/payload/download-bytes");
            client.get(url).header("x-sgsend-access", proof.as_str())
        });
        let (given, refused) = (count(&responses, 200, ""), count(&responses, 410, "transfer_exhausted"));
        assert_eq!((given, refused), (limit, 50 - limit));
        assert_eq!(run(&["status", id, "--json"]).json()["download_count"], limit);
    }

    let token = run(&["token", "create", "limited", "--max-transfers", "10"]).text();
    let responses = ask(&urls, |client, url| {
        client.post(format!("{url}/transfers/create")).header("x-sgsend-token", &token).body(r#"{"size_bytes":1}"#)
    });
    assert_eq!((count(&responses, 201, ""), count(&responses, 429, "quota_exceeded")), (10, 40));
    let listed = run(&["token", "list", "--json"]).json();
    let limited = listed["items"].as_array().unwrap().iter().find(|item| item["name"] == "limited").unwrap();
    assert_eq!(limited["transfers_created"], 10);
}
