//! Compares the exported metrics with docs/operations.md, the dashboard and the alert rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::domain::audit::ServiceName;
use crate::domain::limits::LimitName;
use crate::domain::limits::free_space::FreeSpaceLevel;
use crate::domain::transfers::{StoreTotals, SweepResult};
use crate::domain::wire::StorageSpace;
use crate::server::ROUTES;

/// Returns the metrics with a value for each metric that can be absent.
fn complete() -> Metrics {
    let (now, dropped_lines) = (Timestamp::from_millis(1_767_268_800_000), &DroppedLines::default());
    let metrics = Metrics::new(&ProcessInfo { storage: "file", started_at: now, dropped_lines });
    let some = Some(1);
    metrics.storage.set_space(&StorageSpace {
        level: FreeSpaceLevel::Ample,
        free_bytes: some,
        total_bytes: some,
        min_free_bytes: some,
        reserve_bytes: some,
        reserve_target_bytes: some,
    });
    metrics.storage.set_totals(&StoreTotals::default());
    metrics.set_certificate_expiry(now);
    metrics.count_certificate_order(0);
    metrics.sweeps.count(SweepOutcome::Done(SweepResult::default(), now));
    metrics.requests.add_service(ServiceName::Public);
    let labels = RequestLabels { service: "public", method: "GET", route: "/health", status: 200 };
    metrics.requests.count(&labels, Duration::ZERO);
    metrics.requests.count_bytes(ServiceName::Public, 1, 1);
    metrics
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Returns the type of each exported metric, by the name that documents use.
fn exported(text: &str) -> BTreeMap<String, String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let named = |(name, kind): (&str, &str)| {
        let suffix = if kind == "counter" { "_total" } else { "" };
        (format!("{name}{suffix}"), kind.to_owned())
    };
    types.map(named).collect()
}

/// Returns the names of the labels of all samples.
fn labels(text: &str) -> BTreeSet<&str> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let sets = samples.filter_map(|line| line.split_once('{')?.1.rsplit_once('}').map(|(set, _)| set));
    sets.flat_map(|set| set.split("\",")).filter_map(|label| label.split_once('=').map(|(name, _)| name)).collect()
}

/// Returns the names of metrics in a text, those of histograms without their suffix.
fn named(text: &str) -> BTreeSet<String> {
    let is_name = |character: char| character.is_ascii_lowercase() || character == '_';
    let words = text.split(|character| !is_name(character)).filter(|word| word.starts_with("sgsend_"));
    words.map(|word| word.strip_suffix("_bucket").unwrap_or(word).to_owned()).collect()
}

/// Returns the queries of the dashboard.
fn dashboard_queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("examples/monitoring/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

/// Returns the expressions of the alert rules.
fn alert_queries() -> Vec<String> {
    let rules = read("examples/monitoring/alerts.yml");
    rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).map(str::to_owned).collect()
}

#[test]
fn the_table_in_the_documentation_has_every_metric_with_its_type() {
    let exported = exported(&complete().to_text());
    let document = read("docs/operations.md");
    let rows = document.lines().filter(|line| line.starts_with("| `sgsend_"));
    let mut documented = BTreeMap::new();
    for row in rows {
        let mut cells = row.split('|').skip(1).map(str::trim);
        let (names, kind) = (cells.next().unwrap(), cells.next().unwrap());
        let kind = kind.split(',').next().unwrap();
        documented.extend(named(names).into_iter().map(|name| (name, kind.to_owned())));
    }
    assert_eq!(documented, exported);
}

#[test]
fn dashboard_and_alerts_use_exported_metrics_and_labels() {
    let text = complete().to_text();
    let (exported, mut known) = (exported(&text), labels(&text));
    // Added by Prometheus.
    known.extend(["instance", "job"]);
    let (dashboard, alerts) = (dashboard_queries(), alert_queries());
    assert!(dashboard.len() > 30 && alerts.len() > 10, "{} and {} queries", dashboard.len(), alerts.len());
    for query in dashboard.iter().chain(&alerts) {
        for name in named(query) {
            assert!(exported.contains_key(&name), "{name} is not exported: {query}");
        }
        let groups = query.split("by (").skip(1).map(|rest| rest.split_once(')').unwrap().0);
        let matched = query.split('{').skip(1).map(|rest| rest.split_once('}').unwrap().0);
        let used = groups
            .flat_map(|group| group.split(", "))
            .chain(matched.flat_map(|set| set.split(',').map(|label| label.split(['=', '!']).next().unwrap().trim())));
        for label in used {
            assert!(known.contains(label), "no metric has a label {label}: {query}");
        }
    }
    let shown: BTreeSet<_> = dashboard.iter().flat_map(|query| named(query)).collect();
    let missing: Vec<_> = exported.keys().filter(|name| !shown.contains(*name)).collect();
    assert!(missing.is_empty(), "the dashboard does not show {missing:?}");
}

#[test]
fn the_number_of_time_series_is_bounded() {
    let metrics = complete();
    for status in [200, 404, 429, 500, 503] {
        for route in ROUTES {
            let (service, method) = (route.service.as_str(), "GET");
            metrics.requests.count(&RequestLabels { service, method, route: route.template, status }, Duration::ZERO);
        }
    }
    for service in [ServiceName::Public, ServiceName::Admin] {
        for limit in LimitName::ALL {
            metrics.requests.count_limit(service, limit);
        }
    }
    let text = metrics.to_text();
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!((500..2_000).contains(&series), "{series} time series");
    let names: BTreeSet<_> = LimitName::ALL.iter().map(|limit| limit.as_str()).collect();
    assert_eq!(names.len(), LimitName::ALL.len(), "two limits have one name");
}
