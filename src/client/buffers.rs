//! Buffers that are used again and again: without them the memory of a transfer is what the allocator makes of it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

/// The most buffers that wait for their next use.
const SPARE: usize = 6;

/// Gives out buffers of one size, and takes them back once their bytes are no longer needed.
#[derive(Clone)]
pub(super) struct Buffers {
    size: usize,
    spare: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Buffers {
    /// Buffers with room for `size` bytes.
    pub(super) fn of(size: usize) -> Self {
        Self { size, spare: Arc::default() }
    }

    /// An empty buffer.
    pub(super) fn take(&self) -> Vec<u8> {
        let spare = self.spare.lock().expect("nothing panics while it holds this lock").pop();
        spare.unwrap_or_else(|| Vec::with_capacity(self.size))
    }

    /// The bytes of a finished buffer, which comes back here when the last of them is dropped.
    pub(super) fn freeze(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { buffer, home: self.clone() })
    }
}

struct Lent {
    buffer: Vec<u8>,
    home: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut spare = self.home.spare.lock().expect("nothing panics while it holds this lock");
        // One that has grown is not kept.
        if spare.len() < SPARE && self.buffer.capacity() == self.home.size {
            self.buffer.clear();
            spare.push(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_last_byte_is_gone() {
        let buffers = Buffers::of(1_000);
        let mut buffer = buffers.take();
        buffer.extend_from_slice(b"content");
        let address = buffer.as_ptr();
        let mut bytes = buffers.freeze(buffer);
        let rest = bytes.split_off(3);
        drop(bytes);
        let other = buffers.take();
        assert_ne!(other.as_ptr(), address);
        drop(rest);
        let again = buffers.take();
        assert_eq!((again.as_ptr(), again.len()), (address, 0));
    }

    #[test]
    fn a_buffer_that_has_grown_does_not_come_back() {
        let buffers = Buffers::of(4);
        let mut buffer = buffers.take();
        buffer.extend_from_slice(b"longer than four");
        drop(buffers.freeze(buffer));
        assert_eq!(buffers.take().capacity(), 4);
    }
}
