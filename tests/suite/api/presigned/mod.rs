//! Presigned flow. Payloads go directly between client and store by signed requests, with the service as fallback.

mod flows;
mod parts;
mod state;
mod urls;

use serde_json::Value;

use crate::support::{Api, ApiResponse, Started};

const MIB: usize = 1 << 20;

/// Response of the store to a signed request.
struct Stored {
    status: u16,
    body: bytes::Bytes,
}

async fn send(request: reqwest::RequestBuilder) -> Stored {
    let response = request.send().await.unwrap();
    Stored { status: response.status().as_u16(), body: response.bytes().await.unwrap() }
}

/// Builds the signed request that a response describes.
fn signed(described: &Value) -> reqwest::RequestBuilder {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let method = described["method"].as_str().unwrap().parse().unwrap();
    let mut request = client.request(method, described["url"].as_str().unwrap());
    for (name, value) in described["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap());
    }
    request
}

async fn put(described: &Value, body: &[u8]) -> u16 {
    send(signed(described).body(body.to_vec())).await.status
}

fn path(id: &str, verb: &str) -> String {
    format!("/transfers/id/{id}/{verb}")
}

async fn created(sender: &Api, size: usize, members: &str) -> (String, Value) {
    let created = sender.post("/transfers/create").json(&format!(r#"{{"size_bytes":{size}{members}}}"#)).send().await;
    assert_eq!(created.status, 201, "{created:?}");
    (created.text("transfer_id"), created.json()["upload"].clone())
}

async fn complete(sender: &Api, id: &str) -> ApiResponse {
    sender.post(&path(id, "upload/complete")).send().await
}

async fn granted(anyone: &Api, id: &str) -> ApiResponse {
    anyone.post(&path(id, "download/create-presign-url")).send().await
}

/// Downloads the payload like a recipient.
async fn download_payload(service: &Started, id: &str) -> bytes::Bytes {
    let granted = granted(&service.public(), id).await;
    assert_eq!((granted.status, granted.text("mode").as_str()), (200, "presigned"));
    let stored = send(signed(&granted.json())).await;
    assert_eq!(stored.status, 200);
    stored.body
}

fn payload(size: usize) -> Vec<u8> {
    (0..size).map(|at| at.wrapping_mul(0x9e37_79b9).to_be_bytes()[5]).collect()
}
