//! Files downloaded by the browser.

use std::path::PathBuf;

use super::browser::Browser;

impl Browser {
    /// Returns the download folder.
    pub(crate) fn downloads(&self) -> PathBuf {
        self.folder.path().join("downloads")
    }

    /// Returns the profile folder.
    pub(crate) fn profile(&self) -> PathBuf {
        self.folder.path().join("profile")
    }

    /// Returns name and content of the only download once it is complete, and removes the file.
    pub(crate) async fn download(&self) -> (String, Vec<u8>) {
        let path = self.until("a download", async || self.whole_download()).await;
        let content = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), content)
    }

    /// Returns the number of files in the download folder, complete or partial.
    pub(crate) fn download_count(&self) -> usize {
        std::fs::read_dir(self.downloads()).unwrap().count()
    }

    fn whole_download(&self) -> Option<PathBuf> {
        let entries: Vec<_> = std::fs::read_dir(self.downloads()).unwrap().map(|entry| entry.unwrap().path()).collect();
        // Firefox creates the final file immediately and writes to a `.part` file; Chromium starts with a hidden file.
        // Pages never use such names for downloads.
        let is_whole = |path: &&PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            !name.starts_with('.') && ![".crdownload", ".part"].iter().any(|ending| name.ends_with(ending))
        };
        let whole: Vec<_> = entries.iter().filter(is_whole).collect();
        assert!(whole.len() < 2, "more than one download: {whole:?}");
        (entries.len() == 1).then(|| whole.first().map(|path| (*path).clone())).flatten()
    }
}
