//! Reads Prometheus' text format, as far as tests ask for sums.

/// One scrape.
pub struct Metrics {
    text: String,
}

impl Metrics {
    pub fn parse(text: String) -> Self {
        Self { text }
    }

    /// The sum of all samples of this name that carry these labels; zero when there is none, as for a counter
    /// that has not counted yet.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(name, labels).into_iter().sum()
    }

    /// Whether there is such a sample at all.
    pub fn has(&self, name: &str) -> bool {
        !self.samples(name, &[]).is_empty()
    }

    /// The scrape as it came.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn samples(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        let wanted: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let sample = |line: &str| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = match rest.strip_prefix('{') {
                Some(rest) => rest.rsplit_once('}')?,
                None => ("", rest.strip_prefix(' ')?),
            };
            let given: Vec<&str> = split_labels(labels);
            let all = wanted.iter().all(|label| given.contains(&label.as_str()));
            all.then(|| value.split_whitespace().next()?.parse().ok()).flatten()
        };
        self.text.lines().filter_map(sample).collect()
    }
}

/// Splits at the commas outside quotes.
fn split_labels(labels: &str) -> Vec<&str> {
    let mut quoted = false;
    labels
        .split(move |character| {
            quoted ^= character == '"';
            character == ',' && !quoted
        })
        .collect()
}
