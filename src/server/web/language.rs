//! Languages of the pages, and the choice of one for a request.

use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, COOKIE};

/// Cookie with the language that a user has chosen on a page.
const COOKIE_NAME: &str = "sgsend-language";

/// Language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Language {
    English,
    German,
    French,
    Spanish,
    Japanese,
    Arabic,
}

impl Language {
    /// All languages, in the order of the switch.
    pub(super) const EACH: [Self; 6] =
        [Self::English, Self::German, Self::French, Self::Spanish, Self::Japanese, Self::Arabic];

    /// Returns the language tag (BCP 47).
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Japanese => "ja",
            Self::Arabic => "ar",
        }
    }

    /// Returns the language's name in itself.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
            Self::French => "Français",
            Self::Spanish => "Español",
            Self::Japanese => "日本語",
            Self::Arabic => "العربية",
        }
    }

    /// Returns the writing direction, as in the attribute `dir`.
    pub(super) const fn direction(self) -> &'static str {
        match self {
            Self::Arabic => "rtl",
            _ => "ltr",
        }
    }

    /// Returns the language for a request: the chosen one, or the best of `Accept-Language`, or English.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self::chosen(headers).or_else(|| Self::accepted(headers)).unwrap_or(Self::English)
    }

    fn chosen(headers: &HeaderMap) -> Option<Self> {
        let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find_map(|(name, value)| if name == COOKIE_NAME { Self::tagged(value) } else { None })
    }

    /// Returns the known language with the greatest weight; of several, the first.
    fn accepted(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(ACCEPT_LANGUAGE).into_iter().filter_map(|value| value.to_str().ok());
        let mut best: Option<(Self, f32)> = None;
        for range in values.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let language = parts.next().and_then(Self::tagged);
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            if let Some(language) = language
                && weight > best.map_or(0.0, |(_, weight)| weight)
            {
                best = Some((language, weight));
            }
        }
        best.map(|(language, _)| language)
    }

    /// Returns the language of a tag such as `de-AT`.
    fn tagged(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or(tag);
        Self::EACH.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_chosen_or_the_best_accepted_language() {
        for (accepted, cookie, language) in [
            ("", "", Language::English),
            ("de", "", Language::German),
            ("de-AT,de;q=0.9,en;q=0.8", "", Language::German),
            ("it,pt;q=0.9", "", Language::English),
            ("it, fr;q=0.5, ES;q=0.7", "", Language::Spanish),
            ("ja;q=0, en;q=0.1", "", Language::English),
            ("de;q=wrong, fr;q=0.9", "", Language::German),
            ("den", "", Language::English),
            ("de", "a=b; sgsend-language=ar", Language::Arabic),
            ("de", "sgsend-language=xx", Language::German),
            ("de", "other-sgsend-language=ar", Language::German),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, accepted.parse().unwrap());
            headers.insert(COOKIE, cookie.parse().unwrap());
            assert_eq!(Language::of(&headers), language, "{accepted:?}, {cookie:?}");
        }
        assert_eq!(Language::of(&HeaderMap::new()), Language::English);
    }
}
