//! Tink, the reference implementation of the encrypted format.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::rc::Rc;

use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::crypto::sealed::SEGMENT_SIZE;
use tink_core::StreamingAead;
use tink_streaming_aead::subtle::AesGcmHkdf;

fn cipher(key: &PayloadKey) -> AesGcmHkdf {
    AesGcmHkdf::new(key.as_bytes(), tink_proto::HashType::Sha256, 32, SEGMENT_SIZE, 0).unwrap()
}

/// A buffer that stays readable after Tink has consumed its writer.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Encrypts with Tink.
pub(crate) fn tink_seal(key: &PayloadKey, plaintext: &[u8]) -> Vec<u8> {
    let sealed = Shared::default();
    let mut writer = cipher(key).new_encrypting_writer(Box::new(sealed.clone()), b"sgsend/v1").unwrap();
    writer.write_all(plaintext).unwrap();
    writer.close().unwrap();
    sealed.0.take()
}

/// Decrypts with Tink.
pub(crate) fn tink_open(key: &PayloadKey, sealed: Vec<u8>) -> Vec<u8> {
    let mut plaintext = Vec::new();
    let source = Box::new(std::io::Cursor::new(sealed));
    cipher(key).new_decrypting_reader(source, b"sgsend/v1").unwrap().read_to_end(&mut plaintext).unwrap();
    plaintext
}
