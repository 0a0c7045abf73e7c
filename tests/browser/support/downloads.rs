//! What a page has given to its user.

use std::path::PathBuf;

use super::browser::Browser;

impl Browser {
    /// Where downloads go.
    pub(crate) fn downloads(&self) -> PathBuf {
        self.folder.path().join("downloads")
    }

    /// Where everything else goes that the browser keeps.
    pub(crate) fn profile(&self) -> PathBuf {
        self.folder.path().join("profile")
    }

    /// The name and the content of the only download, once it is whole. It is taken away, so that another may follow.
    pub(crate) async fn download(&self) -> (String, Vec<u8>) {
        let path = self.until("a download", async || self.whole_download()).await;
        let content = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), content)
    }

    /// How many files stand among the downloads, whole or not.
    pub(crate) fn download_count(&self) -> usize {
        std::fs::read_dir(self.downloads()).unwrap().count()
    }

    fn whole_download(&self) -> Option<PathBuf> {
        let entries: Vec<_> = std::fs::read_dir(self.downloads()).unwrap().map(|entry| entry.unwrap().path()).collect();
        // Firefox makes the file at once and writes into another beside it; Chromium begins with one that is hidden.
        // Pages give no download such a name.
        let is_whole = |path: &&PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            !name.starts_with('.') && ![".crdownload", ".part"].iter().any(|ending| name.ends_with(ending))
        };
        let whole: Vec<_> = entries.iter().filter(is_whole).collect();
        assert!(whole.len() < 2, "more than one download: {whole:?}");
        (entries.len() == 1).then(|| whole.first().map(|path| (*path).clone())).flatten()
    }
}
