//! Requests to the functions: modes, addresses, stages, pages, and the admin key.

use sgsend::domain::audit::ServiceName;

use super::{World, api};
use crate::support::lambda::secrets::SecretsExtension;
use crate::support::lambda::{FunctionSettings, LambdaFunction};
use crate::support::{ADMIN_KEY, Home, any_storage};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn payloads_travel_by_presigned_urls_only() {
    let world = World::new(1, &[]);
    let (anyone, sender) = (api(ServiceName::Public, &world.functions.public), world.sender(&[]));
    let health = anyone.get("/health").send().await.json();
    assert_eq!((&health["mode"]["upload"], &health["mode"]["download"]), (&"presigned".into(), &"presigned".into()));
    assert!(!health.get("behind_untrusted_proxy").and_then(serde_json::Value::as_bool).unwrap_or_default());
    let created = sender.post("/transfers/create").json(r#"{"size_bytes":3}"#).send().await;
    assert!(created.status == 201 && !created.json().to_string().contains("fallback_url"), "{created:?}");
    let id = created.text("transfer_id");
    let path = format!("/transfers/id/{id}/payload/upload-bytes");
    sender.post(&path).bytes(b"abc").expect_error("wrong_mode").await;
    // Without notifications and restrictions, the command sets no access proof.
    let link = world.upload(&["--notify", "never"]);
    let id = link.split("/d/").nth(1).unwrap().split('#').next().unwrap();
    let granted = anyone.post(&format!("/transfers/id/{id}/download/create-presign-url")).json("{}").send().await;
    assert!(granted.status == 200 && !granted.json().to_string().contains("fallback_url"), "{granted:?}");
    anyone.get(&format!("/transfers/id/{id}/payload/download-bytes")).expect_error("wrong_mode").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn the_client_address_is_that_of_the_request_context() {
    let world = World::new(1, &[("SGSEND_IP_MODE", "full")]);
    let link = world.upload(&[]);
    let id = link.split("/d/").nth(1).unwrap().split('#').next().unwrap().to_owned();
    let forged = api(ServiceName::Public, &world.functions.public).with_header("x-forwarded-for", "203.0.113.9");
    forged.status(&id).await;
    let trail = world.run(&["audit", "show", &id, "--json"]).text();
    assert!(trail.contains("127.0.0.1") && !trail.contains("203.0.113.9"), "{trail}");
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn an_api_may_have_a_stage() {
    let (home, storage) = (Home::new(), any_storage());
    let settings = |service, variables| FunctionSettings {
        service,
        storage: &storage,
        variables,
        instances: 1,
        stage: Some("prod"),
    };
    let public = LambdaFunction::start(home.path(), settings("public", Vec::new()));
    let key = vec![("SGSEND_ADMIN_KEY".to_owned(), ADMIN_KEY.to_owned())];
    let admin = LambdaFunction::start(home.path(), settings("admin", key));
    let servers = ["--server", &public.url, "--admin-server", &admin.url];
    let mut making = home.sgsend(&[&servers[..], &["token", "create", "test", "--login"]].concat());
    assert!(making.env("SGSEND_ADMIN_KEY", ADMIN_KEY).status().unwrap().success());
    let file = home.file("small.txt", b"hello world");
    let link = home.run(&["--server", &public.url, "upload", &file]).text();
    assert!(link.starts_with(&format!("{}/d/", public.url)), "{link}");
    assert_eq!(home.run(&["download", &link, "-o", "-"]).stdout, b"hello world");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let policy = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().no_proxy().redirect(policy).build().unwrap();
        for function in [&public, &admin] {
            let bare = client.get(&function.url).send().await.unwrap();
            assert_eq!((bare.status().as_u16(), bare.headers()["location"].to_str().unwrap()), (308, "./prod/"));
            let page = client.get(format!("{}/", function.url)).send().await.unwrap();
            assert_eq!(
                (page.status().as_u16(), page.headers()["content-type"].to_str().unwrap()),
                (200, "text/html; charset=utf-8")
            );
        }
    });
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn the_admin_key_comes_from_the_extension() {
    const ID: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:sgsend-AbCdEf";
    let (home, storage) = (Home::new(), any_storage());
    let extension = SecretsExtension::with(ID, ADMIN_KEY, "session token");
    let function = |id: &str, token: &str| {
        let variables = [
            ("SGSEND_ADMIN_KEY_SECRET", id),
            ("AWS_SESSION_TOKEN", token),
            ("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", &extension.port.to_string()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        LambdaFunction::start(
            home.path(),
            FunctionSettings { service: "admin", storage: &storage, variables, instances: 1, stage: None },
        )
    };
    let list = |function: &LambdaFunction| {
        let mut command = home.sgsend(&["--admin-server", &function.url, "token", "list"]);
        command.env("SGSEND_ADMIN_KEY", ADMIN_KEY).output().unwrap()
    };
    let right = function(ID, "session token");
    let listed = list(&right);
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    // A function without a key rejects everything, and tries again with each request.
    let wrong = function(ID, "another token");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for _ in 0..2 {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let response = runtime.block_on(client.get(format!("{}/health", wrong.url)).send()).unwrap();
        assert_eq!(response.status().as_u16(), 503);
        assert!(response.headers().contains_key("retry-after"));
    }
    let log = wrong.end_instances();
    assert!(log.contains("403") && log.contains("will retry") && !log.contains("another token"), "{log}");
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn settings_that_no_function_can_serve_are_errors() {
    let home = Home::new();
    let failure = |variables: &[(&str, &str)], handler: &str| {
        let mut command = home.sgsend(&[]);
        command.env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9").env("_HANDLER", handler);
        for name in ["NAME", "MEMORY_SIZE", "VERSION"] {
            command.env(format!("AWS_LAMBDA_FUNCTION_{name}"), "1");
        }
        let finished = command.envs(variables.iter().copied()).output().unwrap();
        assert!(!finished.status.success() && finished.stdout.is_empty());
        String::from_utf8(finished.stderr).unwrap()
    };
    let bucket = ("SGSEND_STORAGE", "s3://bucket/prefix");
    for (variables, handler, words) in [
        (&[("SGSEND_STORAGE", "file:/tmp/store")][..], "public", "bucket"),
        (&[("SGSEND_STORAGE", "s3://bucket?flow=bytes")], "public", "presigned"),
        (&[bucket], "admin", "admin key"),
        (&[bucket, ("SGSEND_ADMIN_KEY", "short")], "admin", "too short"),
        (&[bucket, ("SGSEND_ADMIN_KEY", ADMIN_KEY), ("SGSEND_ADMIN_KEY_SECRET", "a")], "admin", "both"),
        (&[bucket, ("SGSEND_TLS_CERT", "a"), ("SGSEND_TLS_KEY", "b")], "public", "certificate"),
        (&[bucket], "all", "public or admin"),
        (&[bucket], "index.handler", "index.handler"),
    ] {
        let text = failure(variables, handler);
        assert!(text.contains(words), "{handler} {variables:?}: {text}");
    }
    let mut outside = home.sgsend(&["serve", "public", "--storage", "memory:"]);
    let outside = outside.env("SGSEND_ADMIN_KEY_SECRET", "a").output().unwrap();
    assert!(String::from_utf8_lossy(&outside.stderr).contains("Lambda functions only"));
}
