//! Options of `sgsend serve` for the branding of the pages.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::failure::Failure;
use crate::server::{Accent, Branding, ContactAddress, Logo, MAX_LOGO_BYTES, Settings, WebAddress};

/// Options for the branding of the pages.
#[derive(Args)]
#[command(next_help_heading = "Page options")]
pub(super) struct BrandingArguments {
    /// Name of the service on its pages [default: sgsend]
    #[arg(long, env = "SGSEND_SITE_NAME", value_name = "NAME", value_parser = site_name)]
    site_name: Option<String>,
    /// URL behind the name at the top of the pages [default: the send page]
    #[arg(long, env = "SGSEND_SITE_URL", value_name = "URL")]
    site_url: Option<WebAddress>,
    /// URL of the legal notice, linked at the bottom of the pages
    #[arg(long, env = "SGSEND_IMPRINT_URL", value_name = "URL")]
    imprint_url: Option<WebAddress>,
    /// URL of the privacy policy, linked at the bottom of the pages
    #[arg(long, env = "SGSEND_PRIVACY_URL", value_name = "URL")]
    privacy_url: Option<WebAddress>,
    /// E-mail address or URL for reports of abuse, linked at the bottom of the pages
    #[arg(long, env = "SGSEND_ABUSE_CONTACT", value_name = "ADDRESS")]
    abuse_contact: Option<ContactAddress>,
    /// Logo at the top of the pages: SVG, PNG, JPEG or WebP, at most 256 KiB
    #[arg(long, env = "SGSEND_SITE_LOGO", value_name = "FILE")]
    site_logo: Option<PathBuf>,
    /// Colour of buttons and links, such as #1d5fbf; the dark theme lightens it
    #[arg(long, env = "SGSEND_ACCENT", value_name = "COLOUR")]
    accent: Option<Accent>,
}

impl BrandingArguments {
    /// Sets the part of the settings that these options determine.
    ///
    /// # Errors
    /// A failure if the logo cannot be used.
    pub(super) fn apply(&self, settings: &mut Settings) -> Result<(), Failure> {
        settings.branding = Branding {
            site_name: self.site_name.clone(),
            site_url: self.site_url.clone(),
            imprint_url: self.imprint_url.clone(),
            privacy_url: self.privacy_url.clone(),
            abuse_contact: self.abuse_contact.clone(),
            logo: self.site_logo.as_deref().map(logo).transpose()?,
            accent: self.accent,
        };
        Ok(())
    }
}

/// Reads a logo.
fn logo(path: &Path) -> Result<Logo, Failure> {
    let unusable = |reason: String| Failure::usage(format!("--site-logo {}: {reason}", path.display()));
    let mut content = Vec::new();
    let limit = MAX_LOGO_BYTES as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut content));
    read.map_err(|error| unusable(error.to_string()))?;
    Logo::new(content).map_err(|error| unusable(error.to_string()))
}

/// Parses the name of a service: 1 to 60 characters, none of them a control character.
fn site_name(text: &str) -> Result<String, &'static str> {
    let name = text.trim();
    let is_name = (1..=60).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if is_name { Ok(name.to_owned()) } else { Err("a name has 1 to 60 characters") }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::server::StorageLocation;

    #[derive(Parser)]
    struct BrandingCommand {
        #[command(flatten)]
        branding: BrandingArguments,
    }

    fn settings(arguments: &[&str]) -> Result<Settings, String> {
        let command = BrandingCommand::try_parse_from([&["serve"], arguments].concat());
        let mut settings = Settings::new(StorageLocation::Memory);
        let command = command.map_err(|error| error.to_string())?;
        command.branding.apply(&mut settings).map_err(|failure| failure.message)?;
        Ok(settings)
    }

    #[test]
    fn branding_is_empty_by_default() {
        assert_eq!(settings(&[]).unwrap().branding, Branding::default());
    }

    #[test]
    fn refused_values_say_why() {
        for (arguments, reason) in [
            (["--accent", "#ffcc00"], "too pale: white text on it has a contrast of 1.5:1"),
            (["--accent", "red"], "not a colour such as #1d5fbf"),
            (["--site-name", " "], "a name has 1 to 60 characters"),
            (["--imprint-url", "javascript:alert(1)"], "not a complete https or http URL"),
            (["--abuse-contact", "nobody"], "neither an e-mail address nor an https URL"),
            (["--site-logo", "/nowhere/logo.svg"], "--site-logo /nowhere/logo.svg: No such file"),
            (["--site-logo", "Cargo.toml"], "--site-logo Cargo.toml: not an SVG, PNG, JPEG or WebP picture"),
        ] {
            let refusal = settings(&arguments).err().unwrap_or_default();
            assert!(refusal.contains(reason), "{arguments:?}: {refusal}");
        }
    }

    #[test]
    fn accepted_values_reach_the_settings() {
        let icon = "src/server/web/icon.svg";
        let given = ["--site-name", "Files of Ada", "--accent", "#0b6b3a", "--site-logo", icon];
        let branding = settings(&given).unwrap().branding;
        assert_eq!(branding.site_name.as_deref(), Some("Files of Ada"));
        assert!(branding.logo.is_some() && branding.accent.is_some());
    }
}
