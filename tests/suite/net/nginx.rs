//! Both services behind nginx, with the configuration of `docs/proxies.md`.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::support::{ADMIN_KEY, FinishedCommand, Home, ReservedAddress, ServerProcess, content, not_run};

/// Services behind nginx.
struct Proxied {
    home: Home,
    nginx: Child,
    public: String,
    admin: String,
    ca: String,
    _serving: ServerProcess,
    _addresses: [ReservedAddress; 2],
}

impl Drop for Proxied {
    fn drop(&mut self) {
        // Without a master process, this ends all of nginx.
        drop(self.nginx.kill());
        drop(self.nginx.wait());
    }
}

impl Proxied {
    /// Starts the services behind nginx.
    fn start(change: impl Fn(String) -> String) -> Self {
        let home = Home::new();
        let addresses = [ReservedAddress::new(), ReservedAddress::new()];
        let [public_port, admin_port] = addresses.each_ref().map(|address| address.get().port());
        let (public, admin) =
            (format!("https://localhost:{public_port}/send"), format!("https://localhost:{admin_port}"));
        let arguments =
            ["--storage", "memory:", "--public-url", &public, "--admin-url", &admin, "--trusted-proxy", "127.0.0.1"];
        let serving = home.server().arguments(&arguments).admin_key().start();
        let ca = certificates(&home);
        let document = include_str!("../../../docs/proxies.md");
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
        let mut nginx = nginx_command()
            .args(["-p", folder, "-e", &format!("{folder}/error.log"), "-c", &file, "-g", &globals])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while TcpStream::connect(("127.0.0.1", public_port)).is_err() {
            if nginx.try_wait().unwrap().is_some() {
                let log = std::fs::read_to_string(home.path().join("error.log")).unwrap_or_default();
                panic!("nginx has ended: {log}");
            }
            std::thread::yield_now();
        }
        Self { home, nginx, public, admin, ca, _serving: serving, _addresses: addresses }
    }

    fn run(&self, arguments: &[&str]) -> FinishedCommand {
        let servers = ["--ca-file", &self.ca, "--server", &self.public, "--admin-server", &self.admin];
        let mut command = self.home.sgsend(&[&servers, arguments].concat());
        FinishedCommand::of(command.env("SGSEND_ADMIN_KEY", ADMIN_KEY).output().unwrap())
    }

    /// Returns an HTTP client that trusts the certificate.
    fn client(&self) -> reqwest::Client {
        let ca = reqwest::Certificate::from_pem(&std::fs::read(&self.ca).unwrap()).unwrap();
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        client.tls_certs_only([ca]).build().unwrap()
    }
}

fn nginx_command() -> Command {
    // Debian installs nginx where only root's PATH looks.
    let system = Path::new("/usr/sbin/nginx");
    if system.exists() { Command::new(system) } else { Command::new("nginx") }
}

fn has_nginx() -> bool {
    let is_installed = nginx_command().arg("-v").stderr(Stdio::null()).status().is_ok();
    if !is_installed {
        not_run("nginx is not installed");
    }
    is_installed
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

/// Uploads and downloads a file. Checks that the services know the proxy, and the verdict on its body limit.
fn check_round_trip(proxied: &Proxied, request_body: &str) -> String {
    proxied.run(&["token", "create", "x", "--login"]).text();
    let payload = content(9_000_000);
    let file = proxied.home.file("a.bin", &payload);
    let link = proxied.run(&["upload", &file]).text();
    assert!(link.starts_with(&format!("{}/d/", proxied.public)), "{link}");
    proxied.run(&["download", &link, "-o", "b.bin"]).text();
    assert!(std::fs::read(proxied.home.path().join("b.bin")).unwrap() == payload, "other content came back");
    let checks = proxied.run(&["doctor", "--json"]).json()["checks"].clone();
    assert!(checks.as_array().unwrap().iter().all(|check| check["name"] != "trusted_proxy"), "{checks}");
    let body = checks.as_array().unwrap().iter().find(|check| check["name"] == "request_body").unwrap();
    assert_eq!(body["verdict"], request_body, "{checks}");
    link
}

#[tokio::test(flavor = "multi_thread")]
async fn both_services_work_behind_the_documented_nginx() {
    if !has_nginx() {
        return;
    }
    let (proxied, link) = tokio::task::spawn_blocking(|| {
        let proxied = Proxied::start(|file| file);
        let link = check_round_trip(&proxied, "ok");
        (proxied, link)
    })
    .await
    .unwrap();
    let client = proxied.client();
    let page = client.get(link.split('#').next().unwrap()).send().await.unwrap();
    assert_eq!((page.status().as_u16(), page.version()), (200, reqwest::Version::HTTP_2));
    let slash = format!("{}/", link.split('#').next().unwrap());
    let redirected = client.get(&slash).send().await.unwrap();
    let target = redirected.url().join(redirected.headers()["location"].to_str().unwrap()).unwrap();
    assert_eq!(target.as_str(), link.split('#').next().unwrap());
    // The admin page and its assets, and a session.
    for path in ["/", "/web/style.css", "/web/admin/main.js"] {
        let page = client.get(format!("{}{path}", proxied.admin)).send().await.unwrap();
        assert_eq!(page.status(), 200, "{path}");
    }
    let session = client.post(format!("{}/auth/set-auth-cookie", proxied.admin)).header("origin", &proxied.admin);
    let session = session.body(format!(r#"{{"cookie_value":"{ADMIN_KEY}"}}"#)).send().await.unwrap();
    assert_eq!(session.status(), 200);
    assert!(session.headers()["set-cookie"].to_str().unwrap().contains("Secure"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_may_leave_the_base_path_in_requests() {
    if !has_nginx() {
        return;
    }
    let keeps_path = |file: String| {
        let (strips, keeps) = ("/;\n      proxy_request_buffering", ";\n      proxy_request_buffering");
        let redirects = "    location = /send {\n      return 308 /send/;\n    }\n";
        assert!(file.contains(strips) && file.contains(redirects), "{file}");
        file.replace(strips, keeps).replace(redirects, "").replace("location /send/ {", "location /send {")
    };
    let (proxied, link) = tokio::task::spawn_blocking(move || {
        let proxied = Proxied::start(keeps_path);
        let link = check_round_trip(&proxied, "ok");
        (proxied, link)
    })
    .await
    .unwrap();
    let client = proxied.client();
    let link = link.split('#').next().unwrap();
    for path in ["/", "/web/style.css", "/save/worker.js", "/docs", "/openapi.json"] {
        assert_eq!(client.get(format!("{}{path}", proxied.public)).send().await.unwrap().status(), 200, "{path}");
    }
    for (from, to) in [(proxied.public.clone(), format!("{}/", proxied.public)), (format!("{link}/"), link.to_owned())]
    {
        let redirected = client.get(&from).send().await.unwrap();
        let target = redirected.url().join(redirected.headers()["location"].to_str().unwrap()).unwrap();
        assert_eq!(target.as_str(), to);
        assert_eq!(client.get(target).send().await.unwrap().status(), 200);
    }
}

#[test]
fn transfers_pass_the_defaults_of_nginx() {
    if !has_nginx() {
        return;
    }
    // Bodies of 1 MiB, sent on when they are complete, with a Host header that names the service's own address.
    let defaults = |file: String| {
        let dropped = [
            "client_max_body_size 16m;",
            "proxy_request_buffering off;",
            "proxy_set_header Host $http_host;",
            "proxy_http_version 1.1;",
        ];
        assert!(dropped.iter().all(|line| file.contains(line)), "{file}");
        dropped.iter().fold(file, |file, line| file.replace(line, ""))
    };
    check_round_trip(&Proxied::start(defaults), "warning");
}
