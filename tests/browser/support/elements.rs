//! What people do with a page, and what they read on it. Everything waits until it can be done.

use thirtyfour::error::WebDriverErrorInner;
use thirtyfour::prelude::{By, WebDriverError};
use thirtyfour::{Key, WebElement};

use super::browser::Browser;

impl Browser {
    /// The element, once it is visible.
    pub(crate) async fn visible(&self, selector: &str) -> WebElement {
        self.until(&format!("{selector} to be visible"), async || {
            let element = self.find(selector).await?;
            (element.is_displayed().await.ok()?).then_some(element)
        })
        .await
    }

    /// Waits until the element is hidden.
    pub(crate) async fn hidden(&self, selector: &str) {
        self.until(&format!("{selector} to be hidden"), async || (!self.shows(selector).await).then_some(())).await;
    }

    /// Whether the element is visible now.
    pub(crate) async fn shows(&self, selector: &str) -> bool {
        let Some(element) = self.find(selector).await else { return false };
        element.is_displayed().await.unwrap_or(false)
    }

    /// The element's text, once it has these words in it.
    pub(crate) async fn says(&self, selector: &str, words: &str) -> String {
        self.until(&format!("{selector} to say {words:?}"), async || {
            let text = self.find(selector).await?.text().await.ok()?;
            text.contains(words).then_some(text)
        })
        .await
    }

    /// The element's text, once there is any.
    pub(crate) async fn text(&self, selector: &str) -> String {
        self.until(&format!("{selector} to say something"), async || {
            let text = self.find(selector).await?.text().await.ok()?;
            (!text.is_empty()).then_some(text)
        })
        .await
    }

    /// What stands in a field, once there is anything.
    pub(crate) async fn value(&self, selector: &str) -> String {
        self.until(&format!("something to stand in {selector}"), async || {
            let value = self.find(selector).await?.value().await.ok()??;
            (!value.is_empty()).then_some(value)
        })
        .await
    }

    /// What stands in a field now, visible or not.
    pub(crate) async fn value_now(&self, selector: &str) -> String {
        let field = self.until(&format!("{selector} to be there"), async || self.find(selector).await).await;
        field.value().await.unwrap().unwrap_or_default()
    }

    /// Clicks on the element, once it is visible and can be used.
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

    /// Types into the field instead of what stands there.
    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        self.until(&format!("{selector} to be filled"), async || {
            let field = self.find(selector).await?;
            passing(field.clear().await)?;
            passing(field.send_keys(text).await)
        })
        .await;
    }

    /// Presses the return key in the field.
    pub(crate) async fn enter(&self, selector: &str) {
        self.visible(selector).await.send_keys(Key::Enter + "").await.unwrap();
    }

    /// Chooses files in a field for files, whether or not it is visible.
    pub(crate) async fn choose(&self, selector: &str, paths: &[&str]) {
        let field = self.until(&format!("{selector} to be there"), async || self.find(selector).await).await;
        field.send_keys(paths.join("\n")).await.unwrap();
    }

    /// Chooses the option of this value.
    pub(crate) async fn select(&self, selector: &str, value: &str) {
        self.click(&format!("{selector} option[value=\"{value}\"]")).await;
    }

    /// The id of the element that has the focus.
    pub(crate) async fn focused(&self) -> String {
        let id = self.script("return document.activeElement?.id ?? ''", serde_json::Value::Null).await;
        id.as_str().unwrap_or_default().to_owned()
    }

    /// Moves the focus as the tab key does.
    pub(crate) async fn tab(&self) {
        self.session.action_chain().send_keys(Key::Tab + "").perform().await.unwrap();
    }

    async fn find(&self, selector: &str) -> Option<WebElement> {
        self.session.find(By::Css(selector)).await.ok()
    }
}

/// Whether it was done; `None` where it may be a moment later, since the page is still being built or moved.
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
