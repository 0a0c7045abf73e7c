//! Buffers for segments, used again and again: without them the memory of a transfer is what the allocator makes of it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::domain::sealed::{Sealer, header_room};

/// The most buffers that wait for their next use.
const SPARE: usize = 4;

/// Gives out buffers that segments are built in, and takes them back once their bytes are sent.
#[derive(Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// A buffer as [`Sealer::buffer`] makes it.
    pub(super) fn take(&self, index: u32) -> Vec<u8> {
        let spare = self.0.lock().expect("nothing panics while it holds this lock").pop();
        let Some(mut buffer) = spare else { return Sealer::buffer(index) };
        buffer.clear();
        buffer.resize(header_room(index), 0);
        buffer
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
        let mut spare = self.home.0.lock().expect("nothing panics while it holds this lock");
        if spare.len() < SPARE {
            spare.push(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_last_byte_is_gone() {
        let buffers = Buffers::default();
        let mut buffer = buffers.take(1);
        buffer.extend_from_slice(b"content");
        let address = buffer.as_ptr();
        let mut bytes = buffers.freeze(buffer);
        let rest = bytes.split_off(3);
        drop(bytes);
        let other = buffers.take(1);
        assert_ne!(other.as_ptr(), address);
        drop(rest);
        let again = buffers.take(0);
        assert_eq!((again.as_ptr(), again.len()), (address, header_room(0)));
    }
}
