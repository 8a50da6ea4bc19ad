//! The README's table of metrics against what servers tell.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::scene::Scene;
use crate::harness::credentials::pod;

/// The labels of each metric.
type Metrics = BTreeMap<String, BTreeSet<String>>;

/// The words between backquotes.
fn quoted(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The rows of the table whose first cell is a metric.
fn listed() -> Metrics {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let rows = readme.lines().filter(|line| line.starts_with("| `regcred_"));
    let metric = |row: &str| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        assert_eq!(cells.len(), 3, "{row}");
        (quoted(cells[0]).next().unwrap(), quoted(cells[1]).collect())
    };
    rows.map(metric).collect()
}

/// What is in a scrape; of a histogram the name is that of the whole, and the bounds of its buckets are no label of ours.
fn exported(text: &str, metrics: &mut Metrics) {
    let mut family = String::new();
    for line in text.lines().filter(|line| !line.starts_with("# HELP")) {
        if let Some(of) = line.strip_prefix("# TYPE ") {
            of.split(' ').next().unwrap().clone_into(&mut family);
            metrics.entry(family.clone()).or_default();
            continue;
        }
        assert!(line.starts_with(&family), "{line} after {family}");
        let labels = line.split_once('{').map_or("", |(_, rest)| rest.rsplit_once('}').unwrap().0);
        let names =
            labels.split("\",").filter_map(|label| label.split_once('=')).map(|(name, _)| name.to_owned());
        metrics.entry(family.clone()).or_default().extend(names.filter(|name| name != "le"));
    }
}

#[tokio::test]
async fn the_readme_lists_every_metric_that_servers_export_with_its_labels_and_no_other() {
    let scene = Scene::enter().await;
    let namespace = scene.namespace("measured").await;
    let offer = scene.offer_unseen("measured", json!({"namespaces": [namespace]})).await;
    scene.create_pod(&pod(&namespace, "app", &[&offer.image()])).await.object();
    let mut metrics = Metrics::new();
    for replica in scene.installation().replicas() {
        exported(replica.metrics().await.text(), &mut metrics);
    }
    assert_eq!(metrics, listed());
}
