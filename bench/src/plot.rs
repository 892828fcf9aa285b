//! The lines as a picture: a bar for each, its length the share of the goal that is reached.

use std::fmt::Write;

use crate::report::{Line, Wanted};

const ROW: usize = 26;
const LABEL: usize = 420;
const WIDTH: usize = 1100;
/// Pixels of a bar that reaches its goal.
const GOAL: f64 = 240.0;
/// Bars end here, however far beyond the goal they go.
const SHARE_MAX: f64 = 2.0;

/// An SVG picture of the lines that have a goal.
pub(crate) fn svg(lines: &[Line]) -> String {
    let lines: Vec<&Line> = lines.iter().filter(|line| line.wanted.is_some()).collect();
    let height = (lines.len() + 2) * ROW;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let goal = LABEL as f64 + GOAL;
    let _ = writeln!(
        svg,
        "<text x=\"{goal}\" y=\"18\" text-anchor=\"middle\">goal</text>\n\
         <line x1=\"{goal}\" y1=\"24\" x2=\"{goal}\" y2=\"{height}\" stroke=\"black\"/>"
    );
    for (row, line) in lines.iter().enumerate() {
        let y = (row + 1) * ROW + 6;
        let share = share(line).min(SHARE_MAX);
        let colour = if line.is_met() == Some(true) {
            "#2a7f4f"
        } else {
            "#b3452c"
        };
        let (bar, text) = (share * GOAL, y + 13);
        let _ = writeln!(
            svg,
            "<text x=\"8\" y=\"{text}\">{}</text>\n\
             <rect x=\"{LABEL}\" y=\"{y}\" width=\"{bar:.0}\" height=\"18\" fill=\"{colour}\"/>\n\
             <text x=\"{:.0}\" y=\"{text}\">{:.3} ({})</text>",
            escaped(&format!(
                "{} {}, beside {}",
                line.goal, line.what, line.against
            )),
            LABEL as f64 + bar + 6.0,
            line.ratio,
            escaped(&line.wanted()),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// How much of its goal a line reaches: 1 where it just does.
fn share(line: &Line) -> f64 {
    match line.wanted {
        Some(Wanted::AtLeast(wanted)) => line.ratio / wanted,
        Some(Wanted::AtMost(wanted)) => wanted / line.ratio,
        None => 0.0,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
