//! Checks of bucket settings. Covers CORS rules, public access, retention, access logs, lifecycle rules and encryption.

use aws_sdk_s3::types::{BucketVersioningStatus, CorsRule, Grant, LifecycleRule, ObjectLockEnabled};

use super::setting;
use crate::domain::base_url::BaseUrl;
use crate::domain::maintenance::finding::Finding;
use crate::server::store::s3::actions::{
    GET_ACCESS_BLOCK, GET_ACL, GET_CORS, GET_ENCRYPTION, GET_LIFECYCLE, GET_LOGGING, GET_OBJECT_LOCK,
    GET_POLICY_STATUS, GET_VERSIONING,
};
use crate::server::store::s3::bucket::Bucket;

/// Name of the check of the CORS rules, which browsers obey before a page may use presigned URLs.
const CORS: &str = "cors";

/// URI suffixes of the predefined ACL groups "everybody" and "everybody with an AWS account".
const PUBLIC_GROUPS: [&str; 2] = ["/global/AllUsers", "/global/AuthenticatedUsers"];

/// Use of a presigned URL by a web page.
struct CorsUse {
    method: &'static str,
    /// Request headers that need permission.
    headers: &'static [&'static str],
    /// Response headers that the page must be able to read.
    exposes: &'static [&'static str],
}

const CORS_USES: [CorsUse; 2] = [
    CorsUse { method: "PUT", headers: &["content-type", "if-none-match"], exposes: &["etag"] },
    CorsUse { method: "GET", headers: &["range"], exposes: &["content-length", "content-range"] },
];

/// Checks that the CORS rules allow PUT and GET from `page`, or from any page if `None`.
pub(super) async fn cors(bucket: &Bucket, page: Option<&BaseUrl>) -> Finding {
    let response = bucket.client.get_bucket_cors().bucket(&bucket.name).send().await;
    let rules = match setting(CORS, GET_CORS, Some("NoSuchCORSConfiguration"), response) {
        Ok(found) => found.and_then(|found| found.cors_rules).unwrap_or_default(),
        Err(unreadable) => return unreadable,
    };
    check_cors(&rules, page.map(|page| page.join("/").origin().ascii_serialization()).as_deref())
}

fn check_cors(rules: &[CorsRule], page: Option<&str>) -> Finding {
    let missing: Vec<_> = CORS_USES.iter().filter_map(|needed| missing(rules, needed, page)).collect();
    if missing.is_empty() {
        let from = page.map_or_else(|| origins(rules), str::to_owned);
        return Finding::ok(CORS, format!("PUT and GET from {from}"));
    }
    let detail = format!("web pages cannot use presigned URLs: {}", missing.join("; "));
    let hint =
        "apply examples/aws/cors.json with the page's origin by aws s3api put-bucket-cors; the CLI needs no CORS";
    Finding::warning(CORS, detail, hint)
}

/// Describes what the rules lack for one use by `page`; `None` if the rules allow the use.
fn missing(rules: &[CorsRule], needed: &CorsUse, page: Option<&str>) -> Option<String> {
    let CorsUse { method, headers, exposes } = needed;
    let fits = |rule: &&CorsRule| {
        let from = rule.allowed_origins().iter().any(|origin| page.is_none_or(|page| covers(origin, page)));
        from && rule.allowed_methods().iter().any(|allowed| allowed == method)
    };
    let rules: Vec<_> = rules.iter().filter(fits).collect();
    let accepts = |rule: &&&CorsRule| {
        headers.iter().all(|header| rule.allowed_headers().iter().any(|allowed| covers(allowed, header)))
    };
    let exposes_headers = |rule: &&CorsRule| {
        exposes.iter().all(|header| rule.expose_headers().iter().any(|exposed| exposed.eq_ignore_ascii_case(header)))
    };
    if rules.is_empty() {
        return Some(format!("no rule allows {method} from {}", page.unwrap_or("any origin")));
    }
    let mut rules = rules.iter().filter(accepts).peekable();
    if rules.peek().is_none() {
        return Some(format!("{method} requires the headers {}", headers.join(", ")));
    }
    if rules.any(exposes_headers) { None } else { Some(format!("{method} must expose {}", exposes.join(", "))) }
}

/// Returns whether a pattern with at most one `*` matches `text`, ignoring case.
fn covers(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => {
            text.strip_prefix(head).is_some_and(|rest| rest.len() >= tail.len() && rest.ends_with(tail))
        }
    }
}

fn origins(rules: &[CorsRule]) -> String {
    let origins: std::collections::BTreeSet<_> = rules.iter().flat_map(CorsRule::allowed_origins).collect();
    origins.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// Checks the three settings that can make a bucket public.
pub(super) async fn public_access(bucket: &Bucket) -> [Finding; 3] {
    [access_block(bucket).await, policy(bucket).await, acl(bucket).await].map(finding_of)
}

async fn access_block(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "public_access_block";
    let response = bucket.client.get_public_access_block().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_ACCESS_BLOCK, Some("NoSuchPublicAccessBlockConfiguration"), response)?;
    let block = found.and_then(|found| found.public_access_block_configuration);
    let all = block.as_ref().is_some_and(|block| {
        [block.block_public_acls, block.ignore_public_acls, block.block_public_policy, block.restrict_public_buckets]
            .iter()
            .all(|part| *part == Some(true))
    });
    Ok(if all {
        Finding::ok(NAME, "public access is blocked")
    } else {
        let detail =
            if block.is_some() { "public access is blocked only partially" } else { "public access is not blocked" };
        let hint = "enable all four settings with aws s3api put-public-access-block: see examples/aws/README.md";
        Finding::warning(NAME, detail, hint)
    })
}

async fn policy(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "bucket_policy";
    let response = bucket.client.get_bucket_policy_status().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_POLICY_STATUS, Some("NoSuchBucketPolicy"), response)?;
    let public = found.map(|found| found.policy_status.and_then(|status| status.is_public));
    Ok(match public {
        None => Finding::ok(NAME, "no policy"),
        Some(Some(false)) => Finding::ok(NAME, "not public"),
        Some(Some(true)) => {
            let hint =
                "remove the statement that allows \"Principal\": \"*\"; clients use presigned URLs and need no policy";
            Finding::problem(NAME, "the policy makes the bucket public", hint)
        }
        Some(None) => Finding::cannot_tell(
            NAME,
            "the server does not report whether the policy is public",
            "check the policy manually",
        ),
    })
}

async fn acl(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "bucket_acl";
    let response = bucket.client.get_bucket_acl().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_ACL, None, response)?;
    let grants = found.and_then(|found| found.grants).unwrap_or_default();
    Ok(if grants.iter().any(is_public_grantee) {
        let hint = format!("aws s3api put-bucket-acl --bucket {} --acl private", bucket.name);
        Finding::problem(NAME, "the ACL grants everybody access to the bucket", hint)
    } else {
        Finding::ok(NAME, "the ACL grants no public access")
    })
}

fn is_public_grantee(grant: &Grant) -> bool {
    let group = grant.grantee().and_then(|grantee| grantee.uri());
    group.is_some_and(|uri| PUBLIC_GROUPS.iter().any(|everybody| uri.ends_with(everybody)))
}

/// Checks versioning, object lock, access log, lifecycle rules and server-side encryption.
pub(super) async fn configuration(bucket: &Bucket) -> [Finding; 5] {
    let (versioning, object_lock) = (versioning(bucket).await, object_lock(bucket).await);
    [versioning, object_lock, access_log(bucket).await, lifecycle(bucket).await, encryption(bucket).await]
        .map(finding_of)
}

async fn versioning(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "versioning";
    let response = bucket.client.get_bucket_versioning().bucket(&bucket.name).send().await;
    let status = setting(NAME, GET_VERSIONING, None, response)?.and_then(|found| found.status);
    let new_bucket = "use a bucket that never had versioning: versions of deleted objects persist";
    Ok(match status {
        None => Finding::ok(NAME, "off: deleted objects are removed"),
        Some(BucketVersioningStatus::Suspended) => {
            Finding::warning(NAME, "suspended: earlier versions of objects may persist", new_bucket)
        }
        Some(_) => Finding::problem(NAME, "on: deleted payloads persist as versions", new_bucket),
    })
}

async fn object_lock(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "object_lock";
    let response = bucket.client.get_object_lock_configuration().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_OBJECT_LOCK, Some("ObjectLockConfigurationNotFoundError"), response)?;
    let lock = found.and_then(|found| found.object_lock_configuration).and_then(|lock| lock.object_lock_enabled);
    Ok(match lock {
        Some(ObjectLockEnabled::Enabled) => Finding::problem(
            NAME,
            "on: payloads cannot be deleted",
            "use a bucket without object lock, which cannot be disabled later",
        ),
        _ => Finding::ok(NAME, "off"),
    })
}

async fn access_log(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "access_log";
    let response = bucket.client.get_bucket_logging().bucket(&bucket.name).send().await;
    let log = setting(NAME, GET_LOGGING, None, response)?.and_then(|found| found.logging_enabled);
    Ok(match log {
        None => Finding::ok(NAME, "off"),
        Some(log) => {
            let hint =
                "disable the access log with an empty status in aws s3api put-bucket-logging, or inform your users";
            let detail = format!("on: client addresses are logged to {}, regardless of --ip-mode", log.target_bucket);
            Finding::warning(NAME, detail, hint)
        }
    })
}

async fn lifecycle(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "lifecycle";
    let response = bucket.client.get_bucket_lifecycle_configuration().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_LIFECYCLE, Some("NoSuchLifecycleConfiguration"), response)?;
    let rules = found.and_then(|found| found.rules).unwrap_or_default();
    let aborts = |rule: &LifecycleRule| rule.abort_incomplete_multipart_upload().is_some();
    Ok(if rules.iter().any(aborts) {
        Finding::ok(NAME, "unfinished uploads are removed")
    } else {
        // The service aborts the unfinished uploads of its transfers itself.
        Finding::ok(
            NAME,
            "no rule removes unfinished uploads: the service does; fallback rule: examples/aws/lifecycle.json",
        )
    })
}

async fn encryption(bucket: &Bucket) -> Result<Finding, Finding> {
    const NAME: &str = "encryption";
    let response = bucket.client.get_bucket_encryption().bucket(&bucket.name).send().await;
    let found = setting(NAME, GET_ENCRYPTION, Some("ServerSideEncryptionConfigurationNotFoundError"), response)?;
    let rules = found.and_then(|found| found.server_side_encryption_configuration).map(|found| found.rules);
    let kinds = rules.unwrap_or_default().into_iter().filter_map(|rule| rule.apply_server_side_encryption_by_default);
    let kinds: Vec<_> = kinds.map(|kind| kind.sse_algorithm.as_str().to_owned()).collect();
    let provider = if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") };
    Ok(Finding::ok(NAME, format!("server-side encryption: {provider}; payloads are end-to-end encrypted in any case")))
}

/// Returns the finding of a check that stops at a setting that cannot be read.
fn finding_of(outcome: Result<Finding, Finding>) -> Finding {
    outcome.unwrap_or_else(|unreadable| unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::maintenance::finding::Verdict;

    /// Reads the rules of `examples/aws/cors.json`.
    fn example() -> Vec<CorsRule> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/aws/cors.json");
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let texts = |value: &serde_json::Value| {
            let texts = value.as_array().unwrap().iter();
            Some(texts.map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>())
        };
        let rule = |rule: &serde_json::Value| {
            let built = CorsRule::builder()
                .set_allowed_origins(texts(&rule["AllowedOrigins"]))
                .set_allowed_methods(texts(&rule["AllowedMethods"]))
                .set_allowed_headers(texts(&rule["AllowedHeaders"]))
                .set_expose_headers(texts(&rule["ExposeHeaders"]));
            built.build().unwrap()
        };
        json["CORSRules"].as_array().unwrap().iter().map(rule).collect()
    }

    #[test]
    fn the_example_rules_suffice() {
        assert_eq!(check_cors(&example(), Some("https://send.example.org")).verdict, Verdict::Ok);
        assert_eq!(check_cors(&example(), None).detail, "PUT and GET from https://send.example.org");
        let other = check_cors(&example(), Some("https://other.example.org"));
        assert_eq!(other.verdict, Verdict::Warning);
        assert!(other.detail.contains("no rule allows PUT from https://other.example.org"), "{}", other.detail);
    }

    #[test]
    fn missing_permissions_are_named() {
        assert!(check_cors(&[], None).detail.contains("no rule allows PUT from any origin"));
        let mut rules = example();
        rules[0].expose_headers = Some(vec!["ETag".to_owned()]);
        assert!(check_cors(&rules, None).detail.contains("GET must expose content-length, content-range"));
        rules[0].allowed_headers = Some(vec!["Range".to_owned()]);
        assert!(check_cors(&rules, None).detail.contains("PUT requires the headers content-type, if-none-match"));
    }

    #[test]
    fn one_star_matches_any_text() {
        assert!(covers("*", "https://a.example") && covers("https://*.example", "https://a.b.example"));
        assert!(covers("X-Amz-*", "x-amz-date") && covers("range", "Range"));
        assert!(!covers("https://*.example", "http://a.example") && !covers("aa*aa", "aaa") && !covers("a", "ab"));
    }
}
