//! Both services behind nginx, with the configuration of `docs/proxies.md`.

use crate::support::{ADMIN_KEY, FinishedCommand, Home, Nginx, Serving, content};

/// Services behind nginx.
struct Proxied {
    home: Home,
    nginx: Nginx,
}

impl Proxied {
    /// Starts the services behind nginx.
    fn start(change: impl Fn(String) -> String) -> Self {
        let home = Home::new();
        let nginx = Nginx::start(&home, "memory:", change);
        Self { home, nginx }
    }

    fn run(&self, arguments: &[&str]) -> FinishedCommand {
        self.home.run_at(&self.nginx, arguments)
    }

    /// Returns an HTTP client that trusts the certificate.
    fn client(&self) -> reqwest::Client {
        let ca = reqwest::Certificate::from_pem(&std::fs::read(self.nginx.ca_file().unwrap()).unwrap()).unwrap();
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        client.tls_certs_only([ca]).build().unwrap()
    }
}

/// Uploads and downloads a file. Checks that the services know the proxy, and the verdict on its body limit.
fn check_round_trip(proxied: &Proxied, request_body: &str) -> String {
    proxied.run(&["token", "create", "x", "--login"]).text();
    let payload = content(9_000_000);
    let file = proxied.home.file("a.bin", &payload);
    let link = proxied.run(&["upload", &file]).text();
    assert!(link.starts_with(&format!("{}/d/", proxied.nginx.public())), "{link}");
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
    if !Nginx::is_installed() {
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
        let page = client.get(format!("{}{path}", proxied.nginx.admin())).send().await.unwrap();
        assert_eq!(page.status(), 200, "{path}");
    }
    let session =
        client.post(format!("{}/auth/set-auth-cookie", proxied.nginx.admin())).header("origin", proxied.nginx.admin());
    let session = session.body(format!(r#"{{"cookie_value":"{ADMIN_KEY}"}}"#)).send().await.unwrap();
    assert_eq!(session.status(), 200);
    assert!(session.headers()["set-cookie"].to_str().unwrap().contains("Secure"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_may_leave_the_base_path_in_requests() {
    if !Nginx::is_installed() {
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
        assert_eq!(
            client.get(format!("{}{path}", proxied.nginx.public())).send().await.unwrap().status(),
            200,
            "{path}"
        );
    }
    for (from, to) in [
        (proxied.nginx.public().to_owned(), format!("{}/", proxied.nginx.public())),
        (format!("{link}/"), link.to_owned()),
    ] {
        let redirected = client.get(&from).send().await.unwrap();
        let target = redirected.url().join(redirected.headers()["location"].to_str().unwrap()).unwrap();
        assert_eq!(target.as_str(), to);
        assert_eq!(client.get(target).send().await.unwrap().status(), 200);
    }
}

#[test]
fn transfers_pass_the_defaults_of_nginx() {
    if !Nginx::is_installed() {
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
