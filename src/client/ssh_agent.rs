//! Client of an SSH agent: lists its Ed25519 keys, and has it sign.
//!
//! Two messages of the protocol (draft-ietf-sshm-ssh-agent) are enough.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use ssh_key::public::KeyData;
use ssh_key::{PublicKey, Signature};

use super::upload::StatementSigner;
use crate::domain::people::sender_signature::{SenderKey, sshsig_of, to_be_signed};

/// `SSH_AGENTC_REQUEST_IDENTITIES` and its response.
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES: u8 = 12;
/// `SSH_AGENTC_SIGN_REQUEST` and its response.
const SIGN_REQUEST: u8 = 13;
const SIGNATURE: u8 = 14;
/// Maximum length of a message of the agent, in bytes, as OpenSSH has it.
const MAX_MESSAGE_BYTES: u32 = 256 * 1024;

/// SSH agent at a socket.
#[derive(Clone, Debug)]
pub struct SshAgent {
    socket: PathBuf,
}

/// Key in an agent that signs transfers.
pub struct AgentSigner {
    agent: SshAgent,
    key: SenderKey,
}

impl SshAgent {
    /// Returns the agent that listens at `socket`, the value of `SSH_AUTH_SOCK`.
    #[must_use]
    pub fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Returns the Ed25519 keys of the agent. Blocks.
    ///
    /// # Errors
    /// Fails if the agent cannot be reached, or responds with something else.
    pub fn keys(&self) -> io::Result<Vec<SenderKey>> {
        let response = self.call(&[REQUEST_IDENTITIES], IDENTITIES)?;
        let mut reader = response.as_slice();
        let number = read_number(&mut reader)?;
        let mut keys = Vec::new();
        for _ in 0..number {
            let blob = read_string(&mut reader)?;
            let _comment = read_string(&mut reader)?;
            // Certificates and keys of other kinds do not parse, or cannot sign here.
            if let Ok(key) = PublicKey::from_bytes(blob)
                && let Ok(key) = SenderKey::new(key.key_data())
            {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    /// Has the agent sign `data`. Blocks, also while the agent asks its user.
    fn sign(&self, key: &KeyData, data: &[u8]) -> io::Result<Signature> {
        let blob = PublicKey::new(key.clone(), "").to_bytes().map_err(invalid)?;
        let mut message = vec![SIGN_REQUEST];
        write_string(&mut message, &blob)?;
        write_string(&mut message, data)?;
        message.extend_from_slice(&0_u32.to_be_bytes());
        let response = self.call(&message, SIGNATURE)?;
        Signature::try_from(read_string(&mut response.as_slice())?).map_err(invalid)
    }

    /// Sends a message; returns the body of the response, which must have the type `expected`.
    fn call(&self, message: &[u8], expected: u8) -> io::Result<Vec<u8>> {
        let mut socket = connect(&self.socket)?;
        let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        socket.write_all(&length.to_be_bytes())?;
        socket.write_all(message)?;
        let mut length = [0; 4];
        socket.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length == 0 || length > MAX_MESSAGE_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the agent's response has a wrong length"));
        }
        let mut response = vec![0; length as usize];
        socket.read_exact(&mut response)?;
        if response[0] != expected {
            return Err(io::Error::other("the agent refused"));
        }
        response.remove(0);
        Ok(response)
    }
}

/// Reads a number of 32 bits from the front of `bytes`.
fn read_number(bytes: &mut &[u8]) -> io::Result<u32> {
    let (number, rest) = bytes.split_first_chunk::<4>().ok_or(io::ErrorKind::UnexpectedEof)?;
    *bytes = rest;
    Ok(u32::from_be_bytes(*number))
}

/// Reads a string with its length from the front of `bytes`.
fn read_string<'a>(bytes: &mut &'a [u8]) -> io::Result<&'a [u8]> {
    let length = read_number(bytes)? as usize;
    let (string, rest) = bytes.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
    *bytes = rest;
    Ok(string)
}

/// Appends a string with its length to a message.
fn write_string(message: &mut Vec<u8>, string: &[u8]) -> io::Result<()> {
    let length = u32::try_from(string.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(string);
    Ok(())
}

#[cfg(unix)]
fn connect(socket: &Path) -> io::Result<std::os::unix::net::UnixStream> {
    std::os::unix::net::UnixStream::connect(socket)
}

#[cfg(not(unix))]
fn connect(_socket: &Path) -> io::Result<std::net::TcpStream> {
    Err(io::ErrorKind::Unsupported.into())
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl AgentSigner {
    /// Returns a signer with a key of `agent`.
    #[must_use]
    pub const fn new(agent: SshAgent, key: SenderKey) -> Self {
        Self { agent, key }
    }
}

impl StatementSigner for AgentSigner {
    fn key(&self) -> &SenderKey {
        &self.key
    }

    fn sign(&self, statement: &[u8]) -> Result<String, String> {
        let data = to_be_signed(statement).map_err(|error| error.to_string())?;
        let signature = self.agent.sign(self.key.as_key_data(), &data);
        let signature = signature.map_err(|error| format!("the agent did not sign: {error}"))?;
        sshsig_of(&self.key, signature).map_err(|error| error.to_string())
    }
}
