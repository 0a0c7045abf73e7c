//! Key of the sender: the option `--sign`.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use directories::BaseDirs;
use ssh_key::private::PrivateKey;
use tokio::task::spawn_blocking;

use super::identity::read_private;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::client::upload::StatementSigner;
use crate::client::{AgentSigner, SshAgent};
use crate::domain::people::sender_signature::{InvalidSenderKey, SenderKey, sign_with_key};

/// Private key in a file that signs transfers.
struct FileSigner {
    private: PrivateKey,
    key: SenderKey,
}

impl StatementSigner for FileSigner {
    fn key(&self) -> &SenderKey {
        &self.key
    }

    fn sign(&self, statement: &[u8]) -> Result<String, String> {
        sign_with_key(&self.private, statement).map_err(|error| error.to_string())
    }
}

/// Returns the signer for `--sign[=KEY]`: a key file; or for a public key, or without one, the agent.
///
/// Without a value, the only Ed25519 key of the agent signs, else `~/.ssh/id_ed25519`.
pub(crate) async fn signer(value: Option<&Path>, context: &Context) -> Result<Arc<dyn StatementSigner>> {
    let agent = std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty());
    let agent = agent.map(|socket| SshAgent::at(Path::new(&socket)));
    let Some(path) = value else {
        if let Some(agent) = agent
            && let Some(signer) = only_key(agent).await?
        {
            return Ok(Arc::new(signer));
        }
        let default = BaseDirs::new().map(|dirs| dirs.home_dir().join(".ssh/id_ed25519")).filter(|file| file.exists());
        let path = default.ok_or_else(|| {
            let failure = Failure::usage(
                "no key to sign with: the agent has no ssh-ed25519 key, and ~/.ssh/id_ed25519 does not exist",
            );
            Failure { code: "signer_missing".into(), ..failure }
                .hint("name a key with --sign=FILE, or make one: ssh-keygen -t ed25519")
        })?;
        return from_file(&path, context).await;
    };
    let bytes = read_private(path)?;
    let public = std::str::from_utf8(&bytes).ok().filter(|text| !text.contains("PRIVATE KEY"));
    let Some(public) = public else { return from_file(path, context).await };
    let key: SenderKey = public.parse().map_err(|error| invalid(path, &error))?;
    let agent = agent.ok_or_else(|| {
        Failure::usage("--sign names a public key, and there is no agent: SSH_AUTH_SOCK is not set")
            .hint("name the private key, or start an agent")
    })?;
    let keys = keys_of(agent.clone()).await?;
    if !keys.contains(&key) {
        let failure = Failure::usage(format!("the agent does not have the key {}", key.fingerprint()));
        return Err(failure.hint("add the key with ssh-add").into());
    }
    Ok(Arc::new(AgentSigner::new(agent, key)))
}

/// Returns the only Ed25519 key of the agent; `None` if it has none, or cannot be reached.
async fn only_key(agent: SshAgent) -> Result<Option<AgentSigner>> {
    let Ok(mut keys) = keys_of(agent.clone()).await else { return Ok(None) };
    if keys.len() > 1 {
        let keys: Vec<_> = keys.iter().map(SenderKey::fingerprint).collect();
        let failure = Failure::usage(format!("the agent has several ssh-ed25519 keys: {}", keys.join(", ")));
        return Err(failure.hint("name the public key with --sign=FILE.pub").into());
    }
    Ok(keys.pop().map(|key| AgentSigner::new(agent, key)))
}

async fn keys_of(agent: SshAgent) -> Result<Vec<SenderKey>, Failure> {
    let keys = spawn_blocking(move || agent.keys()).await.expect("asking an agent does not panic");
    keys.map_err(|error| {
        Failure::new(Exit::LocalFile, "agent", format!("the SSH agent cannot be used: {error}"))
            .hint("check SSH_AUTH_SOCK, or name a private key with --sign=FILE")
    })
}

async fn from_file(path: &Path, context: &Context) -> Result<Arc<dyn StatementSigner>> {
    let bytes = read_private(path)?;
    let mut private = PrivateKey::from_openssh(&*bytes).map_err(|_| invalid(path, &InvalidSenderKey::Malformed))?;
    if private.is_encrypted() {
        let name = path.display();
        let asked = context.prompt.secret(&format!("Passphrase of {name}")).await?;
        let passphrase = asked.ok_or_else(|| {
            Failure::usage(format!("the private key {name} needs its passphrase"))
                .hint("run the command in a terminal, or add the key to an agent with ssh-add")
        })?;
        let decrypt = move || private.decrypt(passphrase.as_bytes());
        let decrypted = spawn_blocking(decrypt).await.expect("decrypting a key does not panic");
        private = decrypted.map_err(|_| {
            Failure::new(Exit::WrongKey, "invalid_identity", "the passphrase of the private key is wrong")
        })?;
    }
    let key = SenderKey::new(private.public_key().key_data()).map_err(|error| invalid(path, &error))?;
    Ok(Arc::new(FileSigner { private, key }))
}

fn invalid(path: &Path, error: &InvalidSenderKey) -> Failure {
    Failure { code: "invalid_signer".into(), ..Failure::usage(format!("{}: {error}", path.display())) }
        .hint("name an ssh-ed25519 key with --sign=FILE, or make one: ssh-keygen -t ed25519")
}
