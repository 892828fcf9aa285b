//! The database, and whether its tables are what the declaration says.

use std::sync::Arc;

use carafe_model::schema::Schema;
use carafe_service::clock::Clock;
use carafe_store::diagnosis::{self, Damage, Diagnosis, File, Server};
use carafe_store::error::Error;
use carafe_store::store::{Durability, untold};

use crate::application::{self, explain};
use crate::args::Serve;
use crate::command::report;
use crate::config::DatabaseConfig;
use crate::migrations;

use super::Finding;

const SUBJECT: &str = "database";

/// Seconds that two clocks may differ.
const SKEW_MAX: f64 = 5.0;

pub(super) async fn examine(args: &Serve, schema: Option<&Arc<Schema>>) -> Vec<Finding> {
    let config = DatabaseConfig::from(&args.database);
    if config.is_in_memory() {
        let text = "in memory: everything is gone when the server stops";
        return vec![Finding::warning(
            SUBJECT,
            text,
            "name a file: --database sqlite:data.db",
        )];
    }
    if config.file().is_some_and(|file| !file.exists()) {
        return vec![missing(args, &config)];
    }
    let found = match diagnosis::diagnose(&config.url).await {
        Ok(found) => found,
        Err(error) => return vec![unreachable(SUBJECT, &config.place(), error)],
    };
    let is_damaged = matches!(&found, Diagnosis::Sqlite(file) if file.damage != Damage::None);
    let searches = schema.is_some_and(|schema| {
        let mut resources = schema.resources.iter();
        resources.any(|resource| !resource.search.is_empty())
    });
    let mut findings = match &found {
        Diagnosis::Sqlite(file) => of_file(file, &config.place()),
        Diagnosis::Postgres(server) => of_server(server, &config.place(), searches),
    };
    if let (Some(schema), false) = (schema, is_damaged) {
        findings.push(tables(args, &config, schema).await);
    }
    if let Some(url) = &args.read_database {
        findings.push(replica(url).await);
    }
    findings
}

fn missing(args: &Serve, config: &DatabaseConfig) -> Finding {
    let text = format!("there is no {} yet", config.place());
    match args.is_production() && !args.migrate {
        true => Finding::error(SUBJECT, text, "`carafe migrate` makes it"),
        false => Finding::ok(SUBJECT, format!("{text}; the first start makes it")),
    }
}

fn unreachable(subject: &'static str, place: &str, error: Error) -> Finding {
    let error = explain(error).context(format!("{place} cannot be used"));
    let text = report(&error);
    let advice = "is the server there, and does it let this user in?";
    Finding::error(subject, text.trim_start_matches("error: "), advice)
}

fn of_file(file: &File, place: &str) -> Vec<Finding> {
    let sound = match &file.damage {
        Damage::None => Finding::ok(
            SUBJECT,
            format!("{place} is sound (SQLite {})", file.version),
        ),
        Damage::Found(lines) => Finding::error(
            SUBJECT,
            format!("{place} is damaged: {}", lines.join("; ")),
            "stop the server, keep the file, and restore a backup: `carafe restore`",
        ),
        Damage::Unknown => Finding::warning(
            SUBJECT,
            format!(
                "{place} is too large to be checked here in {} s",
                diagnosis::CHECK_TIME_MAX.as_secs()
            ),
            "`carafe backup` checks all of it",
        ),
    };
    let is_wal = file.journal_mode.eq_ignore_ascii_case("wal");
    let journal = (!is_wal).then(|| {
        Finding::warning(
            SUBJECT,
            format!("its journal mode is {}, not wal", file.journal_mode),
            "the next start of the server changes it",
        )
    });
    std::iter::once(sound).chain(journal).collect()
}

fn of_server(server: &Server, place: &str, searches: bool) -> Vec<Finding> {
    let mut findings = vec![Finding::ok(
        SUBJECT,
        format!("{place} answers (PostgreSQL {})", server.version),
    )];
    let mut warn = |text: String, advice: &str| {
        findings.push(Finding::warning(SUBJECT, text, advice));
    };
    if !server.fsync || !server.full_page_writes {
        let name = if server.fsync {
            "full_page_writes"
        } else {
            "fsync"
        };
        let text = format!("{name} is off: a power cut can destroy the database");
        warn(text, "turn it on in postgresql.conf");
    }
    if server.synchronous_commit == "off" {
        let text = "synchronous_commit is off by default; Carafe turns it on for its own writes";
        warn(text.to_owned(), "turn it on for other programs too");
    }
    if searches && !server.has_trigrams {
        let text = "the extension pg_trgm is not there: searches read every text";
        warn(
            text.to_owned(),
            "CREATE EXTENSION pg_trgm, from the package postgresql-contrib",
        );
    }
    findings.push(connections(server));
    findings.extend(clocks(server.clock, now()));
    if server.is_replica {
        findings.push(Finding::error(
            SUBJECT,
            "it is a replica, and takes no writes",
            "name the primary, or both with ?target_session_attrs=read-write",
        ));
    }
    findings
}

fn connections(server: &Server) -> Finding {
    let (max, used) = (server.connections_max, server.connections);
    let text = format!(
        "{used} of {max} connections are in use; a process takes {} at most",
        diagnosis::POOL_MAX
    );
    let advice = "raise max_connections, or run fewer processes";
    match (max.saturating_sub(used) as usize) < diagnosis::POOL_MAX {
        true => Finding::warning(SUBJECT, text, advice),
        false => Finding::ok(SUBJECT, text),
    }
}

fn now() -> f64 {
    Clock::System.timestamp().as_millisecond() as f64 / 1000.0
}

fn clocks(server: f64, here: f64) -> Option<Finding> {
    let skew = server - here;
    (skew.abs() > SKEW_MAX).then(|| {
        Finding::warning(
            "clock",
            format!("the database's differs from this machine's by {skew:.0} s"),
            "have both set by NTP",
        )
    })
}

async fn replica(url: &str) -> Finding {
    const SUBJECT: &str = "replica";
    let config = DatabaseConfig {
        url: url.to_owned(),
        durability: Durability::Full,
    };
    match diagnosis::diagnose(url).await {
        Err(error) => unreachable(SUBJECT, &config.place(), error),
        Ok(Diagnosis::Postgres(server)) if server.is_replica => {
            Finding::ok(SUBJECT, format!("{} follows", config.place()))
        }
        Ok(_) => Finding::warning(
            SUBJECT,
            format!("{} is no replica", config.place()),
            "--read-database names a server that follows that of --database",
        ),
    }
}

/// Whether the tables are what the declaration says.
async fn tables(args: &Serve, config: &DatabaseConfig, schema: &Arc<Schema>) -> Finding {
    const SUBJECT: &str = "tables";
    const ADVICE: &str = "`carafe migrate --plan` shows the SQL, `carafe migrate` applies it";
    let plan = async {
        let files = migrations::read(args.folder())?;
        let database = application::open(config)?;
        let plan = database.plan(schema, &files, &untold()).await;
        database.close().await;
        plan.map_err(explain)
    };
    let plan = match plan.await {
        Ok(plan) => plan,
        Err(error) => return Finding::error(SUBJECT, report(&error), ADVICE),
    };
    if plan.is_empty() {
        return Finding::ok(SUBJECT, "they are what the declaration says");
    }
    let text = format!("pending: {}", application::pending(&plan).join("; "));
    let is_refused = args.is_production() && !args.migrate;
    match is_refused || !plan.differences.is_empty() {
        true => Finding::error(SUBJECT, text, ADVICE),
        false => Finding::ok(SUBJECT, format!("{text}; the next start does it")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn server() -> Server {
        Server {
            version: "15.14".to_owned(),
            is_replica: false,
            fsync: true,
            full_page_writes: true,
            synchronous_commit: "on".to_owned(),
            connections_max: 97,
            connections: 3,
            has_trigrams: true,
            clock: now(),
        }
    }

    /// The texts that are not well.
    fn complaints(server: &Server) -> Vec<(Level, String)> {
        let findings = of_server(server, "db", true).into_iter();
        let findings = findings.filter(|finding| finding.level != Level::Ok);
        findings
            .map(|finding| (finding.level, finding.text))
            .collect()
    }

    #[test]
    fn a_server_is_judged_by_its_settings() {
        assert_eq!(complaints(&server()), []);
        let cases = [
            (
                Server {
                    fsync: false,
                    ..server()
                },
                Level::Warning,
                "fsync is off",
            ),
            (
                Server {
                    full_page_writes: false,
                    ..server()
                },
                Level::Warning,
                "full_page_writes is off",
            ),
            (
                Server {
                    synchronous_commit: "off".to_owned(),
                    ..server()
                },
                Level::Warning,
                "synchronous_commit is off",
            ),
            (
                Server {
                    has_trigrams: false,
                    ..server()
                },
                Level::Warning,
                "pg_trgm",
            ),
            (
                Server {
                    connections: 82,
                    ..server()
                },
                Level::Warning,
                "82 of 97 connections",
            ),
            (
                Server {
                    clock: 0.0,
                    ..server()
                },
                Level::Warning,
                "differs from this machine's",
            ),
            (
                Server {
                    is_replica: true,
                    ..server()
                },
                Level::Error,
                "it is a replica",
            ),
        ];
        for (server, level, expected) in cases {
            let found = complaints(&server);
            assert_eq!(found.len(), 1, "{expected}: {found:?}");
            assert_eq!(found[0].0, level, "{expected}");
            assert!(found[0].1.contains(expected), "{found:?}");
        }
    }
}
