//! IAM actions that the credentials need, by their AWS names.
//!
//! The policies in `examples/aws` grant these actions and no others.

/// Read objects and their lengths; conditional writes need it, too.
pub(super) const GET: &str = "s3:GetObject";
/// Write objects, whole or in parts.
pub(super) const PUT: &str = "s3:PutObject";
/// Delete objects, one or many per request.
pub(super) const DELETE: &str = "s3:DeleteObject";
/// List objects. Without it AWS responds 403 instead of 404 for a missing object.
pub(super) const LIST: &str = "s3:ListBucket";
/// List the parts of a multipart upload.
pub(super) const LIST_PARTS: &str = "s3:ListMultipartUploadParts";
/// Abort a multipart upload.
pub(super) const ABORT: &str = "s3:AbortMultipartUpload";
/// List unfinished multipart uploads.
pub(super) const LIST_UPLOADS: &str = "s3:ListBucketMultipartUploads";

/// Read the CORS rules.
pub(super) const GET_CORS: &str = "s3:GetBucketCORS";
/// Read the public access block.
pub(super) const GET_ACCESS_BLOCK: &str = "s3:GetBucketPublicAccessBlock";
/// Read whether the bucket policy makes the bucket public.
pub(super) const GET_POLICY_STATUS: &str = "s3:GetBucketPolicyStatus";
/// Read the access control list of the bucket.
pub(super) const GET_ACL: &str = "s3:GetBucketAcl";
/// Read the versioning state: whether deleted objects survive as versions.
pub(super) const GET_VERSIONING: &str = "s3:GetBucketVersioning";
/// Read the object lock configuration: whether objects can be deleted.
pub(super) const GET_OBJECT_LOCK: &str = "s3:GetBucketObjectLockConfiguration";
/// Read the access log configuration.
pub(super) const GET_LOGGING: &str = "s3:GetBucketLogging";
/// Read the lifecycle rules: what the provider deletes on its own.
pub(super) const GET_LIFECYCLE: &str = "s3:GetLifecycleConfiguration";
/// Read the server-side encryption configuration.
pub(super) const GET_ENCRYPTION: &str = "s3:GetEncryptionConfiguration";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    /// Reads a JSON file of `examples/aws`.
    fn example(name: &str) -> Value {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/aws").join(name);
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    /// Returns the allowed actions of a policy, each with its resource.
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
    fn the_example_policies_allow_exactly_the_used_actions() {
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
    fn the_example_lifecycle_only_aborts_unfinished_uploads() {
        let lifecycle = example("lifecycle.json");
        let rule = &lifecycle["Rules"][0];
        assert_eq!(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"], 7);
        assert_eq!(lifecycle["Rules"].as_array().unwrap().len(), 1);
        assert!(rule.get("Expiration").is_none());
    }
}
