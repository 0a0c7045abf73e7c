//! Files that a browser leaves on disk.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The folder of an ended browser: profile, caches and downloads.
pub(crate) struct LeftoverFiles(pub(super) TempDir);

impl LeftoverFiles {
    /// Returns the files whose name or content contains these bytes. Also finds these characters in UTF-16, as browsers
    /// store texts. Skips downloads, which contain the content by design.
    pub(crate) fn holding(&self, needle: &[u8]) -> Vec<PathBuf> {
        let wide: Vec<u8> = needle.iter().flat_map(|byte| [*byte, 0]).collect();
        let holds = |bytes: &[u8]| [needle, &wide].iter().any(|text| memchr::memmem::find(bytes, text).is_some());
        let walk = walkdir::WalkDir::new(self.0.path()).into_iter();
        let downloads = self.0.path().join("downloads");
        let entries = walk.filter_entry(|entry| entry.path() != downloads).filter_map(Result::ok);
        let content = |path: &Path| std::fs::read(path).unwrap_or_default();
        entries
            .filter(|entry| holds(entry.file_name().as_encoded_bytes()) || holds(&content(entry.path())))
            .map(|entry| entry.path().strip_prefix(self.0.path()).unwrap().to_owned())
            .collect()
    }
}
