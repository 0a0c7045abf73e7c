//! Whether web pages may reach the bucket: browsers ask it before they use a URL of it.

use aws_sdk_s3::types::CorsRule;

use super::refusal::setting;
use crate::domain::base_url::BaseUrl;
use crate::domain::maintenance::finding::Finding;
use crate::server::store::s3::actions::GET_CORS;
use crate::server::store::s3::bucket::Bucket;

const NAME: &str = "cors";

/// What a page does with a URL.
struct Use {
    method: &'static str,
    /// What it sends beyond what every page may.
    headers: &'static [&'static str],
    /// What it must see of the answer.
    exposes: &'static [&'static str],
}

const USES: [Use; 2] = [
    Use { method: "PUT", headers: &["content-type", "if-none-match"], exposes: &["etag"] },
    Use { method: "GET", headers: &["range"], exposes: &["content-length", "content-range"] },
];

/// The rules let `page`, or at least some page, put and get.
pub(super) async fn examine(bucket: &Bucket, page: Option<&BaseUrl>) -> Finding {
    let asked = bucket.client.get_bucket_cors().bucket(&bucket.name).send().await;
    let rules = match setting(NAME, GET_CORS, Some("NoSuchCORSConfiguration"), asked) {
        Ok(found) => found.and_then(|found| found.cors_rules).unwrap_or_default(),
        Err(dark) => return dark,
    };
    judge(&rules, page.map(|page| page.join("/").origin().ascii_serialization()).as_deref())
}

fn judge(rules: &[CorsRule], page: Option<&str>) -> Finding {
    let missing: Vec<_> = USES.iter().filter_map(|needed| missing(rules, needed, page)).collect();
    if missing.is_empty() {
        let from = page.map_or_else(|| origins(rules), str::to_owned);
        return Finding::ok(NAME, format!("PUT and GET from {from}"));
    }
    let detail = format!("web pages cannot use presigned URLs: {}", missing.join("; "));
    let hint = "aws s3api put-bucket-cors with examples/aws/cors.json and the page's origin; sgsend itself needs none";
    Finding::warning(NAME, detail, hint)
}

/// What keeps `page` from this use; `None` where nothing does.
fn missing(rules: &[CorsRule], needed: &Use, page: Option<&str>) -> Option<String> {
    let Use { method, headers, exposes } = needed;
    let fits = |rule: &&CorsRule| {
        let from = rule.allowed_origins().iter().any(|origin| page.is_none_or(|page| covers(origin, page)));
        from && rule.allowed_methods().iter().any(|allowed| allowed == method)
    };
    let rules: Vec<_> = rules.iter().filter(fits).collect();
    let takes = |rule: &&&CorsRule| {
        headers.iter().all(|header| rule.allowed_headers().iter().any(|allowed| covers(allowed, header)))
    };
    let reveals = |rule: &&CorsRule| {
        exposes.iter().all(|header| rule.expose_headers().iter().any(|exposed| exposed.eq_ignore_ascii_case(header)))
    };
    if rules.is_empty() {
        return Some(format!("no rule allows {method} from {}", page.unwrap_or("anywhere")));
    }
    let mut rules = rules.iter().filter(takes).peekable();
    if rules.peek().is_none() {
        return Some(format!("{method} needs the headers {}", headers.join(", ")));
    }
    if rules.any(reveals) { None } else { Some(format!("{method} must expose {}", exposes.join(", "))) }
}

/// Whether a pattern with at most one `*` is for `text`.
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

    /// The rules of `examples/aws/cors.json`.
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
    fn the_example_is_enough() {
        assert_eq!(judge(&example(), Some("https://send.example.org")).verdict, Verdict::Ok);
        assert_eq!(judge(&example(), None).detail, "PUT and GET from https://send.example.org");
        let other = judge(&example(), Some("https://other.example.org"));
        assert_eq!(other.verdict, Verdict::Warning);
        assert!(other.detail.contains("no rule allows PUT from https://other.example.org"), "{}", other.detail);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(judge(&[], None).detail.contains("no rule allows PUT from anywhere"));
        let mut rules = example();
        rules[0].expose_headers = Some(vec!["ETag".to_owned()]);
        assert!(judge(&rules, None).detail.contains("GET must expose content-length, content-range"));
        rules[0].allowed_headers = Some(vec!["Range".to_owned()]);
        assert!(judge(&rules, None).detail.contains("PUT needs the headers content-type, if-none-match"));
    }

    #[test]
    fn one_star_stands_for_anything() {
        assert!(covers("*", "https://a.example") && covers("https://*.example", "https://a.b.example"));
        assert!(covers("X-Amz-*", "x-amz-date") && covers("range", "Range"));
        assert!(!covers("https://*.example", "http://a.example") && !covers("aa*aa", "aaa") && !covers("a", "ab"));
    }
}
