//! The text that Prometheus reads: its exposition format, version 0.0.4.

use std::fmt::{Display, Write};

use carafe_model::histogram::Counts;

/// What [`Text`] is, for `Content-Type`.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Metrics as text, one family after the other.
#[derive(Debug, Default)]
pub(crate) struct Text(String);

/// Labels of a sample: names and values.
pub(crate) type Labels<'a> = &'a [(&'a str, &'a str)];

impl Text {
    /// Begins a family; its samples follow.
    pub(crate) fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    pub(crate) fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        self.0.push_str(name);
        self.labels(labels, None);
        self.line(format_args!(" {value}"));
    }

    /// A family of one sample.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    /// A family of one sample that only grows.
    pub(crate) fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "counter", help);
        self.sample(name, &[], value);
    }

    /// A histogram's samples. `unit` is how many of what was counted make one of what is shown.
    pub(crate) fn histogram(&mut self, name: &str, labels: Labels<'_>, counts: &Counts, unit: u32) {
        let shown = |value: u64| value as f64 / f64::from(unit);
        let below = counts.below.iter();
        let below = below.map(|(bound, count)| (shown(*bound).to_string(), *count));
        let all = ("+Inf".to_owned(), counts.all);
        for (bound, count) in below.chain([all]) {
            self.0.push_str(name);
            self.0.push_str("_bucket");
            self.labels(labels, Some(("le", &bound)));
            self.line(format_args!(" {count}"));
        }
        self.sample(&format!("{name}_sum"), labels, shown(counts.sum));
        self.sample(&format!("{name}_count"), labels, counts.all);
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }

    fn labels(&mut self, labels: Labels<'_>, more: Option<(&str, &str)>) {
        let mut mark = '{';
        for (name, value) in labels.iter().copied().chain(more) {
            self.0.push(mark);
            self.0.push_str(name);
            self.0.push_str("=\"");
            for char in value.chars() {
                match char {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    char => self.0.push(char),
                }
            }
            self.0.push('"');
            mark = ',';
        }
        if mark == ',' {
            self.0.push('}');
        }
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // A `String` takes whatever is written.
        let _ = writeln!(self.0, "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_prometheus_reads_them() {
        let mut text = Text::default();
        text.gauge("a_bytes", "Bytes.", 7);
        text.family("b_total", "counter", "Things.");
        text.sample("b_total", &[("path", "/a\"b\\c\nd"), ("n", "1")], 2);
        text.family("c_seconds", "histogram", "Time.");
        let counts = Counts {
            below: vec![(250, 1), (1_000, 3)],
            all: 4,
            sum: 5_500_000,
        };
        text.histogram("c_seconds", &[("n", "1")], &counts, 1_000_000);
        let expected = r#"# HELP a_bytes Bytes.
# TYPE a_bytes gauge
a_bytes 7
# HELP b_total Things.
# TYPE b_total counter
b_total{path="/a\"b\\c\nd",n="1"} 2
# HELP c_seconds Time.
# TYPE c_seconds histogram
c_seconds_bucket{n="1",le="0.00025"} 1
c_seconds_bucket{n="1",le="0.001"} 3
c_seconds_bucket{n="1",le="+Inf"} 4
c_seconds_sum{n="1"} 5.5
c_seconds_count{n="1"} 4
"#;
        assert_eq!(text.into_string(), expected);
    }
}
