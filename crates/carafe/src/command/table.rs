//! Tables for people.

use std::io::IsTerminal;

use comfy_table::{ContentArrangement, Table, presets};

/// An empty table: with lines on a terminal, in Markdown elsewhere.
pub(super) fn new() -> Table {
    let mut table = Table::new();
    let preset = if std::io::stdout().is_terminal() {
        presets::UTF8_FULL_CONDENSED
    } else {
        presets::ASCII_MARKDOWN
    };
    table
        .load_style(preset)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table
}
