//! Both services behind nginx, with the configuration of `docs/proxies.md`.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::home::Home;
use super::not_run::not_run;
use super::reserved_address::ReservedAddress;
use super::server_process::{ServerProcess, Serving};

/// nginx with TLS in front of both services: the public one below `/send`.
pub(crate) struct Nginx {
    process: Child,
    public: String,
    admin: String,
    /// File with the certificate of the authority.
    ca: String,
    serving: ServerProcess,
    _addresses: [ReservedAddress; 2],
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Without a master process, this ends all of nginx.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Serving for Nginx {
    fn public(&self) -> &str {
        &self.public
    }

    fn admin(&self) -> &str {
        &self.admin
    }

    fn admin_key(&self) -> Option<&'static str> {
        self.serving.admin_key()
    }

    fn ca_file(&self) -> Option<&str> {
        Some(&self.ca)
    }
}

impl Nginx {
    /// Returns whether nginx is installed, and reports it if it is not.
    pub(crate) fn is_installed() -> bool {
        let is_installed = nginx_command().arg("-v").stderr(Stdio::null()).status().is_ok();
        if !is_installed {
            not_run("nginx is not installed");
        }
        is_installed
    }

    /// Starts the services over `storage` and nginx, whose configuration is changed by `change`.
    pub(crate) fn start(home: &Home, storage: &str, change: impl Fn(String) -> String) -> Self {
        let addresses = [ReservedAddress::new(), ReservedAddress::new()];
        let [public_port, admin_port] = addresses.each_ref().map(|address| address.get().port());
        let (public, admin) =
            (format!("https://localhost:{public_port}/send"), format!("https://localhost:{admin_port}"));
        let arguments =
            ["--storage", storage, "--public-url", &public, "--admin-url", &admin, "--trusted-proxy", "127.0.0.1"];
        let serving = home.server().arguments(&arguments).admin_key().start();
        let ca = certificates(home);
        let document = include_str!("../../docs/proxies.md");
        let file = document.split_once("```nginx\n").unwrap().1.split_once("```").unwrap().0;
        let folder = home.path().to_str().unwrap();
        let file = file
            .replace("/etc/ssl/send.example.org", &format!("{folder}/tls"))
            .replace("/etc/ssl/admin.example.org", &format!("{folder}/tls"))
            .replace("/var/log/nginx", folder)
            .replacen("listen 443", &format!("listen 127.0.0.1:{public_port}"), 1)
            .replacen("listen 443", &format!("listen 127.0.0.1:{admin_port}"), 1)
            .replace("http://127.0.0.1:8080/", &format!("{}/", serving.public))
            .replace("http://127.0.0.1:8081", &serving.admin)
            .replacen("http {", &format!("http {{\n{}", temporary_paths(folder)), 1);
        let file = home.file("nginx.conf", change(file).as_bytes());
        let globals =
            format!("daemon off; master_process off; user root; pid {folder}/nginx.pid; error_log {folder}/error.log;");
        let mut process = nginx_command()
            .args(["-p", folder, "-e", &format!("{folder}/error.log"), "-c", &file, "-g", &globals])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while TcpStream::connect(("127.0.0.1", public_port)).is_err() {
            if process.try_wait().unwrap().is_some() {
                let log = std::fs::read_to_string(home.path().join("error.log")).unwrap_or_default();
                panic!("nginx has ended: {log}");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Self { process, public, admin, ca, serving, _addresses: addresses }
    }
}

fn nginx_command() -> Command {
    // Debian installs nginx where only root's PATH looks.
    let system = Path::new("/usr/sbin/nginx");
    if system.exists() { Command::new(system) } else { Command::new("nginx") }
}

fn temporary_paths(folder: &str) -> String {
    let path = |name| format!("{name}_temp_path {folder}/{name};\n");
    ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(path).concat()
}

/// Writes a certificate for `localhost` and its key. Returns the file with the certificate of its authority.
fn certificates(home: &Home) -> String {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    home.file("tls.pem", certificate.pem().as_bytes());
    home.file("tls.key", key.serialize_pem().as_bytes());
    home.file("ca.pem", authority.pem().as_bytes())
}
