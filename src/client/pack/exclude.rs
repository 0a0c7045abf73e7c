//! Exclusion of files from an archive by glob patterns.

use std::cell::RefCell;
use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Globs, matched against the path within the archive and against the file name.
#[derive(Debug, Default)]
pub struct Exclude {
    set: GlobSet,
    globs: Vec<String>,
    /// Indexes of the globs that have matched a path.
    used: RefCell<BTreeSet<usize>>,
}

/// Error for text that is not a valid glob.
#[derive(Debug, thiserror::Error)]
#[error("{glob} is not a valid glob")]
pub struct InvalidGlob {
    glob: String,
    #[source]
    source: globset::Error,
}

impl Exclude {
    /// Parses globs: `*` and `?` match within one name, `**` matches any number of directories.
    pub fn parse(globs: &[String]) -> Result<Self, InvalidGlob> {
        let mut set = GlobSetBuilder::new();
        for text in globs {
            let invalid = |source| InvalidGlob { glob: text.clone(), source };
            // Accepts a trailing slash for directories and a leading `./` for relative paths.
            let glob = text.trim_end_matches('/');
            let glob = glob.strip_prefix("./").unwrap_or(glob);
            set.add(GlobBuilder::new(glob).literal_separator(true).build().map_err(invalid)?);
        }
        let set = set.build().map_err(|source| InvalidGlob { glob: globs.join(" "), source })?;
        Ok(Self { set, globs: globs.to_vec(), used: RefCell::default() })
    }

    /// Returns whether the entry at `path` is excluded; excluding a directory excludes its contents.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        let matching: BTreeSet<_> = self.set.matches(path).into_iter().chain(self.set.matches(name)).collect();
        self.used.borrow_mut().extend(&matching);
        !matching.is_empty()
    }

    /// Returns the globs that have not matched any path yet.
    #[must_use]
    pub fn unused(&self) -> Vec<String> {
        let used = self.used.borrow();
        let unused = self.globs.iter().enumerate().filter(|(index, _)| !used.contains(index));
        unused.map(|(_, glob)| glob.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_paths_and_file_names() {
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
