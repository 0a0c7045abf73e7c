//! User actions on page elements; each waits until it is possible.

use thirtyfour::error::WebDriverErrorInner;
use thirtyfour::prelude::{By, WebDriverError};
use thirtyfour::{Key, WebElement};

use super::browser::Browser;

impl Browser {
    /// Returns the element once it is visible.
    pub(crate) async fn wait_until_visible(&self, selector: &str) -> WebElement {
        self.until(&format!("{selector} to be visible"), async || {
            let element = self.find(selector).await?;
            (element.is_displayed().await.ok()?).then_some(element)
        })
        .await
    }

    /// Waits until the element is hidden.
    pub(crate) async fn wait_until_hidden(&self, selector: &str) {
        self.until(&format!("{selector} to be hidden"), async || (!self.is_visible(selector).await).then_some(()))
            .await;
    }

    /// Returns whether the element is visible now.
    pub(crate) async fn is_visible(&self, selector: &str) -> bool {
        let Some(element) = self.find(selector).await else { return false };
        element.is_displayed().await.unwrap_or(false)
    }

    /// Returns the element's text once it contains these words.
    pub(crate) async fn wait_for_text(&self, selector: &str, words: &str) -> String {
        self.until(&format!("{selector} to say {words:?}"), async || {
            let text = self.find(selector).await?.text().await.ok()?;
            text.contains(words).then_some(text)
        })
        .await
    }

    /// Returns the element's text once it is not empty.
    pub(crate) async fn text(&self, selector: &str) -> String {
        self.until(&format!("{selector} to have a text"), async || {
            let text = self.find(selector).await?.text().await.ok()?;
            (!text.is_empty()).then_some(text)
        })
        .await
    }

    /// Returns the value of a field once it is not empty.
    pub(crate) async fn value(&self, selector: &str) -> String {
        self.until(&format!("{selector} to have a value"), async || {
            let value = self.find(selector).await?.value().await.ok()??;
            (!value.is_empty()).then_some(value)
        })
        .await
    }

    /// Returns the current value of a field, visible or not.
    pub(crate) async fn value_now(&self, selector: &str) -> String {
        let field = self.until(&format!("{selector} to exist"), async || self.find(selector).await).await;
        field.value().await.unwrap().unwrap_or_default()
    }

    /// Clicks the element once it is visible and enabled.
    pub(crate) async fn click(&self, selector: &str) {
        self.until(&format!("{selector} to be clicked"), async || {
            let element = self.find(selector).await?;
            if !element.is_displayed().await.ok()? || !element.is_enabled().await.ok()? {
                return None;
            }
            passing(element.click().await)
        })
        .await;
    }

    /// Replaces the value of the field by typing.
    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        self.until(&format!("{selector} to be filled"), async || {
            let field = self.find(selector).await?;
            passing(field.clear().await)?;
            passing(field.send_keys(text).await)
        })
        .await;
    }

    /// Gives the send page its token.
    pub(crate) async fn use_token(&self, token: &str) {
        self.fill("#token", token).await;
        self.click("#use-token").await;
        self.wait_until_visible("#send-form").await;
    }

    /// Writes a text to send.
    pub(crate) async fn write_text(&self, text: &str) {
        self.click("#text-tab").await;
        self.fill("#text", text).await;
    }

    /// Replaces the value of a field, among the options if the page has them.
    pub(crate) async fn fill_option(&self, selector: &str, text: &str) {
        self.open_details("#options").await;
        self.fill(selector, text).await;
    }

    /// Opens a `details` element, if the page has one with this selector.
    pub(crate) async fn open_details(&self, selector: &str) {
        let open = "const details = document.querySelector(args); if (details) details.open = true";
        self.script(open, selector.into()).await;
    }

    /// Presses Enter in the field.
    pub(crate) async fn enter(&self, selector: &str) {
        self.wait_until_visible(selector).await.send_keys(Key::Enter + "").await.unwrap();
    }

    /// Chooses files in a file input, visible or not.
    pub(crate) async fn choose(&self, selector: &str, paths: &[&str]) {
        let field = self.until(&format!("{selector} to exist"), async || self.find(selector).await).await;
        field.send_keys(paths.join("\n")).await.unwrap();
    }

    /// Selects the option with this value.
    pub(crate) async fn select(&self, selector: &str, value: &str) {
        self.click(&format!("{selector} option[value=\"{value}\"]")).await;
    }

    /// Returns the id of the focused element.
    pub(crate) async fn focused(&self) -> String {
        let id = self.script("return document.activeElement?.id ?? ''", serde_json::Value::Null).await;
        id.as_str().unwrap_or_default().to_owned()
    }

    /// Runs a script like [`Browser::script`], in the frame with this selector.
    pub(crate) async fn script_in_frame(&self, selector: &str, body: &str) -> serde_json::Value {
        self.wait_until_visible(selector).await.enter_frame().await.unwrap();
        let value = self.script(body, serde_json::Value::Null).await;
        self.session.enter_default_frame().await.unwrap();
        value
    }

    /// Presses the Tab key.
    pub(crate) async fn tab(&self) {
        self.press("\u{e004}").await;
    }

    /// Presses a key, as `WebDriver` names it.
    pub(crate) async fn press(&self, key: &str) {
        self.session.action_chain().send_keys(key).perform().await.unwrap();
    }

    async fn find(&self, selector: &str) -> Option<WebElement> {
        self.session.find(By::Css(selector)).await.ok()
    }
}

/// Returns `Some` if the action succeeded. Returns `None` if a retry may succeed because the page is still changing.
fn passing(done: Result<(), WebDriverError>) -> Option<()> {
    match done {
        Ok(()) => Some(()),
        Err(error) => match error.as_inner() {
            WebDriverErrorInner::ElementClickIntercepted(_)
            | WebDriverErrorInner::ElementNotInteractable(_)
            | WebDriverErrorInner::StaleElementReference(_) => None,
            _ => panic!("{error}"),
        },
    }
}
