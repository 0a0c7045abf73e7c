//! People as recipients and senders: keys that open a transfer, and signatures of its sender.

pub mod recipient_keys;
pub mod sender_signature;
