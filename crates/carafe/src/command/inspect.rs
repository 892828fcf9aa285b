//! `carafe inspect`

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use carafe_store::inspect;

use crate::args::Inspect;
use crate::{application, config, sketch};

/// Sketches a declaration from the tables of a database, on standard output or in a new file.
pub(super) fn run(args: &Inspect) -> Result<()> {
    if let Some(path) = &args.output
        && path.exists()
    {
        bail!("{} is there already; nothing was changed", path.display());
    }
    let config = config::existing_database(&args.url)?;
    let place = config.place();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start")?;
    let tables = runtime
        .block_on(inspect::tables(&config.url))
        .map_err(application::explain)
        .with_context(|| format!("read the tables of {place}"))?;
    let declaration = sketch::declaration(&tables, &place).ok_or_else(|| {
        anyhow!(
            "there is no table in {place} that could be a resource\n\n\
             hint: of PostgreSQL, the schema that is first in the search_path is read; see \
             `carafe inspect --help`"
        )
    })?;
    match &args.output {
        Some(path) => write_new(path, &declaration),
        None => std::io::stdout()
            .write_all(declaration.as_bytes())
            .context("write the declaration"),
    }
}

fn write_new(path: &Path, declaration: &str) -> Result<()> {
    File::create_new(path)
        .and_then(|mut file| file.write_all(declaration.as_bytes()))
        .with_context(|| format!("write {}", path.display()))?;
    println!("Wrote {}", path.display());
    Ok(())
}
