//! Checks the texts of the pages: all languages, no unused key, and well-formed plurals.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

/// Languages with their plural categories (Unicode CLDR).
const LANGUAGES: [(&str, &[&str]); 6] = [
    ("en", &["one", "other"]),
    ("de", &["one", "other"]),
    ("fr", &["many", "one", "other"]),
    ("es", &["many", "one", "other"]),
    ("ja", &["other"]),
    ("ar", &["few", "many", "one", "other", "two", "zero"]),
];
/// Maximum number of words in a sentence of a page.
const MAX_WORDS: usize = 18;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/web")
}

fn texts(language: &str) -> BTreeMap<String, Value> {
    let source = fs::read_to_string(folder().join(format!("text/{language}.json"))).unwrap();
    let texts: BTreeMap<String, Value> = serde_json::from_str(&source).unwrap();
    let sorted = serde_json::to_string_pretty(&texts).unwrap();
    assert_eq!(source.trim_end(), sorted, "{language}: keys are not sorted, or one is there twice");
    texts
}

/// Returns the forms of a text with their plural categories; a text of one form has no category.
fn forms(text: &Value) -> Vec<(Option<&str>, &str)> {
    match text {
        Value::String(text) => vec![(None, text)],
        Value::Object(forms) => {
            forms.iter().map(|(category, form)| (Some(category.as_str()), form.as_str().unwrap())).collect()
        }
        other => panic!("{other} is no text"),
    }
}

/// Returns the names of the values in a form, such as `count` for `{count}`.
fn values(form: &str) -> BTreeSet<&str> {
    form.split('{').skip(1).map(|rest| rest.split_once('}').expect("each brace is closed").0).collect()
}

fn read_all(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("vendor") && !path.ends_with("text") {
            read_all(&path, sources);
        } else if path.extension().is_some_and(|extension| ["js", "html", "rs"].iter().any(|known| extension == *known))
        {
            sources.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn each_language_has_the_same_texts() {
    let english = texts("en");
    for (language, categories) in LANGUAGES {
        let translated = texts(language);
        assert_eq!(translated.keys().collect::<Vec<_>>(), english.keys().collect::<Vec<_>>(), "{language}");
        for (key, text) in &translated {
            let expected: BTreeSet<_> = forms(&english[key]).into_iter().flat_map(|(_, form)| values(form)).collect();
            for (category, form) in forms(text) {
                assert!(!form.trim().is_empty() && form.trim() == form, "{language}: {key}: {form:?}");
                assert!(!form.contains('<') && !form.contains("  "), "{language}: {key}: {form:?}");
                let found = values(form);
                // A form for one number may write the number out.
                let is_free = category.is_some_and(|category| ["zero", "one", "two"].contains(&category));
                let missing: Vec<_> =
                    expected.difference(&found).filter(|name| !is_free || **name != "count").collect();
                assert!(missing.is_empty() && found.is_subset(&expected), "{language}: {key}: {form:?}");
            }
            if text.is_object() {
                let found: Vec<_> = forms(text).into_iter().filter_map(|(category, _)| category).collect();
                assert_eq!(found, categories, "{language}: {key}");
            }
            assert_eq!(text.is_object(), english[key].is_object(), "{language}: {key}");
        }
    }
}

#[test]
fn each_text_is_used_and_each_used_text_exists() {
    let english = texts("en");
    let mut sources = String::new();
    read_all(&folder(), &mut sources);
    for key in english.keys() {
        let is_used = sources.contains(&format!("\"{key}\"")) || sources.contains(&format!("{{{{{key}}}}}"));
        assert!(is_used, "no page uses the text {key}");
    }
    let groups: BTreeSet<_> = english.keys().map(|key| key.split_once('.').unwrap().0).collect();
    for text in sources.split('"').chain(sources.split("{{").map(|rest| rest.split("}}").next().unwrap())) {
        let is_name = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        let Some((group, name)) = text.split_once('.').filter(|(group, name)| groups.contains(group) && is_name(name))
        else {
            continue;
        };
        let is_file = ["css", "js", "html", "json"].contains(&name);
        assert!(is_file || english.contains_key(text), "a page uses the text {group}.{name}, which no language has");
    }
}

#[test]
fn sentences_are_short() {
    for (key, text) in texts("en") {
        for (_, form) in forms(&text) {
            for sentence in form.split_inclusive(['.', '!', '?', ':']) {
                let words = sentence.split_whitespace().count();
                assert!(words <= MAX_WORDS, "{key}: {words} words: {sentence}");
            }
        }
    }
}
