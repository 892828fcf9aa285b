//! What a run found: lines with a verdict, as a table, and as JSON.

use std::fmt;
use std::path::Path;

use anyhow::Result;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde::Serialize;

use crate::machine::Machine;
use crate::sample::{Figures, median};

/// One comparison.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    /// The goal, such as `P1`, or the group of what has none.
    pub(crate) goal: &'static str,
    /// What is measured.
    pub(crate) what: String,
    /// What it is measured against.
    pub(crate) against: String,
    /// Carafe's figure and the other's, in `unit`.
    pub(crate) carafe: f64,
    pub(crate) other: f64,
    pub(crate) unit: &'static str,
    /// What is compared with `wanted`: the median of the rounds', each measured at one time. What
    /// disturbs one side in some rounds does not move it.
    pub(crate) ratio: f64,
    /// That of each round, where there are rounds.
    pub(crate) ratios: Vec<f64>,
    pub(crate) wanted: Option<Wanted>,
    /// Carafe's and the other's rates and latencies, where requests were measured.
    pub(crate) figures: Vec<(String, Figures)>,
}

/// What a ratio must reach.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

impl Wanted {
    fn is_met_by(self, ratio: f64) -> bool {
        match self {
            Wanted::AtLeast(wanted) => ratio >= wanted,
            Wanted::AtMost(wanted) => ratio <= wanted,
        }
    }
}

impl Line {
    /// Whether the goal is met; `None` where there is none.
    pub(crate) fn is_met(&self) -> Option<bool> {
        Some(self.wanted?.is_met_by(self.ratio))
    }

    /// Whether some rounds meet the goal and others do not, so that another run may have another
    /// verdict.
    fn is_on_the_line(&self) -> bool {
        let meet = |wanted: Wanted| {
            let met = self.ratios.iter().filter(|ratio| wanted.is_met_by(**ratio));
            (1..self.ratios.len()).contains(&met.count())
        };
        self.wanted.is_some_and(meet)
    }

    /// A comparison of two rates of requests by the processor time of the server.
    pub(crate) fn of_cores(
        goal: &'static str,
        what: &str,
        figures: Vec<(String, Figures)>,
        wanted: Option<Wanted>,
    ) -> Self {
        Self::of(goal, what, figures, wanted, "/s of a core", |figures| {
            figures.rate_of_core
        })
    }

    /// A comparison of two rates of operations by the clock.
    pub(crate) fn of_rates(
        goal: &'static str,
        what: &str,
        figures: Vec<(String, Figures)>,
        wanted: impl Into<Option<Wanted>>,
    ) -> Self {
        Self::of(goal, what, figures, wanted.into(), "/s", |figures| {
            figures.rate
        })
    }

    /// The first figures beside the last.
    pub(crate) fn of(
        goal: &'static str,
        what: &str,
        figures: Vec<(String, Figures)>,
        wanted: Option<Wanted>,
        unit: &'static str,
        value: impl Fn(&Figures) -> f64,
    ) -> Self {
        let at = |index: usize| {
            figures
                .get(index)
                .map_or(0.0, |(_, figures)| value(figures))
        };
        let (carafe, other) = (at(0), at(figures.len() - 1));
        let sides = figures.first().zip(figures.last());
        let rounds = sides.map(|((_, carafe), (_, other))| carafe.rounds.iter().zip(&other.rounds));
        let ratios = rounds.into_iter().flatten();
        let ratios: Vec<f64> = ratios
            .map(|(carafe, other)| value(carafe) / value(other))
            .collect();
        let ratio = match ratios.is_empty() {
            true => carafe / other,
            false => median(ratios.iter().copied()),
        };
        Self {
            goal,
            what: what.to_owned(),
            against: figures
                .last()
                .map(|(name, _)| name.clone())
                .unwrap_or_default(),
            carafe,
            other,
            unit,
            ratio,
            ratios,
            wanted,
            figures,
        }
    }

    /// What was measured beside nothing else: its rate.
    pub(crate) fn alone(goal: &'static str, what: &str, figures: Figures) -> Self {
        Self {
            goal,
            what: what.to_owned(),
            against: String::new(),
            carafe: figures.rate,
            other: 0.0,
            unit: "/s",
            ratio: 0.0,
            ratios: Vec::new(),
            wanted: None,
            figures: vec![("Carafe".to_owned(), figures)],
        }
    }

    /// A figure that has a limit of its own.
    pub(crate) fn limit(
        goal: &'static str,
        what: &str,
        value: f64,
        unit: &'static str,
        limit: f64,
    ) -> Self {
        Self {
            goal,
            what: what.to_owned(),
            against: "the limit".to_owned(),
            carafe: value,
            other: limit,
            unit,
            ratio: value / limit,
            ratios: Vec::new(),
            wanted: Some(Wanted::AtMost(1.0)),
            figures: Vec::new(),
        }
    }

    pub(crate) fn wanted(&self) -> String {
        match self.wanted {
            None => String::new(),
            Some(Wanted::AtLeast(wanted)) => format!("≥ {wanted}"),
            Some(Wanted::AtMost(wanted)) => format!("≤ {wanted}"),
        }
    }

    fn verdict(&self) -> &'static str {
        match (self.is_met(), self.is_on_the_line()) {
            (None, _) => "",
            (Some(true), false) => "met",
            (Some(true), true) => "met, on the line",
            (Some(false), false) => "not met",
            (Some(false), true) => "not met, on the line",
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<10} {:<50} {:>10} {:<12}",
            self.goal,
            self.what,
            number(self.carafe),
            self.unit,
        )?;
        if self.against.is_empty() {
            return Ok(());
        }
        write!(
            f,
            " {:>7.3} of {:<34} {:<8} {}",
            self.ratio,
            self.against,
            self.wanted(),
            self.verdict()
        )
    }
}

/// The lines as a table, then the percentiles of what answered requests.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut goals = Table::new();
    goals.load_style(UTF8_FULL_CONDENSED);
    goals.set_header([
        "goal", "what", "Carafe", "against", "", "ratio", "wanted", "",
    ]);
    for line in lines {
        goals.add_row([
            line.goal.to_owned(),
            line.what.clone(),
            format!("{} {}", number(line.carafe), line.unit),
            line.against.clone(),
            number(line.other),
            format!("{:.3}", line.ratio),
            line.wanted(),
            line.verdict().to_owned(),
        ]);
    }
    let mut latencies = Table::new();
    latencies.load_style(UTF8_FULL_CONDENSED);
    latencies.set_header([
        "goal",
        "what",
        "who",
        "/s",
        "/s of a core",
        "p50 ms",
        "p95",
        "p99",
        "max",
    ]);
    for line in lines {
        for (name, figures) in &line.figures {
            latencies.add_row([
                line.goal.to_owned(),
                line.what.clone(),
                name.clone(),
                number(figures.rate),
                number(figures.rate_of_core),
                format!("{:.3}", figures.p50),
                format!("{:.3}", figures.p95),
                format!("{:.3}", figures.p99),
                format!("{:.3}", figures.max),
            ]);
        }
    }
    format!("{goals}\n\n{latencies}")
}

/// Writes the lines and what they were measured on.
pub(crate) fn write_json(path: &Path, machine: &Machine, lines: &[Line]) -> Result<()> {
    #[derive(Serialize)]
    struct Report<'a> {
        machine: &'a Machine,
        lines: &'a [Line],
    }
    let text = serde_json::to_string_pretty(&Report { machine, lines })?;
    std::fs::write(path, text)?;
    Ok(())
}

/// Three digits at least, and no more after the point than they need.
fn number(value: f64) -> String {
    if value >= 1000.0 {
        let digits = format!("{value:.0}");
        let mut text = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        text
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(ratios: &[f64], wanted: Wanted) -> Line {
        let side = |rates: &[f64]| {
            let rounds = rates.iter().map(|rate| Figures {
                rate: *rate,
                ..Figures::default()
            });
            Figures {
                rate: rates[0],
                rounds: rounds.collect(),
                ..Figures::default()
            }
        };
        let ones = vec![1.0; ratios.len()];
        let figures = [("Carafe", side(ratios)), ("other", side(&ones))];
        let figures = figures.map(|(name, figures)| (name.to_owned(), figures));
        Line::of_rates("P0", "a line", figures.into(), wanted)
    }

    #[test]
    fn a_verdict_says_where_rounds_differ() {
        let cases: [(&[f64], Wanted, &str); 6] = [
            (&[0.4, 0.5, 0.6], Wanted::AtLeast(0.3), "met"),
            (&[0.4, 0.5, 0.2], Wanted::AtLeast(0.3), "met, on the line"),
            (
                &[0.2, 50.0, 0.1],
                Wanted::AtLeast(0.3),
                "not met, on the line",
            ),
            (&[0.2, 0.1], Wanted::AtLeast(0.3), "not met"),
            (&[3.5, 2.0, 2.5], Wanted::AtMost(3.0), "met, on the line"),
            (&[3.5], Wanted::AtMost(3.0), "not met"),
        ];
        for (ratios, wanted, expected) in cases {
            assert_eq!(line(ratios, wanted).verdict(), expected, "{ratios:?}");
        }
    }
}
