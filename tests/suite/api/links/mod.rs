//! Further links of a transfer, over HTTP.

mod exactness;
mod redaction;
mod routes;

use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::crypto::link_text::{SEALED_LABEL_BYTES, SealedLabel, WRAPPED_KEY_BYTES, WrappedKey};
use sgsend::domain::crypto::proof::{AccessProof, Grant};
use sgsend::domain::crypto::random;
use sgsend::domain::id::LinkId;

use crate::support::{Api, ApiResponse, Request};

/// Further link with what its recipients and its sender know.
pub(crate) struct TestLink {
    pub(crate) id: String,
    pub(crate) proof: AccessProof,
    pub(crate) body: String,
}

impl TestLink {
    /// Makes a link that does not exist yet; `members` are additional JSON members.
    pub(crate) fn new(members: &str) -> Self {
        let (id, proof) = (LinkId::random().to_string(), AccessProof::of(&PayloadKey::random()));
        let wrapped = String::from(WrappedKey::from_bytes(&random::bytes::<WRAPPED_KEY_BYTES>()));
        let label = String::from(SealedLabel::from_bytes(&random::bytes::<SEALED_LABEL_BYTES>()));
        let comma = if members.is_empty() { "" } else { "," };
        let body = format!(
            r#"{{"link_id":"{id}","wrapped_key":"{wrapped}","label":"{label}","access_sha256":"{}","access_from_passphrase":false{comma}{members}}}"#,
            proof.digest()
        );
        Self { id, proof, body }
    }

    /// Creates a link of a transfer.
    pub(crate) async fn of(sender: &Api, transfer: &str, members: &str) -> Self {
        let link = Self::new(members);
        let created = sender.post(&format!("/transfers/id/{transfer}/links/create")).json(&link.body).send().await;
        assert_eq!(created.status, 201, "{created:?}");
        link
    }

    fn path(&self, rest: &str) -> String {
        format!("/transfers/id/{}/{rest}", self.id)
    }

    /// Adds the access proof to a request.
    fn prove(&self, request: Request) -> Request {
        request.header("x-sgsend-access", &self.proof.to_text())
    }

    async fn status(&self, anyone: &Api) -> ApiResponse {
        self.prove(anyone.get(&self.path("status"))).send().await
    }

    /// Asks for a download under a grant.
    async fn grant(&self, anyone: &Api, grant: &Grant) -> ApiResponse {
        let body = format!(r#"{{"grant":"{}"}}"#, *grant.to_text());
        self.prove(anyone.post(&self.path("download/create-presign-url"))).json(&body).send().await
    }

    /// Changes the link, as the sender of its transfer.
    async fn change(&self, sender: &Api, transfer: &str, verb: &str, body: &str) -> ApiResponse {
        sender.post(&format!("/transfers/id/{transfer}/links/id/{}/{verb}", self.id)).json(body).send().await
    }
}

/// Returns the links of a transfer as its sender sees them.
async fn links_of(sender: &Api, transfer: &str) -> Vec<serde_json::Value> {
    let listed = sender.post(&format!("/transfers/id/{transfer}/links/list")).json("{}").send().await;
    assert_eq!(listed.status, 200, "{listed:?}");
    listed.items()
}
