//! A mistake in a declaration, and the report that shows it in its place.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// A mistake in a text: where it is, what is wrong, what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the text.
    pub span: Range<usize>,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
    /// Short words under the underlined text.
    pub label: String,
    /// What to write instead.
    pub hint: Option<String>,
    /// Another place that has to do with it, such as the first of two that are the same.
    pub related: Option<(Range<usize>, String)>,
    /// Something is missing that may stand in a part of the text that could not be read.
    pub(crate) absence: bool,
}

impl Problem {
    #[must_use]
    pub fn new(span: Range<usize>, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            label: label.into(),
            hint: None,
            related: None,
            absence: false,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub(crate) fn related(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.related = Some((span, label.into()));
        self
    }

    #[must_use]
    pub(crate) fn absence(mut self) -> Self {
        self.absence = true;
        self
    }

    /// Line and column of the start in `text`, both from 1, the column in characters.
    #[must_use]
    pub fn position(&self, text: &str) -> (usize, usize) {
        let before = &text[..floor(text, self.span.start)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }
}

/// A report of all problems in the manner of rustc: each with file, line, column, the text
/// underlined, and the hint; `color` for terminals. Ends with a newline, empty without problems.
#[must_use]
pub fn render(problems: &[Problem], file: &str, text: &str, color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    // The renderer needs a line to underline, and an empty file has none.
    let source = if text.is_empty() { "\n" } else { text };
    let reports: Vec<String> = problems
        .iter()
        .map(|problem| format!("{}\n", renderer.render(&[group(problem, file, source)])))
        .collect();
    reports.join("\n")
}

fn group<'a>(problem: &'a Problem, file: &'a str, source: &'a str) -> Group<'a> {
    let primary = AnnotationKind::Primary
        .span(visible(source, &problem.span))
        .label(&problem.label);
    let related = problem.related.iter().map(|(span, label)| {
        AnnotationKind::Context
            .span(visible(source, span))
            .label(label)
    });
    let snippet = Snippet::source(source)
        .path(file)
        .annotation(primary)
        .annotations(related);
    let group = Level::ERROR
        .primary_title(&problem.message)
        .element(snippet);
    match &problem.hint {
        Some(hint) => group.element(Level::HELP.message(hint)),
        None => group,
    }
}

/// The part of `span` on its first line, on the bounds of characters.
fn visible(source: &str, span: &Range<usize>) -> Range<usize> {
    let start = floor(source, span.start);
    let end = floor(source, span.end.max(start));
    let line = source[start..end]
        .split(['\n', '\r'])
        .next()
        .map_or(0, str::len);
    start..start + line
}

/// The last bound of a character at or before `index`.
fn floor(text: &str, index: usize) -> usize {
    text.floor_char_boundary(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let text = "a = 1\r\nä = 2\n";
        for (start, expected) in [(0, (1, 1)), (7, (2, 1)), (10, (2, 3)), (99, (3, 1))] {
            let problem = Problem::new(start..start, "", "");
            assert_eq!(problem.position(text), expected, "start: {start}");
        }
    }

    #[test]
    fn a_report_shows_the_place_and_the_hint() {
        let text = "a = 1\nb = [\n  2,\n]\n";
        let problem = Problem::new(10..18, "`b` is a whole number", "this is a list")
            .hint("write `b = 10`")
            .related(0..1, "`a` is one");
        insta::assert_snapshot!(render(&[problem], "carafe.toml", text, false), @"
    error: `b` is a whole number
     --> carafe.toml:2:5
      |
    1 | a = 1
      | - `a` is one
    2 | b = [
      |     ^ this is a list
      |
      = help: write `b = 10`
    ");
    }

    #[test]
    fn color_is_only_for_terminals() {
        let problems = [Problem::new(0..1, "message", "label")];
        assert!(!render(&problems, "f", "a", false).contains('\u{1b}'));
        assert!(render(&problems, "f", "a", true).contains('\u{1b}'));
        assert_eq!(render(&[], "f", "a", false), "");
    }

    proptest::proptest! {
        #[test]
        fn any_place_in_any_text_is_rendered(text: String, start in 0_usize..40, length in 0_usize..40) {
            let problem = Problem::new(start..start + length, "message", "label")
                .related(length..start, "related");
            let report = render(&[problem], "carafe.toml", &text, true);
            assert!(report.contains("message"));
        }
    }
}
