//! Accessibility checks with axe-core.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::{Browser, Theme, cache, not_run};

/// axe-core's script, and whose turn it is.
pub(crate) struct Axe {
    script: String,
    /// Number of states that were checked.
    states: AtomicUsize,
}

/// Returns axe-core; `None` if it is not installed.
pub(crate) fn axe() -> Option<Axe> {
    let script = std::fs::read_to_string(cache().join("node_modules/axe-core/axe.min.js")).ok();
    if script.is_none() {
        not_run(
            "axe-core is not installed; tests/browsers.sh install installs it with npm (on Debian: apt-get install npm)",
        );
    }
    script.map(|script| Axe { script, states: AtomicUsize::new(0) })
}

/// Returns whether axe-core checks each state in all themes, widths and languages.
fn is_everything_checked() -> bool {
    std::env::var_os("SGSEND_AXE").is_some_and(|value| value == "all")
}

impl Browser {
    /// Requires that the page fits into each width, and that axe-core finds nothing.
    ///
    /// axe-core checks a state in one of the variants, in turn, and in all of them if `SGSEND_AXE` is `all`.
    pub(crate) async fn check_accessible(&self, axe: &Axe, state: &str, variants: &[(Theme, u32)]) {
        let turn = axe.states.fetch_add(1, Ordering::Relaxed) % variants.len();
        let all = is_everything_checked();
        for (at, (theme, width)) in variants.iter().enumerate() {
            let is_checked = all || at == turn;
            if is_checked {
                self.prefer(*theme).await;
            }
            self.resize(*width, 900).await;
            let overflow = self.overflow().await;
            assert_eq!(overflow, 0, "{state}: {overflow} pixels wider than {width}");
            if is_checked {
                let violations = self.violations(axe).await;
                assert!(violations.is_empty(), "{state}, {theme:?}, {width}: {violations:#?}");
            }
        }
    }

    /// Requires that axe-core finds nothing on the current page, in the language of this index.
    ///
    /// It checks a state in one of the languages, in turn, and in all of them if `SGSEND_AXE` is `all`. `state_index`
    /// counts the states of a language.
    pub(crate) async fn check_in_turn(
        &self,
        axe: &Axe,
        state: &str,
        state_index: usize,
        (language_index, languages): (usize, usize),
    ) {
        if state_index % languages == language_index || is_everything_checked() {
            let violations = self.violations(axe).await;
            assert!(violations.is_empty(), "language {language_index}: {state}: {violations:#?}");
        }
    }

    /// Returns all violations on the current page: rules with their elements.
    pub(crate) async fn violations(&self, axe: &Axe) -> Vec<String> {
        let run = "if (!window.axe) return null;
            const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
            return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html, failureSummary }) =>
                `${html} ${failureSummary}`).join('; ')}`)";
        let mut violations = self.script(run, Value::Null).await;
        // The script is large: it is sent to each page once.
        if violations.is_null() {
            self.script(&axe.script, Value::Null).await;
            violations = self.script(run, Value::Null).await;
        }
        violations.as_array().unwrap().iter().map(|violation| violation.as_str().unwrap().to_owned()).collect()
    }
}
