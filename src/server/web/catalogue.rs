//! Texts of the pages in each language: `text/*.json`.
//!
//! A key names its group and text, such as `receive.download`. A text is a string, or an object with a string for each
//! plural category of the language (`Intl.PluralRules`). Scripts replace `{name}` by values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::asset::{Asset, asset};
use super::language::Language;

/// Text of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum PageText {
    /// One form.
    Plain(String),
    /// One form for each plural category, which a number selects.
    Plural(BTreeMap<String, String>),
}

/// All texts of a language by key.
#[derive(Debug)]
pub(super) struct Catalogue(BTreeMap<String, PageText>);

impl Catalogue {
    /// Returns the texts of a language. The tests read all of them.
    pub(super) fn of(language: Language) -> Self {
        const ENGLISH: Asset = asset!("text/en.json");
        const GERMAN: Asset = asset!("text/de.json");
        const FRENCH: Asset = asset!("text/fr.json");
        const SPANISH: Asset = asset!("text/es.json");
        const JAPANESE: Asset = asset!("text/ja.json");
        const ARABIC: Asset = asset!("text/ar.json");
        let texts = match language {
            Language::English => ENGLISH,
            Language::German => GERMAN,
            Language::French => FRENCH,
            Language::Spanish => SPANISH,
            Language::Japanese => JAPANESE,
            Language::Arabic => ARABIC,
        };
        Self(serde_json::from_str(texts.text()).expect("the tests read each catalogue"))
    }

    /// Returns the text of a key that has one form; `None` for other keys.
    pub(super) fn plain(&self, key: &str) -> Option<&str> {
        match self.0.get(key)? {
            PageText::Plain(text) => Some(text),
            PageText::Plural(_) => None,
        }
    }

    /// Returns the texts of these groups as JSON without `<`, so that it can stand in a `script` element.
    pub(super) fn json(&self, groups: &[&str]) -> String {
        let is_wanted = |key: &str| key.split_once('.').is_some_and(|(group, _)| groups.contains(&group));
        let wanted: BTreeMap<_, _> = self.0.iter().filter(|(key, _)| is_wanted(key)).collect();
        serde_json::to_string(&wanted).expect("texts are JSON").replace('<', "\\u003c")
    }
}
