//! What credentials must be allowed, in the words of AWS.
//!
//! `examples/aws` grants these and nothing else.

/// Opening, reading and measuring objects; conditional writes read too.
pub(super) const GET: &str = "s3:GetObject";
/// Writing objects, whole or in parts.
pub(super) const PUT: &str = "s3:PutObject";
/// Removing objects, one or many.
pub(super) const DELETE: &str = "s3:DeleteObject";
/// Listing objects, and learning that one is not there.
pub(super) const LIST: &str = "s3:ListBucket";
/// Listing the parts of an upload.
pub(super) const LIST_PARTS: &str = "s3:ListMultipartUploadParts";
/// Taking an upload back.
pub(super) const ABORT: &str = "s3:AbortMultipartUpload";
/// Listing uploads that were begun and not ended.
pub(super) const LIST_UPLOADS: &str = "s3:ListBucketMultipartUploads";

/// Learning which web pages may use the bucket.
pub(super) const GET_CORS: &str = "s3:GetBucketCORS";
/// Learning whether the bucket may be made public.
pub(super) const GET_ACCESS_BLOCK: &str = "s3:GetBucketPublicAccessBlock";
/// Learning whether its policy makes it public.
pub(super) const GET_POLICY_STATUS: &str = "s3:GetBucketPolicyStatus";
/// Learning whether its access control list does.
pub(super) const GET_ACL: &str = "s3:GetBucketAcl";
/// Learning whether removed objects live on.
pub(super) const GET_VERSIONING: &str = "s3:GetBucketVersioning";
/// Learning whether objects can be removed.
pub(super) const GET_OBJECT_LOCK: &str = "s3:GetBucketObjectLockConfiguration";
/// Learning whether the provider logs requests.
pub(super) const GET_LOGGING: &str = "s3:GetBucketLogging";
/// Learning what the provider removes by itself.
pub(super) const GET_LIFECYCLE: &str = "s3:GetLifecycleConfiguration";
/// Learning whether the provider encrypts.
pub(super) const GET_ENCRYPTION: &str = "s3:GetEncryptionConfiguration";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    /// A file of `examples/aws`.
    fn example(name: &str) -> Value {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/aws").join(name);
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    /// The actions that a policy allows, each with what it allows it on.
    fn allowed(policy: &str) -> BTreeSet<(String, String)> {
        let policy = example(policy);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let statements = policy["Statement"].as_array().unwrap().iter();
        let pairs = statements.flat_map(|statement| {
            assert_eq!(statement["Effect"], "Allow");
            let actions = statement["Action"].as_array().unwrap().iter();
            actions.map(|action| (text(action), text(&statement["Resource"]))).collect::<Vec<_>>()
        });
        pairs.collect()
    }

    fn on(resource: &str, actions: &[&str]) -> BTreeSet<(String, String)> {
        actions.iter().map(|action| ((*action).to_owned(), resource.to_owned())).collect()
    }

    #[test]
    fn the_example_policy_allows_what_is_used() {
        let objects = on("arn:aws:s3:::BUCKET/PREFIX/*", &[GET, PUT, DELETE, LIST_PARTS, ABORT]);
        let bucket = on("arn:aws:s3:::BUCKET", &[LIST, LIST_UPLOADS]);
        assert_eq!(allowed("iam-policy.json"), &objects | &bucket);
        let settings = [
            GET_CORS,
            GET_ACCESS_BLOCK,
            GET_POLICY_STATUS,
            GET_ACL,
            GET_VERSIONING,
            GET_OBJECT_LOCK,
            GET_LOGGING,
            GET_LIFECYCLE,
            GET_ENCRYPTION,
        ];
        assert_eq!(allowed("iam-policy-doctor.json"), on("arn:aws:s3:::BUCKET", &settings));
    }

    #[test]
    fn the_example_lifecycle_ends_uploads_only() {
        let lifecycle = example("lifecycle.json");
        let rule = &lifecycle["Rules"][0];
        assert_eq!(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"], 7);
        assert_eq!(lifecycle["Rules"].as_array().unwrap().len(), 1);
        assert!(rule.get("Expiration").is_none());
    }
}
