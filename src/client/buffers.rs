//! Pool of reusable buffers: keeps the memory of a transfer constant, independently of the allocator.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

/// Maximum number of idle buffers in a pool.
const MAX_IDLE: usize = 6;

/// Pool of buffers of one size. A buffer returns to the pool when its last reference is dropped.
#[derive(Clone)]
pub(super) struct BufferPool {
    size: usize,
    idle: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl BufferPool {
    /// Creates a pool of buffers with a capacity of `size` bytes.
    pub(super) fn of(size: usize) -> Self {
        Self { size, idle: Arc::default() }
    }

    /// Takes an empty buffer from the pool, or allocates a new buffer.
    pub(super) fn take(&self) -> Vec<u8> {
        let idle = self.idle.lock().expect("no thread panics while holding this lock").pop();
        idle.unwrap_or_else(|| Vec::with_capacity(self.size))
    }

    /// Converts a filled buffer into `Bytes`. Dropping the last reference to them returns the buffer to the pool.
    pub(super) fn freeze(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(PooledBuffer { buffer, pool: self.clone() })
    }
}

struct PooledBuffer {
    buffer: Vec<u8>,
    pool: BufferPool,
}

impl AsRef<[u8]> for PooledBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        let mut idle = self.pool.idle.lock().expect("no thread panics while holding this lock");
        // A buffer that was reallocated to another capacity is not kept.
        if idle.len() < MAX_IDLE && self.buffer.capacity() == self.pool.size {
            self.buffer.clear();
            idle.push(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_returns_when_its_last_reference_is_dropped() {
        let buffers = BufferPool::of(1_000);
        let mut buffer = buffers.take();
        buffer.extend_from_slice(b"content");
        let address = buffer.as_ptr();
        let mut bytes = buffers.freeze(buffer);
        let rest = bytes.split_off(3);
        drop(bytes);
        let other = buffers.take();
        assert_ne!(other.as_ptr(), address);
        drop(rest);
        let second = buffers.take();
        assert_eq!((second.as_ptr(), second.len()), (address, 0));
    }

    #[test]
    fn a_buffer_that_has_grown_is_not_reused() {
        let buffers = BufferPool::of(4);
        let mut buffer = buffers.take();
        buffer.extend_from_slice(b"longer than four");
        drop(buffers.freeze(buffer));
        assert_eq!(buffers.take().capacity(), 4);
    }
}
