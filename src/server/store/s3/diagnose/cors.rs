//! Check of the CORS rules: browsers obey them before a page may use presigned URLs.

use aws_sdk_s3::types::CorsRule;

use super::failure::setting;
use crate::domain::base_url::BaseUrl;
use crate::domain::maintenance::finding::Finding;
use crate::server::store::s3::actions::GET_CORS;
use crate::server::store::s3::bucket::Bucket;

const NAME: &str = "cors";

/// Use of a presigned URL by a web page.
struct Use {
    method: &'static str,
    /// Request headers that need permission.
    headers: &'static [&'static str],
    /// Response headers that the page must be able to read.
    exposes: &'static [&'static str],
}

const USES: [Use; 2] = [
    Use { method: "PUT", headers: &["content-type", "if-none-match"], exposes: &["etag"] },
    Use { method: "GET", headers: &["range"], exposes: &["content-length", "content-range"] },
];

/// Checks that the CORS rules allow PUT and GET from `page`, or from any page if `None`.
pub(super) async fn examine(bucket: &Bucket, page: Option<&BaseUrl>) -> Finding {
    let response = bucket.client.get_bucket_cors().bucket(&bucket.name).send().await;
    let rules = match setting(NAME, GET_CORS, Some("NoSuchCORSConfiguration"), response) {
        Ok(found) => found.and_then(|found| found.cors_rules).unwrap_or_default(),
        Err(unreadable) => return unreadable,
    };
    check(&rules, page.map(|page| page.join("/").origin().ascii_serialization()).as_deref())
}

fn check(rules: &[CorsRule], page: Option<&str>) -> Finding {
    let missing: Vec<_> = USES.iter().filter_map(|needed| missing(rules, needed, page)).collect();
    if missing.is_empty() {
        let from = page.map_or_else(|| origins(rules), str::to_owned);
        return Finding::ok(NAME, format!("PUT and GET from {from}"));
    }
    let detail = format!("web pages cannot use presigned URLs: {}", missing.join("; "));
    let hint =
        "apply examples/aws/cors.json with the page's origin by aws s3api put-bucket-cors; the CLI needs no CORS";
    Finding::warning(NAME, detail, hint)
}

/// Describes what the rules lack for one use by `page`; `None` if they allow it.
fn missing(rules: &[CorsRule], needed: &Use, page: Option<&str>) -> Option<String> {
    let Use { method, headers, exposes } = needed;
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
        assert_eq!(check(&example(), Some("https://send.example.org")).verdict, Verdict::Ok);
        assert_eq!(check(&example(), None).detail, "PUT and GET from https://send.example.org");
        let other = check(&example(), Some("https://other.example.org"));
        assert_eq!(other.verdict, Verdict::Warning);
        assert!(other.detail.contains("no rule allows PUT from https://other.example.org"), "{}", other.detail);
    }

    #[test]
    fn missing_permissions_are_named() {
        assert!(check(&[], None).detail.contains("no rule allows PUT from any origin"));
        let mut rules = example();
        rules[0].expose_headers = Some(vec!["ETag".to_owned()]);
        assert!(check(&rules, None).detail.contains("GET must expose content-length, content-range"));
        rules[0].allowed_headers = Some(vec!["Range".to_owned()]);
        assert!(check(&rules, None).detail.contains("PUT requires the headers content-type, if-none-match"));
    }

    #[test]
    fn one_star_matches_any_text() {
        assert!(covers("*", "https://a.example") && covers("https://*.example", "https://a.b.example"));
        assert!(covers("X-Amz-*", "x-amz-date") && covers("range", "Range"));
        assert!(!covers("https://*.example", "http://a.example") && !covers("aa*aa", "aaa") && !covers("a", "ab"));
    }
}
