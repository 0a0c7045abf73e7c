//! ACME server for tests, Let's Encrypt's pebble.
//!
//! Its DNS server resolves all names to loopback.

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tempfile::TempDir;

use super::{ReservedAddress, not_run};

/// A running ACME server. Its validations connect to one address of loopback.
pub(crate) struct AcmeServer {
    /// URL of its directory.
    pub(crate) directory: String,
    /// File with the certificate of the authority that has signed its own certificate.
    pub(crate) ca_file: String,
    /// The address that validations connect to, in place of port 443.
    pub(crate) validated: SocketAddr,
    management: SocketAddr,
    folder: TempDir,
    processes: Vec<Child>,
    addresses: Vec<ReservedAddress>,
}

impl Drop for AcmeServer {
    fn drop(&mut self) {
        for process in &mut self.processes {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

impl AcmeServer {
    /// Starts an ACME server; `None` where it is not installed, which is reported.
    pub(crate) fn start() -> Option<Self> {
        if Command::new("pebble").arg("-h").output().is_err() {
            not_run("pebble is not installed; on Debian: apt-get install pebble");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let addresses: Vec<_> = std::iter::repeat_with(ReservedAddress::new).take(5).collect();
        let [api, management, dns, dns_management, validated] =
            [0, 1, 2, 3, 4].map(|index: usize| addresses[index].get());
        let mut this = Self {
            directory: format!("https://localhost:{}/dir", api.port()),
            ca_file: certificates(folder.path()),
            validated,
            management,
            folder,
            processes: Vec::new(),
            addresses,
        };
        let mut resolver = Command::new("pebble-challtestsrv");
        resolver.args(["-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", ""]);
        resolver.args(["-dns01", &dns.to_string(), "-management", &dns_management.to_string()]);
        this.spawn(&mut resolver, &[dns_management]);
        wait_for_resolver(dns);
        this.start_pebble(api, dns);
        Some(this)
    }

    /// Stops the server, which forgets its accounts and certificates.
    pub(crate) fn stop(&mut self) {
        let mut pebble = self.processes.pop().unwrap();
        pebble.kill().unwrap();
        pebble.wait().unwrap();
    }

    /// Starts the stopped server again, with another root certificate.
    pub(crate) fn restart(&mut self) {
        self.start_pebble(self.addresses[0].get(), self.addresses[2].get());
    }

    fn start_pebble(&mut self, api: SocketAddr, dns: SocketAddr) {
        let file = |name: &str| self.folder.path().join(name).to_str().unwrap().to_owned();
        let settings = json!({ "pebble": {
            "listenAddress": api.to_string(),
            "managementListenAddress": self.management.to_string(),
            "certificate": file("cert.pem"),
            "privateKey": file("key.pem"),
            "httpPort": 1,
            "tlsPort": self.validated.port(),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        } });
        std::fs::write(file("pebble.json"), settings.to_string()).unwrap();
        let mut pebble = Command::new("pebble");
        pebble.args(["-strict", "-config", &file("pebble.json"), "-dnsserver", &dns.to_string()]);
        // No pause before a validation; some nonces are rejected; no validation is reused.
        pebble.envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "2"), ("PEBBLE_AUTHZREUSE", "0")]);
        self.spawn(&mut pebble, &[api, self.management]);
    }

    /// Starts a process, and waits until it listens at all `addresses`: their order is not defined.
    fn spawn(&mut self, command: &mut Command, addresses: &[SocketAddr]) {
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        for address in addresses {
            while TcpStream::connect(address).is_err() {
                assert!(process.try_wait().unwrap().is_none(), "{command:?} has ended");
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        self.processes.push(process);
    }

    /// Returns the root certificate of all issued certificates, in PEM.
    pub(crate) async fn root(&self) -> String {
        let ca = reqwest::Certificate::from_pem(&std::fs::read(&self.ca_file).unwrap()).unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
        let url = format!("https://localhost:{}/roots/0", self.management.port());
        client.get(url).send().await.unwrap().error_for_status().unwrap().text().await.unwrap()
    }
}

/// Waits until the DNS server responds. It listens some time after its management interface.
fn wait_for_resolver(dns: SocketAddr) {
    // RFC 1035, section 4.1: header with one question, for the address of the name `a`.
    const QUERY: [u8; 19] = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1];
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(dns).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while socket.send(&QUERY).is_err() || socket.recv(&mut [0; 512]).is_err() {
        assert!(Instant::now() < until, "the DNS server at {dns} does not respond");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Writes the certificate and key of pebble itself; returns the path of its authority's certificate.
fn certificates(folder: &Path) -> String {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let write = |name: &str, pem: String| {
        let path = folder.join(name);
        std::fs::write(&path, pem).unwrap();
        path.to_str().unwrap().to_owned()
    };
    write("cert.pem", certificate.pem());
    write("key.pem", key.serialize_pem());
    write("ca.pem", authority.pem())
}
