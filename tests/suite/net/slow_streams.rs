//! Clients that open many downloads and read none of them.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use h2::RecvStream;
use h2::client::Builder;
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::ServerName;
use rustls_pki_types::pem::PemObject;
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

use crate::support::{Home, ServerProcess, content, eventually};

/// Streams per connection that the service allows.
const STREAMS: usize = 32;
/// Limit on the growth of the service's memory under 4 096 slow streams of one network, in bytes.
const MAX_GROWTH: u64 = 64 << 20;

/// A service with TLS that counts networks, with one transfer.
struct Target {
    home: Home,
    serving: ServerProcess,
    link: String,
    trusted: Arc<rustls::ClientConfig>,
}

/// Responses whose bodies are not read.
struct Unread {
    _bodies: Vec<RecvStream>,
    statuses: Vec<u16>,
}

impl Target {
    /// Starts the service with at most `descriptors` open files, if a number is given.
    fn start(descriptors: Option<u32>) -> Self {
        let home = Home::new();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
        let ca = home.file("cert.pem", own.pem().as_bytes());
        let key = home.file("key.pem", key.serialize_pem().as_bytes());
        let store = format!("file:{}", home.path().join("store").display());
        let mut server = home.server();
        if let Some(descriptors) = descriptors {
            server = server.under(&["prlimit", &format!("--nofile={descriptors}")]);
        }
        let arguments = ["--storage", &store, "--tls-cert", &ca, "--tls-key", &key, "--rate-limit", "100000/s"];
        let serving = server.arguments(&arguments).start();
        home.log_in(&serving);
        let file = home.file("large.bin", &content(4 << 20));
        let link = home.run_at(&serving, &["--ca-file", &ca, "upload", &file, "--notify", "never"]).text();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(rustls_pki_types::CertificateDer::from_pem_file(&ca).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let trusted = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut trusted = trusted.unwrap().with_root_certificates(roots).with_no_client_auth();
        trusted.alpn_protocols = vec![b"h2".to_vec()];
        Self { home, serving, link, trusted: Arc::new(trusted) }
    }

    fn address(&self) -> SocketAddr {
        self.serving.public.trim_start_matches("https://").parse().unwrap()
    }

    /// Opens one connection from 127.0.0.2 with as many downloads as it may have.
    async fn open_downloads(&self) -> Option<Unread> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let stream = socket.connect(self.address()).await.ok()?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = TlsConnector::from(self.trusted.clone()).connect(name, stream).await.ok()?;
        let (requests, connection) = Builder::new().handshake::<_, Bytes>(stream).await.ok()?;
        tokio::spawn(connection);
        let id = self.link.split_once("/d/").unwrap().1.split('#').next().unwrap();
        let url = format!("{}/transfers/id/{id}/payload/download-bytes", self.serving.public);
        let responses = (0..STREAMS).map(async |_| {
            let mut requests = requests.clone().ready().await.ok()?;
            let request = http::Request::get(&url).body(()).unwrap();
            requests.send_request(request, true).ok()?.0.await.ok()
        });
        let responses: Vec<_> = join_all(responses).await.into_iter().flatten().collect();
        let statuses = responses.iter().map(|response| response.status().as_u16()).collect();
        Some(Unread { _bodies: responses.into_iter().map(http::Response::into_body).collect(), statuses })
    }

    /// Opens as many connections at once as are given, in groups.
    async fn flood(&self, connections: usize) -> Vec<Unread> {
        let mut unread = Vec::new();
        for _ in 0..connections / 16 {
            unread.extend(join_all((0..16).map(|_| self.open_downloads())).await.into_iter().flatten());
        }
        unread
    }

    /// Downloads the file from 127.0.0.1.
    fn download(&self) {
        let ca = self.home.path().join("cert.pem");
        let arguments = ["--ca-file", ca.to_str().unwrap(), "download", &self.link, "-o", "-"];
        let downloaded = self.home.run(&arguments);
        assert_eq!(downloaded.exit, 0, "another network is not served: {}", downloaded.stderr);
        assert!(downloaded.stdout == content(4 << 20));
    }
}

/// Returns the resident memory of a process, in bytes.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("the process runs");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

fn count(unread: &[Unread], status: u16) -> usize {
    unread.iter().flat_map(|connection| &connection.statuses).filter(|found| **found == status).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_downloads_of_one_network_use_bounded_memory_and_keep_no_other_out() {
    let target = Target::start(None);
    target.download();
    let before = memory(target.serving.id());
    let unread = target.flood(128).await;
    let growth = memory(target.serving.id()).saturating_sub(before);
    let (served, rejected) = (count(&unread, 200), count(&unread, 429));
    println!("{served} served, {rejected} rejected, {} MiB more", growth >> 20);
    assert_eq!((served, served + rejected), (64, 128 * STREAMS));
    assert!(growth < MAX_GROWTH, "{} MiB more", growth >> 20);
    target.download();
    drop(unread);
    // The streams of closed connections are free again.
    eventually(async || {
        let again = target.open_downloads().await?;
        (count(&[again], 200) == STREAMS).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_downloads_use_up_no_descriptors() {
    let target = Target::start(Some(256));
    let unread = target.flood(128).await;
    let served = count(&unread, 200);
    assert!((1..=8).contains(&served), "{served} streams of one network");
    target.download();
    let Target { serving, .. } = target;
    drop(unread);
    let log = serving.terminate();
    assert!(!log.contains("Too many open files") && !log.contains("cannot accept"), "{log}");
}
