//! Accessibility checks with axe-core.

use serde_json::Value;

use super::{Browser, cache, not_run};

/// Returns axe-core's script; `None` if axe-core is not installed.
pub(crate) fn axe() -> Option<String> {
    let script = std::fs::read_to_string(cache().join("node_modules/axe-core/axe.min.js")).ok();
    if script.is_none() {
        not_run(
            "axe-core is not installed; tests/browsers.sh install installs it with npm (on Debian: apt-get install npm)",
        );
    }
    script
}

impl Browser {
    /// Returns all violations on the current page: rules with their elements.
    pub(crate) async fn violations(&self, axe: &str) -> Vec<String> {
        let run = "if (!window.axe) return null;
            const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
            return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html, failureSummary }) =>
                `${html} ${failureSummary}`).join('; ')}`)";
        let mut violations = self.script(run, Value::Null).await;
        // The script is large: it is sent to each page once.
        if violations.is_null() {
            self.script(axe, Value::Null).await;
            violations = self.script(run, Value::Null).await;
        }
        violations.as_array().unwrap().iter().map(|violation| violation.as_str().unwrap().to_owned()).collect()
    }
}
