//! Lists against a server in this process, which counts requests.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Region};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

use super::bucket::Bucket;
use super::{OUTBOX_DELAY, S3Store};
use crate::domain::store::{Prefix, Records, StorageKey, StoreError};
use crate::server::store::S3Location;

/// A server with one bucket, and the number of its requests.
#[derive(Default)]
struct Server {
    objects: BTreeMap<String, String>,
    /// Maximum number of keys per page, as some servers have.
    page: Option<usize>,
    lists: AtomicUsize,
    reads: AtomicUsize,
    reads_at_once: AtomicUsize,
    most_reads_at_once: AtomicUsize,
}

impl Server {
    fn with_tokens(count: usize) -> Self {
        let objects = (0..count).map(|number| (format!("store/tokens/{number:05}"), format!("{number}"))).collect();
        Self { objects, ..Self::default() }
    }

    async fn start(self) -> (Arc<Self>, S3Store, JoinHandle<()>) {
        let this = Arc::new(self);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = this.clone();
        let serving = tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(server.clone(), BufReader::new(connection)));
            }
        });
        let config = Builder::new().behavior_version(BehaviorVersion::latest()).region(Region::from_static("test"));
        let config = config.endpoint_url(endpoint).force_path_style(true).allow_no_auth().build();
        let location: S3Location = "s3://bucket/store".parse().unwrap();
        (this, S3Store::over(Bucket::of_test(Client::from_conf(config)), &location, OUTBOX_DELAY), serving)
    }

    fn counts(&self) -> (usize, usize) {
        (self.lists.load(Ordering::SeqCst), self.reads.load(Ordering::SeqCst))
    }

    /// Responds to `GetObject`.
    async fn read(&self, path: &str) -> Option<String> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let at_once = 1 + self.reads_at_once.fetch_add(1, Ordering::SeqCst);
        self.most_reads_at_once.fetch_max(at_once, Ordering::SeqCst);
        // Lets other reads arrive.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.reads_at_once.fetch_sub(1, Ordering::SeqCst);
        self.objects.get(path.trim_start_matches("/bucket/")).cloned()
    }

    /// Responds to `ListObjectsV2`.
    fn list(&self, query: &HashMap<String, String>) -> String {
        self.lists.fetch_add(1, Ordering::SeqCst);
        let after = query.get("continuation-token").or_else(|| query.get("start-after")).map_or("", String::as_str);
        let most = query["max-keys"].parse().unwrap();
        let page = self.page.unwrap_or(1_000).min(most);
        let keys = self.objects.range::<str, _>((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded));
        let mut keys: Vec<_> = keys.map(|(key, _)| key).filter(|key| key.starts_with(&query["prefix"])).collect();
        let has_more = keys.len() > page;
        keys.truncate(page);
        let contents: Vec<_> = keys.iter().map(|key| format!("<Contents><Key>{key}</Key></Contents>")).collect();
        let contents = contents.concat();
        let last = keys.last().map_or(after, |key| key.as_str());
        let token =
            if has_more { format!("<NextContinuationToken>{last}</NextContinuationToken>") } else { String::new() };
        format!("<ListBucketResult><IsTruncated>{has_more}</IsTruncated>{contents}{token}</ListBucketResult>")
    }
}

/// Responds to the requests of one connection.
async fn serve(server: Arc<Server>, mut connection: BufReader<TcpStream>) -> io::Result<()> {
    let mut head = String::new();
    loop {
        head.clear();
        while !head.ends_with("\r\n\r\n") {
            if connection.read_line(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let target = head.split(' ').nth(1).unwrap();
        let url = Url::parse("http://server").unwrap().join(target).unwrap();
        let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
        let (status, body) = if query.contains_key("list-type") {
            ("200 OK", server.list(&query))
        } else {
            match server.read(url.path()).await {
                Some(content) => ("200 OK", content),
                None => ("404 Not Found", "<Error><Code>NoSuchKey</Code></Error>".to_owned()),
            }
        };
        let length = body.len();
        let response = format!("HTTP/1.1 {status}\r\netag: \"etag\"\r\ncontent-length: {length}\r\n\r\n{body}");
        connection.write_all(response.as_bytes()).await?;
    }
}

fn tokens() -> Prefix {
    StorageKey::tokens()
}

#[tokio::test]
async fn a_page_costs_a_list_request_per_thousand_keys_and_a_read_per_object() {
    let (server, store, _serving) = Server::with_tokens(3_000).start().await;
    let (mut listed, mut after, mut before) = (Vec::new(), None, (0, 0));
    loop {
        let page = store.list(&tokens(), after.as_ref(), 1_000).await.unwrap();
        let now = server.counts();
        assert!(now.0 - before.0 <= 2, "{} list requests", now.0 - before.0);
        assert_eq!(now.1 - before.1, page.items.len());
        before = now;
        listed.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let expected: Vec<_> = (0..3_000).map(|number| (format!("tokens/{number:05}"), format!("{number}"))).collect();
    let listed: Vec<_> =
        listed.iter().map(|(key, value)| (key.to_string(), std::str::from_utf8(value).unwrap().to_owned())).collect();
    assert!(listed == expected, "an object is missing, or was listed twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_lists_share_a_bounded_number_of_reads() {
    let (server, store, _serving) = Server::with_tokens(200).start().await;
    let lists = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.list(&tokens(), None, 200).await.unwrap().items.len() })
    });
    for listed in lists.collect::<Vec<_>>() {
        assert_eq!(listed.await.unwrap(), 200);
    }
    assert_eq!(server.counts().1, 8 * 200);
    let most = server.most_reads_at_once.load(Ordering::SeqCst);
    assert!((2..=super::LIST_READS).contains(&most), "{most} reads at once");
}

#[tokio::test]
async fn a_server_with_short_pages_does_not_keep_a_list_going_for_long() {
    // A server may return fewer keys than it was asked for...
    let short = Server { page: Some(600), ..Server::with_tokens(2_000) };
    let (server, store, _serving) = short.start().await;
    assert_eq!(store.keys(&tokens(), None, 1_900).await.unwrap().len(), 1_900);
    assert_eq!(server.counts().0, 4);
    // ...but not none at all.
    let (server, store, _serving) = Server { page: Some(0), ..Server::with_tokens(2_000) }.start().await;
    let listed = store.keys(&tokens(), None, 1_000).await;
    assert!(matches!(listed, Err(StoreError::Unavailable(_))), "{listed:?}");
    assert_eq!(server.counts().0, 1_001);
}
