//! The folder `migrations/` of an application: one file of SQL for each migration.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use carafe_store::store::Migration;

/// The folder's name, beside the declaration.
const FOLDER: &str = "migrations";

/// The migrations of an application, by name; none where it has no such folder.
///
/// # Errors
///
/// Where a file cannot be read.
pub fn read(folder: &Path) -> Result<Vec<Migration>> {
    let folder = folder.join(FOLDER);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut migrations = Vec::new();
    let entries = std::fs::read_dir(&folder)
        .with_context(|| format!("read the folder {}", folder.display()))?;
    for entry in entries {
        let path = entry
            .with_context(|| format!("read the folder {}", folder.display()))?
            .path();
        let name = path.file_stem().and_then(|name| name.to_str());
        if path.extension().is_some_and(|end| end == "sql")
            && let Some(name) = name.filter(|name| !name.starts_with('.'))
        {
            migrations.push(Migration {
                name: name.to_owned(),
                text: std::fs::read_to_string(&path)
                    .map(|text| text.trim_start_matches('\u{FEFF}').to_owned())
                    .with_context(|| format!("read {}", path.display()))?,
            });
        }
    }
    migrations.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(migrations)
}

/// Writes the migrations that have no file yet, and returns the paths.
///
/// # Errors
///
/// Where a file cannot be written.
pub fn write_missing(folder: &Path, migrations: &[Migration]) -> Result<Vec<PathBuf>> {
    let folder = folder.join(FOLDER);
    let mut written = Vec::new();
    for migration in migrations {
        let path = folder.join(format!("{}.sql", migration.name));
        if !path.exists() {
            std::fs::create_dir_all(&folder)
                .and_then(|()| std::fs::write(&path, &migration.text))
                .with_context(|| format!("write {}", path.display()))?;
            written.push(path);
        }
    }
    Ok(written)
}
