//! What axe-core finds that keeps people from using a page.

use serde_json::{Value, json};

use super::{Browser, cache, not_run};

/// axe-core's script; `None` where it is not there.
pub(crate) fn axe() -> Option<String> {
    let script = std::fs::read_to_string(cache().join("node_modules/axe-core/axe.min.js")).ok();
    if script.is_none() {
        not_run("there is no axe-core; tests/browsers.sh install gets it with npm (on Debian: apt-get install npm)");
    }
    script
}

impl Browser {
    /// Every violation on the page as it is now: the rule, and the elements.
    pub(crate) async fn violations(&self, axe: &str) -> Vec<String> {
        self.script(&format!("if (!window.axe) {{ {axe} }}"), Value::Null).await;
        let run = "const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
            return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html, failureSummary }) =>
                `${html} ${failureSummary}`).join('; ')}`)";
        let found = self.script(run, json!({})).await;
        found.as_array().unwrap().iter().map(|violation| violation.as_str().unwrap().to_owned()).collect()
    }
}
