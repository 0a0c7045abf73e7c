//! What is left out because the sender says so.

use std::cell::RefCell;
use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Globs, each matched against the path within the archive and against the bare name.
#[derive(Debug, Default)]
pub struct Exclude {
    set: GlobSet,
    globs: Vec<String>,
    /// The places of those that have matched anything.
    used: RefCell<BTreeSet<usize>>,
}

/// A text that is not a glob.
#[derive(Debug, thiserror::Error)]
#[error("{glob} is not a glob")]
pub struct InvalidGlob {
    glob: String,
    #[source]
    source: globset::Error,
}

impl Exclude {
    /// Reads globs: `*` and `?` stay within a name, `**` goes through directories.
    pub fn parse(globs: &[String]) -> Result<Self, InvalidGlob> {
        let mut set = GlobSetBuilder::new();
        for text in globs {
            let invalid = |source| InvalidGlob { glob: text.clone(), source };
            // As people write them: a directory with a slash behind it, a path from here.
            let glob = text.trim_end_matches('/');
            let glob = glob.strip_prefix("./").unwrap_or(glob);
            set.add(GlobBuilder::new(glob).literal_separator(true).build().map_err(invalid)?);
        }
        let set = set.build().map_err(|source| InvalidGlob { glob: globs.join(" "), source })?;
        Ok(Self { set, globs: globs.to_vec(), used: RefCell::default() })
    }

    /// Whether the entry at `path` is left out, and what is in it too.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        let matching: BTreeSet<_> = self.set.matches(path).into_iter().chain(self.set.matches(name)).collect();
        self.used.borrow_mut().extend(&matching);
        !matching.is_empty()
    }

    /// The globs that have matched nothing so far.
    #[must_use]
    pub fn unused(&self) -> Vec<String> {
        let used = self.used.borrow();
        let unused = self.globs.iter().enumerate().filter(|(place, _)| !used.contains(place));
        unused.map(|(_, glob)| glob.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_paths_and_bare_names() {
        let exclude =
            |globs: &[&str]| Exclude::parse(&globs.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        let log = exclude(&["*.log", "./build/*", "**/cache/", "docs/**/x"]);
        for path in ["a.log", "d/e.log", "build/x", "cache", "a/b/cache", "docs/x", "docs/1/2/x"] {
            assert!(log.matches(path), "{path}");
        }
        for path in ["a.logs", "build", "build/x/y", "d/build/x", "caches", "x"] {
            assert!(!log.matches(path), "{path}");
        }
        assert!(log.unused().is_empty());
        let never = exclude(&["*.log", "*.lgo"]);
        assert!(never.matches("a.log"));
        assert_eq!(never.unused(), ["*.lgo"]);
        assert!(!exclude(&[]).matches(""));
        assert!(Exclude::parse(&["a[".to_owned()]).unwrap_err().to_string().contains("a["));
    }
}
