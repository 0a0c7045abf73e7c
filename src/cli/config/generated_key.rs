//! The admin key that a service has generated for this user, and the addresses that it is bound to.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use url::{Host, Url};

use super::paths;
use crate::domain::address::is_loopback;
use crate::domain::base_url::BaseUrl;

/// Maximum number of recorded origins; each start on another port adds one.
const MAX_ORIGINS: usize = 64;

/// The generated admin key of this user.
///
/// Commands send the key only to an address at which a service of this user has used it.
pub(crate) struct GeneratedKey {
    /// File with the key: one line, mode 0600.
    key: PathBuf,
    /// File with the origins, one per line, the latest last.
    origins: PathBuf,
}

impl GeneratedKey {
    /// Returns the user's key, which may not exist yet; `None` for a user without a home directory.
    pub(crate) fn of_user() -> Option<Self> {
        Some(Self { key: paths::admin_key_file()?, origins: paths::admin_key_origins_file()? })
    }

    /// Returns the path of the file with the key.
    pub(crate) fn file(&self) -> &Path {
        &self.key
    }

    /// Records that a service uses the key at `origin`, such as `http://127.0.0.1:8081`.
    pub(crate) fn record_origin(&self, origin: &str) -> io::Result<()> {
        // Concurrent starts must not lose an origin. The lock is on the key file, since each write replaces the other.
        let lock = File::open(&self.key)?;
        lock.lock()?;
        let mut origins = self.origins()?;
        if origins.last().is_some_and(|last| last == origin) {
            return Ok(());
        }
        origins.retain(|known| known != origin);
        origins.push(origin.to_owned());
        let kept = &origins[origins.len().saturating_sub(MAX_ORIGINS)..];
        // A temporary file has mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(self.origins.parent().unwrap_or(Path::new(".")))?;
        file.write_all((kept.join("\n") + "\n").as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.origins).map(drop).map_err(|error| error.error)
    }

    /// Returns the recorded loopback addresses that match `base_url`, the latest first.
    ///
    /// `localhost` stands for any loopback address on which such a service has listened at this port.
    pub(crate) fn addresses_at(&self, base_url: &BaseUrl) -> Vec<SocketAddr> {
        let url = base_url.join("/");
        if !base_url.is_loopback() || !self.key.exists() {
            return Vec::new();
        }
        let origins = self.origins().unwrap_or_default();
        let bound = origins.iter().rev().filter_map(|origin| Url::parse(origin).ok());
        let bound = bound.filter(|bound| {
            (bound.scheme(), bound.port_or_known_default()) == (url.scheme(), url.port_or_known_default())
                && (matches!(url.host(), Some(Host::Domain(_))) || bound.host() == url.host())
        });
        bound.filter_map(|bound| address(&bound)).filter(|address| is_loopback(address.ip())).collect()
    }

    /// Returns the recorded origins, the latest last.
    pub(crate) fn origins(&self) -> io::Result<Vec<String>> {
        match fs::read_to_string(&self.origins) {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// Returns the address in a URL; `None` for a host name.
fn address(url: &Url) -> Option<SocketAddr> {
    let ip = match url.host()? {
        Host::Ipv4(ip) => IpAddr::V4(ip),
        Host::Ipv6(ip) => IpAddr::V6(ip),
        Host::Domain(_) => return None,
    };
    Some(SocketAddr::new(ip, url.port_or_known_default()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_in(folder: &Path) -> GeneratedKey {
        let key = folder.join("admin-key");
        fs::write(&key, "k").unwrap();
        GeneratedKey { key, origins: folder.join("admin-key-origins") }
    }

    #[test]
    fn a_key_belongs_to_the_addresses_that_used_it() {
        let folder = tempfile::tempdir().unwrap();
        let key = key_in(folder.path());
        let addresses = |url: &str| -> Vec<String> {
            key.addresses_at(&url.parse().unwrap()).iter().map(ToString::to_string).collect()
        };
        assert_eq!(addresses("http://127.0.0.1:8081"), [""; 0]);
        for origin in ["http://127.0.0.1:8081", "http://[::1]:8081", "https://127.0.0.1:8443", "http://127.0.0.1"] {
            key.record_origin(origin).unwrap();
        }
        assert_eq!(addresses("http://127.0.0.1:8081/base"), ["127.0.0.1:8081"]);
        assert_eq!(addresses("http://[::1]:8081"), ["[::1]:8081"]);
        assert_eq!(addresses("http://localhost:8081"), ["[::1]:8081", "127.0.0.1:8081"]);
        assert_eq!(addresses("http://LOCALHOST.:8081").len(), 2);
        assert_eq!(addresses("https://localhost:8443"), ["127.0.0.1:8443"]);
        assert_eq!(addresses("http://127.0.0.1"), ["127.0.0.1:80"]);
        for other in [
            "http://127.0.0.1:8082",
            "https://127.0.0.1:8081",
            "http://127.0.0.2:8081",
            "http://[::ffff:127.0.0.1]:8081",
            "http://192.0.2.1:8081",
            "http://send.example:8081",
            "http://localhost.example:8081",
        ] {
            assert_eq!(addresses(other), [""; 0], "{other}");
        }
        key.record_origin("http://127.0.0.1:8081").unwrap();
        assert_eq!(addresses("http://localhost:8081"), ["127.0.0.1:8081", "[::1]:8081"], "the latest is not first");
    }

    #[test]
    fn a_bounded_number_of_origins_is_kept_privately() {
        let folder = tempfile::tempdir().unwrap();
        let key = key_in(folder.path());
        for port in 1000..1100 {
            key.record_origin(&format!("http://127.0.0.1:{port}")).unwrap();
        }
        let origins = key.origins().unwrap();
        assert_eq!((origins.len(), origins.last().unwrap().as_str()), (MAX_ORIGINS, "http://127.0.0.1:1099"));
        fs::write(&key.origins, "http://192.0.2.1:1\nhttp://localhost:1\nnonsense\n\n").unwrap();
        assert_eq!(key.addresses_at(&"http://localhost:1".parse().unwrap()), []);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            key.record_origin("http://127.0.0.1:1").unwrap();
            assert_eq!(fs::metadata(&key.origins).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
