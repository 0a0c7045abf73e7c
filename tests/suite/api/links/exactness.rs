//! Exact limits of many links of one transfer, on two servers over one store.

use std::time::Duration;

use futures_util::future::join_all;
use sgsend::domain::crypto::proof::Grant;
use sgsend::server::StorageLocation;

use super::{TestLink, links_of};
use crate::support::{Api, ApiResponse, Service, bucket};

/// Maximum attempts while a server is busy.
const ATTEMPTS: usize = 200;
/// Pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(500);

/// Returns the number of links: few, or what the variable asks for.
fn link_count() -> usize {
    std::env::var("SGSEND_LINKS").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

/// Asks for a grant until the server is not busy. The same grant counts once, however often it is asked for.
async fn answered(link: &TestLink, server: &Api, grant: &Grant) -> ApiResponse {
    for _ in 0..ATTEMPTS {
        let response = link.grant(server, grant).await;
        if response.status != 503 {
            return response;
        }
        assert!(response.headers.contains_key("retry-after"), "{response:?}");
        tokio::time::sleep(PAUSE).await;
    }
    panic!("the server is busy all the time")
}

/// Downloads under many links at once, and compares the counts with the limits.
async fn limits_are_exact(sender: &Api, servers: &[Api]) {
    let number = link_count();
    let transfer = sender.create(3, r#""own_link":"closed""#).await;
    let mut links = Vec::new();
    for index in 0..number {
        links.push(TestLink::of(sender, &transfer, &format!(r#""max_downloads":{}"#, 1 + index % 3)).await);
    }
    sender.upload(&transfer, b"abc").await;
    let clients = links.iter().flat_map(|link| (0..number).map(move |client| (link, client)));
    let downloads = clients.map(async |(link, client)| {
        let grant = Grant::random();
        let server = &servers[client % servers.len()];
        let response = answered(link, server, &grant).await;
        assert!(response.status == 200 || response.code() == "transfer_exhausted", "{response:?}");
        // Whether granted or not, the next server answers the same grant in the same way.
        let again = answered(link, &servers[(client + 1) % servers.len()], &grant).await;
        assert_eq!(again.status, response.status, "{again:?}");
        (link.id.clone(), response.status == 200)
    });
    let granted = join_all(downloads).await;
    for (index, link) in links.iter().enumerate() {
        let count = granted.iter().filter(|(id, granted)| *id == link.id && *granted).count();
        assert_eq!(count, (1 + index % 3).min(number), "link {index}");
    }
    for item in links_of(sender, &transfer).await.iter().skip(1) {
        assert_eq!((item["status"].as_str(), item["downloads_remaining"].as_u64()), (Some("exhausted"), Some(0)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_each_link_is_exact_on_two_servers() {
    let home = crate::support::Home::new();
    let storage = StorageLocation::File(home.path().join("store"));
    let (one, other) = (Service::at(storage.clone()).start().await, Service::at(storage).start().await);
    limits_are_exact(&one.sender().await, &[one.public(), other.public()]).await;
    let alone = Service::any().start().await;
    limits_are_exact(&alone.sender().await, &[alone.public()]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_the_limit_of_each_link_is_exact_on_two_servers() {
    let storage = StorageLocation::S3(bucket::fresh().await);
    let (one, other) = (Service::at(storage.clone()).start().await, Service::at(storage).start().await);
    limits_are_exact(&one.sender().await, &[one.public(), other.public()]).await;
}
