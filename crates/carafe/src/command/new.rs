//! `carafe new`

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::config::DECLARATION;

const FIRST_DECLARATION: &str = r#"# What this application keeps. Every resource has an API under /api and pages of its own.
# `carafe check` says what is wrong with this file; `carafe serve` takes up changes at once.

[resources.notes]
search = ["title", "content"]    # what the search box looks through
order  = ["-created_at"]         # newest first

[resources.notes.fields]
title      = { type = "string", max_length = 200 }
content    = { type = "text" }
is_pinned  = { type = "boolean", default = false, label = "Pin this note" }
created_at = { type = "datetime", set = "create" }
updated_at = { type = "datetime", set = "update" }
"#;

const GITIGNORE: &str = "data.db\ndata.db-*\nsecret.key\n.env\n";

/// Makes `folder` with a first declaration.
pub(super) fn run(folder: &Path) -> Result<()> {
    let declaration = folder.join(DECLARATION);
    if declaration.exists() {
        bail!(
            "{} is there already; nothing was changed",
            declaration.display()
        );
    }
    std::fs::create_dir_all(folder)
        .with_context(|| format!("make the folder {}", folder.display()))?;
    write(&declaration, FIRST_DECLARATION)?;
    let gitignore = folder.join(".gitignore");
    if !gitignore.exists() {
        write(&gitignore, GITIGNORE)?;
    }
    println!(
        "Made {}\n\nNext: carafe serve {}",
        declaration.display(),
        folder.display()
    );
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}
