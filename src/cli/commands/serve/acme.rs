//! Options for certificates that the service obtains itself.

use std::path::{Path, PathBuf};

use clap::Args;
use url::Url;

use crate::cli::config::paths;
use crate::cli::failure::Failure;
use crate::domain::base_url::BaseUrl;
use crate::server::{AcmeDomain, AcmeSettings, LETS_ENCRYPT, Settings, StorageLocation};

/// Default listen address of the public service with `--acme-domain`: all addresses, IPv4 and IPv6.
pub(super) const ACME_LISTEN: &str = "[::]:443";
/// Folder of certificates in the folder of a store.
const CACHE_FOLDER: &str = "acme";

/// Options of certificates from an ACME server.
#[derive(Args)]
pub(super) struct AcmeOptions {
    /// Obtain and renew a TLS certificate for this domain by ACME, and listen on port 443; can be repeated
    ///
    /// With this option, you agree to the terms of service of the ACME server, by default Let's Encrypt. Its validation
    /// connects to port 443 of the domain. The first domain is the default of --public-url. The public service orders
    /// the certificate; an admin service with the same options uses it.
    #[arg(id = "acme_domain", long = "acme-domain", env = "SGSEND_ACME_DOMAIN", value_name = "DOMAIN", value_delimiter = ',', conflicts_with_all = ["tls_cert", "tls_key"])]
    domains: Vec<AcmeDomain>,
    /// Contact for the ACME server's notices, such as mailto:admin@example.org; can be repeated
    #[arg(id = "acme_contact", long = "acme-contact", env = "SGSEND_ACME_CONTACT", value_name = "URL", value_delimiter = ',', value_parser = contact, requires = "acme_domain")]
    contacts: Vec<String>,
    /// Directory URL of the ACME server; --ca-file adds CA certificates to trust for it
    #[arg(id = "acme_directory", long = "acme-directory", env = "SGSEND_ACME_DIRECTORY", value_name = "URL", default_value = LETS_ENCRYPT, value_parser = directory, requires = "acme_domain")]
    directory: Url,
    /// Folder of the ACME account and certificates [default: acme in the folder of the store]
    #[arg(
        id = "acme_cache",
        long = "acme-cache",
        env = "SGSEND_ACME_CACHE",
        value_name = "FOLDER",
        requires = "acme_domain"
    )]
    cache: Option<PathBuf>,
}

impl AcmeOptions {
    /// Adds the certificate to the settings, and the public URL unless there is one. `ca_file`: that of `--ca-file`.
    pub(super) fn apply(&self, settings: &mut Settings, ca_file: Option<&Path>) -> Result<(), Failure> {
        let Some(first) = self.domains.first() else { return Ok(()) };
        let mut domains = self.domains.clone();
        let mut unique = std::collections::HashSet::new();
        domains.retain(|domain| unique.insert(domain.clone()));
        if settings.public_url.is_none() {
            let url = Url::parse(&format!("https://{first}")).expect("a domain name is a host");
            settings.public_url = Some(BaseUrl::new(url).expect("an https URL without a path is a base URL"));
        }
        settings.acme = Some(AcmeSettings {
            domains,
            contact: self.contacts.clone(),
            directory: self.directory.clone(),
            cache: self.cache_folder(&settings.storage)?,
            extra_roots: ca_file.map(Path::to_owned),
        });
        Ok(())
    }

    fn cache_folder(&self, storage: &StorageLocation) -> Result<PathBuf, Failure> {
        let default = || match storage {
            StorageLocation::File(folder) => Some(folder.join(CACHE_FOLDER)),
            _ => paths::state_directory().map(|folder| folder.join(CACHE_FOLDER)),
        };
        self.cache.clone().or_else(default).ok_or_else(|| {
            Failure::usage("this user has no state directory for certificates").hint("name a folder with --acme-cache")
        })
    }
}

/// Parses `--acme-contact`; an address without a scheme is an email address.
fn contact(text: &str) -> Result<String, String> {
    let address = text.strip_prefix("mailto:").unwrap_or(text);
    match address.split_once('@') {
        Some((name, host)) if !name.is_empty() && !host.is_empty() && !address.contains([' ', '?', ':']) => {
            Ok(format!("mailto:{address}"))
        }
        _ => Err("expected an email address such as mailto:admin@example.org".to_owned()),
    }
}

/// Parses `--acme-directory`.
fn directory(text: &str) -> Result<Url, String> {
    let url = text.parse::<Url>().ok();
    url.filter(|url| url.scheme() == "https" && url.password().is_none() && url.username().is_empty())
        .ok_or_else(|| "expected an https URL such as https://acme.example.org/directory".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        acme: AcmeOptions,
        #[arg(long)]
        tls_cert: Option<PathBuf>,
        #[arg(long)]
        tls_key: Option<PathBuf>,
    }

    #[derive(Parser)]
    struct Serve {
        #[command(flatten)]
        arguments: super::super::Arguments,
    }

    #[test]
    fn the_public_service_listens_on_port_443_by_default() {
        let listens = |arguments: &[&str]| {
            let serve = Serve::parse_from([&["serve"], arguments].concat());
            let (addresses, _) = serve.arguments.services.split();
            addresses.into_iter().map(|(_, address)| address.to_string()).collect::<Vec<_>>()
        };
        let domain = ["--acme-domain", "a.example"];
        assert_eq!(listens(&[&["public"], &domain[..]].concat()), ["[::]:443"]);
        assert_eq!(listens(&[&["all"], &domain[..]].concat()), ["[::]:443", "127.0.0.1:8081"]);
        assert_eq!(listens(&[&["admin"], &domain[..]].concat()), ["127.0.0.1:8081"]);
        assert_eq!(listens(&[&["public", "--listen", "127.0.0.1:8443"], &domain[..]].concat()), ["127.0.0.1:8443"]);
        assert_eq!(listens(&["public"]), ["127.0.0.1:8080"]);
    }

    fn settings(arguments: &[&str]) -> Settings {
        let options = Options::parse_from(["serve"].iter().chain(arguments));
        let mut settings = Settings::new(StorageLocation::File("/store".into()));
        options.acme.apply(&mut settings, None).unwrap_or_else(|_| panic!("the options are valid"));
        settings
    }

    #[test]
    fn one_flag_is_enough() {
        let settings = settings(&["--acme-domain", "Send.example.org"]);
        assert_eq!(settings.public_url.unwrap().join("/").as_str(), "https://send.example.org/");
        let acme = settings.acme.unwrap();
        assert_eq!(acme.domains, ["send.example.org".parse().unwrap()]);
        assert_eq!(acme.directory.as_str(), LETS_ENCRYPT);
        assert_eq!((acme.cache, acme.contact, acme.extra_roots), ("/store/acme".into(), Vec::new(), None));
        assert!(self::settings(&[]).acme.is_none());
    }

    #[test]
    fn domains_and_contacts_can_be_lists() {
        let acme = settings(&[
            "--acme-domain",
            "a.example,b.example",
            "--acme-domain",
            "A.example",
            "--acme-contact",
            "x@b.example",
        ]);
        let acme = acme.acme.unwrap();
        assert_eq!(acme.domains.iter().map(AcmeDomain::as_str).collect::<Vec<_>>(), ["a.example", "b.example"]);
        assert_eq!(acme.contact, ["mailto:x@b.example"]);
    }

    #[test]
    fn invalid_options_are_rejected() {
        for wrong in [
            &["--acme-domain", "a.example", "--tls-cert", "cert.pem"][..],
            &["--acme-domain", "*.a.example"],
            &["--acme-domain", "192.0.2.1"],
            &["--acme-contact", "mailto:x@a.example"],
            &["--acme-cache", "folder"],
            &["--acme-directory", "https://acme.example"],
            &["--acme-domain", "a.example", "--acme-contact", "x"],
            &["--acme-domain", "a.example", "--acme-contact", "mailto:x@a.example?cc=y"],
            &["--acme-domain", "a.example", "--acme-directory", "http://acme.example"],
            &["--acme-domain", "a.example", "--acme-directory", "https://user:password@acme.example"],
        ] {
            assert!(Options::try_parse_from(["serve"].iter().chain(wrong)).is_err(), "{wrong:?}");
        }
    }
}
