//! Branding of the pages: name, links, logo and colour of the operator.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use url::Url;

/// Colours behind text and controls in the light and the dark theme, as in `styles/base.css`.
const LIGHT_PANEL: Accent = Accent([0xff, 0xff, 0xff]);
const DARK_PANEL: Accent = Accent([0x1d, 0x21, 0x28]);
/// Least contrast of text. Source: WCAG 2.2, success criterion 1.4.3.
const MIN_CONTRAST: f64 = 4.5;
/// Maximum size of a logo in bytes.
pub const MAX_LOGO_BYTES: usize = 256 * 1024;

/// Operator's additions to the pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branding {
    /// Name of the service; `None` for `sgsend`.
    pub site_name: Option<String>,
    /// Page of the operator.
    pub site_url: Option<WebAddress>,
    /// Legal notice.
    pub imprint_url: Option<WebAddress>,
    /// Privacy policy.
    pub privacy_url: Option<WebAddress>,
    /// Contact for reports of abuse.
    pub abuse_contact: Option<ContactAddress>,
    /// Logo in place of the service's own.
    pub logo: Option<Logo>,
    /// Colour of buttons and links in the light theme.
    pub accent: Option<Accent>,
}

/// Absolute `https` or `http` URL of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress(Url);

/// E-mail address, or URL of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactAddress {
    /// URL of a page.
    Page(WebAddress),
    /// E-mail address.
    Mail(String),
}

/// Picture whose format the pages show: SVG, PNG, JPEG or WebP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    content: Bytes,
    media_type: &'static str,
}

/// Colour with enough contrast for text on it and in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accent([u8; 3]);

/// The value of a branding setting is refused.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum BrandingError {
    /// The URL is not `https` or `http`.
    #[error("not a complete https or http URL")]
    Address,
    /// The contact is neither a URL nor an e-mail address.
    #[error("neither an e-mail address nor an https URL")]
    Contact,
    /// The text is not a colour.
    #[error("not a colour such as #1d5fbf")]
    Colour,
    /// The colour is too pale for white text.
    #[error("too pale: white text on it has a contrast of {0:.1}:1, and 4.5:1 is the least; choose a darker colour")]
    Contrast(f64),
    /// The file is not a picture in a known format.
    #[error("not an SVG, PNG, JPEG or WebP picture")]
    Picture,
    /// The file is too large.
    #[error("larger than 256 KiB")]
    TooLarge,
}

impl WebAddress {
    /// Returns the URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for WebAddress {
    type Err = BrandingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| BrandingError::Address)?;
        let is_page = matches!(url.scheme(), "https" | "http") && url.username().is_empty() && url.password().is_none();
        if is_page { Ok(Self(url)) } else { Err(BrandingError::Address) }
    }
}

impl FromStr for ContactAddress {
    type Err = BrandingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(page) = text.parse() {
            return Ok(Self::Page(page));
        }
        // Only what needs no escaping in a `mailto:` URL.
        let is_plain =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c));
        let address = text.strip_prefix("mailto:").unwrap_or(text);
        let is_mail = address.split_once('@').is_some_and(|(local, host)| is_plain(local) && is_plain(host));
        if is_mail { Ok(Self::Mail(address.to_owned())) } else { Err(BrandingError::Contact) }
    }
}

impl fmt::Display for ContactAddress {
    /// Writes the URL of a link.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page(page) => formatter.write_str(page.as_str()),
            Self::Mail(address) => write!(formatter, "mailto:{address}"),
        }
    }
}

impl Logo {
    /// Checks the size and recognises the format from the first bytes.
    ///
    /// # Errors
    /// [`BrandingError::TooLarge`] and [`BrandingError::Picture`].
    pub fn new(content: Vec<u8>) -> Result<Self, BrandingError> {
        if content.len() > MAX_LOGO_BYTES {
            return Err(BrandingError::TooLarge);
        }
        let is_webp = content.starts_with(b"RIFF") && content.get(8..12) == Some(b"WEBP");
        let media_type = if content.starts_with(b"\x89PNG\r\n\x1a\n") {
            "image/png"
        } else if content.starts_with(b"\xff\xd8\xff") {
            "image/jpeg"
        } else if is_webp {
            "image/webp"
        } else if std::str::from_utf8(&content).is_ok_and(|text| text.contains("<svg")) {
            "image/svg+xml"
        } else {
            return Err(BrandingError::Picture);
        };
        Ok(Self { content: content.into(), media_type })
    }

    /// Returns the content.
    pub(super) fn content(&self) -> Bytes {
        self.content.clone()
    }

    /// Returns the media type.
    pub(super) const fn media_type(&self) -> &'static str {
        self.media_type
    }
}

impl FromStr for Accent {
    type Err = BrandingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii());
        let part = |at: usize| u8::from_str_radix(digits?.get(at..at + 2)?, 16).ok();
        let parts = (part(0), part(2), part(4));
        let (Some(red), Some(green), Some(blue)) = parts else { return Err(BrandingError::Colour) };
        let accent = Self([red, green, blue]);
        let contrast = accent.contrast(LIGHT_PANEL);
        if contrast < MIN_CONTRAST { Err(BrandingError::Contrast(contrast)) } else { Ok(accent) }
    }
}

impl fmt::Display for Accent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(formatter, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Accent {
    /// Returns the stylesheet that sets this colour in both themes.
    pub(super) fn stylesheet(self) -> String {
        format!(":root {{\n  --accent: light-dark({self}, {});\n}}\n", self.in_dark_theme())
    }

    /// Returns the colour mixed with as little white as the dark theme needs.
    fn in_dark_theme(self) -> Self {
        let mixed = |step: u16| {
            let lighter = |part: u8| (u16::from(part) + (255 - u16::from(part)) * step / 20).to_le_bytes()[0];
            Self(self.0.map(lighter))
        };
        (0..=20).map(mixed).find(|colour| colour.contrast(DARK_PANEL) >= MIN_CONTRAST + 1.0).unwrap_or(LIGHT_PANEL)
    }

    /// Returns the contrast ratio with another colour. Source: WCAG 2.2.
    fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let share = f64::from(part) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pale_colours_and_other_texts_are_refused() {
        for colour in ["#1d5fbf", "#000000", "#767676", "#B3261E"] {
            let accent: Accent = colour.parse().unwrap();
            assert!(accent.in_dark_theme().contrast(DARK_PANEL) >= MIN_CONTRAST, "{colour}");
        }
        let refusal = "#ffcc00".parse::<Accent>().unwrap_err().to_string();
        assert!(refusal.starts_with("too pale: white text on it has a contrast of 1.5:1"), "{refusal}");
        for text in ["", "#fff", "blue", "#12345g", "1d5fbf", "#1d5fbf00", "#é1234"] {
            assert_eq!(text.parse::<Accent>(), Err(BrandingError::Colour), "{text}");
        }
        let stylesheet = "#1d5fbf".parse::<Accent>().unwrap().stylesheet();
        assert!(stylesheet.contains("light-dark(#1d5fbf, #"), "{stylesheet}");
    }

    #[test]
    fn links_lead_to_pages_and_mailboxes_only() {
        for text in ["javascript:alert(1)", "data:text/html,x", "example.org", "https://user@example.org", "/imprint"] {
            assert!(text.parse::<WebAddress>().is_err() && text.parse::<ContactAddress>().is_err(), "{text}");
        }
        let contact = |text: &str| text.parse::<ContactAddress>().map(|contact| contact.to_string());
        assert_eq!(contact("abuse@example.org").unwrap(), "mailto:abuse@example.org");
        assert_eq!(contact("https://example.org/abuse").unwrap(), "https://example.org/abuse");
        for text in ["abuse", "@example.org", "a b@example.org", "a@example.org?cc=b", "a@b@c"] {
            assert_eq!(contact(text), Err(BrandingError::Contact), "{text}");
        }
    }

    #[test]
    fn logos_are_pictures_of_limited_size() {
        let media_type = |content: &[u8]| Logo::new(content.to_vec()).map(|logo| logo.media_type());
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n..."), Ok("image/png"));
        assert_eq!(media_type(b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>"), Ok("image/svg+xml"));
        assert_eq!(media_type(b"RIFF....WEBP"), Ok("image/webp"));
        assert_eq!(media_type(b"<html>"), Err(BrandingError::Picture));
        assert_eq!(media_type(&vec![0; MAX_LOGO_BYTES + 1]), Err(BrandingError::TooLarge));
    }
}
