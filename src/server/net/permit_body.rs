//! Response bodies that hold a permit until the connection has written their bytes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// A permit that several holders share; returned when the last of them drops it.
pub(crate) type BodyPermit = Arc<dyn Send + Sync>;

/// Wraps a body so that the body and each of its blocks hold `permit`.
///
/// A body ends when its last block is passed to the connection, which buffers the block for as long as the client does
/// not read it. The permit of a memory limit must last until then.
pub(crate) struct PermitBody {
    inner: Body,
    permit: BodyPermit,
}

/// A block of a body, with the permit.
struct Block {
    bytes: Bytes,
    _permit: BodyPermit,
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl PermitBody {
    pub(crate) fn new(inner: Body, permit: BodyPermit) -> Self {
        Self { inner, permit }
    }
}

impl http_body::Body for PermitBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        let permit = &self.permit;
        let with_permit = |bytes| Bytes::from_owner(Block { bytes, _permit: permit.clone() });
        polled.map_ok(|frame| frame.map_data(with_permit))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn the_permit_outlives_the_body_until_the_last_block_is_written() {
        let permit = Arc::new(());
        let mut body = PermitBody::new(Body::from("abc"), permit.clone());
        let block = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(body.frame().await.is_none());
        drop(body);
        assert_eq!((&block[..], Arc::strong_count(&permit)), (&b"abc"[..], 2));
        let rest = block.slice(1..);
        drop(block);
        assert_eq!(Arc::strong_count(&permit), 2, "a part of the block is still buffered");
        drop(rest);
        assert_eq!(Arc::strong_count(&permit), 1);
    }
}
