//! The samples of one scrape as Prometheus text.

use std::collections::BTreeMap;
use std::fmt::Display;

use metrics::{Key, Label};
use metrics_exporter_prometheus::LabelSet;
use metrics_exporter_prometheus::formatting::{write_help_line, write_metric_line, write_type_line};

use super::catalogue::{self, BASE_LABELS, Family, Kind, Scope};

/// Series of one family on one page (Java: `metricsOtelCardinalityLimit`).
const SERIES_MAX: usize = 50_000;

/// Whose samples follow: the values of the base labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// `cluster`: brokerClusterName.
    pub cluster: String,
    /// `node_type`: broker, container or namesrv.
    pub node_type: &'static str,
    /// `node_id`: brokerName.
    pub node_id: String,
    /// `broker_id`.
    pub broker_id: String,
    /// `broker_role`.
    pub broker_role: String,
}

/// A page that is being filled. Lines are written at once into the text of their family.
#[derive(Default)]
pub struct Exposition {
    families: BTreeMap<&'static str, Lines>,
    left_out: usize,
}

#[derive(Default)]
struct Lines {
    text: String,
    series: usize,
}

/// A histogram's numbers: how many were at most each bound, not added up, and one more for what is above all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Buckets<'a, B> {
    /// Upper bounds, growing.
    pub bounds: &'a [B],
    /// Counts, one more than bounds.
    pub counts: &'a [u64],
    /// Sum of all values.
    pub sum: f64,
}

impl Exposition {
    /// Adds a counter or gauge. `labels` are the values of the family's own labels, in its order.
    pub fn add(&mut self, family: &'static Family, owner: Option<&Owner>, labels: &[&str], value: f64) {
        debug_assert!(family.kind != Kind::Histogram, "{} has buckets", family.name);
        let set = label_set(family, owner, labels);
        let Some(lines) = self.lines(family) else { return };
        write_metric_line(&mut lines.text, family.name, None, &set, None::<(&str, f64)>, value, None);
    }

    /// Adds a histogram.
    pub fn histogram<B: Display>(
        &mut self,
        family: &'static Family,
        owner: Option<&Owner>,
        labels: &[&str],
        buckets: Buckets<'_, B>,
    ) {
        debug_assert!(family.kind == Kind::Histogram, "{} has no buckets", family.name);
        assert_eq!(buckets.counts.len(), buckets.bounds.len() + 1, "one bucket is above all bounds");
        let set = label_set(family, owner, labels);
        let Some(Lines { text, .. }) = self.lines(family) else { return };
        let mut below = 0;
        for (bound, count) in buckets.bounds.iter().zip(buckets.counts) {
            below += count;
            write_metric_line(text, family.name, Some("bucket"), &set, Some(("le", bound)), below, None);
        }
        let all: u64 = buckets.counts.iter().sum();
        write_metric_line(text, family.name, Some("bucket"), &set, Some(("le", "+Inf")), all, None);
        write_metric_line(text, family.name, Some("sum"), &set, None::<(&str, f64)>, buckets.sum, None);
        write_metric_line(text, family.name, Some("count"), &set, None::<(&str, f64)>, all, None);
    }

    /// The page: families in the order of the catalogue, each with its lines together, as the format asks.
    #[must_use]
    pub fn render(mut self) -> String {
        self.add(&catalogue::SERIES_LEFT_OUT, None, &[], count(self.left_out as u64));
        let mut page = String::new();
        for family in catalogue::ALL {
            let Some(lines) = self.families.get(family.name) else { continue };
            write_help_line(&mut page, family.name, None, None, family.help);
            write_type_line(&mut page, family.name, None, None, family.kind.word());
            page.push_str(&lines.text);
        }
        page
    }

    fn lines(&mut self, family: &'static Family) -> Option<&mut Lines> {
        let lines = self.families.entry(family.name).or_default();
        if lines.series >= SERIES_MAX {
            self.left_out += 1;
            return None;
        }
        lines.series += 1;
        Some(lines)
    }
}

/// A count as a sample; exact up to 2^53, as everything in Prometheus.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "samples are floating point")]
pub fn count(value: u64) -> f64 {
    value as f64
}

fn label_set(family: &'static Family, owner: Option<&Owner>, values: &[&str]) -> LabelSet {
    debug_assert_eq!(family.labels.len(), values.len(), "labels of {}", family.name);
    debug_assert_eq!(family.scope != Scope::Process, owner.is_some(), "owner of {}", family.name);
    let base = owner.map(|owner| {
        let values = [&*owner.cluster, owner.node_type, &*owner.node_id, &*owner.broker_id, &*owner.broker_role]
            .map(str::to_owned);
        BASE_LABELS.into_iter().zip(values)
    });
    let own = family.labels.iter().copied().zip(values.iter().map(|value| (*value).to_owned()));
    let labels = base.into_iter().flatten().chain(own).map(|(name, value)| Label::new(name, value));
    let key = Key::from_parts(family.name, labels.collect::<Vec<Label>>());
    LabelSet::from_key_and_global(&key, &Default::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(name: &str, id: &str) -> Owner {
        Owner {
            cluster: "c".to_owned(),
            node_type: "broker",
            node_id: name.to_owned(),
            broker_id: id.to_owned(),
            broker_role: "SLAVE".to_owned(),
        }
    }

    /// The page without comments and without the line every page has.
    fn check(fill: impl FnOnce(&mut Exposition), expected: &[&str]) {
        let mut exposition = Exposition::default();
        fill(&mut exposition);
        let page = exposition.render();
        let lines: Vec<&str> = page
            .lines()
            .filter(|line| !line.starts_with('#') && !line.starts_with("mqcontainer_series_left_out"))
            .collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn brokers_of_one_name_do_not_collide() {
        check(
            |page| {
                page.add(&catalogue::TOPIC_NUMBER, Some(&owner("a", "0")), &[], 3.0);
                page.add(&catalogue::TOPIC_NUMBER, Some(&owner("a", "1")), &[], 4.0);
            },
            &[
                r#"rocketmq_topic_number{cluster="c",node_type="broker",node_id="a",broker_id="0",broker_role="SLAVE"} 3"#,
                r#"rocketmq_topic_number{cluster="c",node_type="broker",node_id="a",broker_id="1",broker_role="SLAVE"} 4"#,
            ],
        );
    }

    #[test]
    fn names_with_quotes_stay_one_label() {
        check(
            |page| page.add(&catalogue::NAMESERVER_REACHABLE, None, &["a\"b\nc"], 1.0),
            &[r#"mqcontainer_nameserver_reachable{nameserver="a\"b\nc"} 1"#],
        );
    }

    #[test]
    fn buckets_are_added_up() {
        let buckets = Buckets { bounds: &[1, 3], counts: &[2, 0, 5], sum: 10.5 };
        let base = r#"cluster="c",node_type="broker",node_id="a",broker_id="0",broker_role="SLAVE",topic="t",message_type="normal",is_system="false""#;
        check(
            |page| {
                page.histogram(&catalogue::MESSAGE_SIZE, Some(&owner("a", "0")), &["t", "normal", "false"], buckets);
            },
            &[
                &format!("rocketmq_message_size_bucket{{{base},le=\"1\"}} 2"),
                &format!("rocketmq_message_size_bucket{{{base},le=\"3\"}} 2"),
                &format!("rocketmq_message_size_bucket{{{base},le=\"+Inf\"}} 7"),
                &format!("rocketmq_message_size_sum{{{base}}} 10.5"),
                &format!("rocketmq_message_size_count{{{base}}} 7"),
            ],
        );
    }

    #[test]
    fn a_family_is_bounded_and_says_so() {
        let mut exposition = Exposition::default();
        for number in 0..SERIES_MAX + 7 {
            exposition.add(&catalogue::NAMESERVER_REACHABLE, None, &[&number.to_string()], 1.0);
        }
        let page = exposition.render();
        assert_eq!(
            page.lines().filter(|line| line.starts_with("mqcontainer_nameserver_reachable{")).count(),
            SERIES_MAX
        );
        assert!(page.ends_with("mqcontainer_series_left_out 7\n"));
    }
}
