//! Data that pages store in the browser.

use serde_json::Value;

use super::browser::Browser;

const DUMP: &str = r"
    const dump = { local: { ...localStorage }, session: { ...sessionStorage }, cookies: document.cookie };
    dump.history = history.state;
    dump.databases = (await indexedDB.databases()).map(({ name }) => name);
    dump.caches = await globalThis.caches?.keys() ?? [];
    dump.name = window.name;
    return dump";

impl Browser {
    /// Returns all data stored for the page's origin. The members are `local`, `session`, `cookies`, `databases`,
    /// `caches`, `history`, and the window's `name`.
    pub(crate) async fn stored_data(&self) -> Value {
        self.script(DUMP, Value::Null).await
    }

    /// Chooses the language of the pages of this origin, from the next loaded page on.
    pub(crate) async fn set_language(&self, language: &str) {
        self.script("document.cookie = `sgsend-language=${args}; path=/`", language.into()).await;
    }
}
