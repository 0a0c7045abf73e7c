//! Uploads in progress.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{Api, Started, eventually};

fn upload_path(id: &str) -> String {
    format!("/transfers/id/{id}/payload/upload-bytes")
}

/// Sends the head of an upload and a part of its body; the caller keeps the connection open.
pub(crate) async fn start_partial_upload(
    service: &Started,
    sender: &Api,
    id: &str,
    declared: usize,
    body: &[u8],
) -> TcpStream {
    let mut stream = TcpStream::connect(service.public).await.unwrap();
    let token = sender.authorization();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\ncontent-length: {declared}\r\n\r\n",
        upload_path(id)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream
}

/// Waits until the writer holds the upload lease. The service then rejects requests before it checks their offset.
pub(crate) async fn wait_for_writer(sender: &Api, id: &str) {
    eventually(|| async {
        let other = sender.post(&format!("{}?offset=9", upload_path(id))).bytes(b"x").send().await;
        (other.code() == "upload_in_progress").then_some(())
    })
    .await;
}
