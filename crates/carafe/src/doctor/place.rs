//! The place that a server runs in: keys, certificates, files, limits of the process.

use std::path::Path;

use carafe_service::clock::Clock;
use carafe_web::sign::SecretKey;

use crate::args::{Durability, Serve};
use crate::command::report;
use crate::config::{self, DatabaseConfig};
use crate::descriptors;
use crate::settings::{FILE, Setting, Source};

use super::Finding;

/// A certificate is renewed when it has this long left.
const RENEWED_SECONDS: i64 = 14 * 24 * 60 * 60;

pub(super) fn examine(args: &Serve, settings: &[Setting]) -> Vec<Finding> {
    let mut findings = vec![secret_key(args), public_url(args)];
    findings.extend(tls(args));
    findings.extend(durability(args));
    findings.extend(files(args, settings));
    findings.extend(descriptors(args.max_connections));
    findings.extend(backups(args));
    findings
}

fn secret_key(args: &Serve) -> Finding {
    const SUBJECT: &str = "secret key";
    const ADVICE: &str = "make one by `openssl rand -hex 32`, and give it as SECRET_KEY";
    let Some(key) = &args.secret_key else {
        return match (args.is_production(), config::key_file(args)) {
            (true, _) => Finding::error(SUBJECT, "production needs one that is given", ADVICE),
            (false, Some(path)) => {
                let text = match path.exists() {
                    true => format!("kept in {}", path.display()),
                    false => format!("made at the first start, in {}", path.display()),
                };
                Finding::ok(SUBJECT, text)
            }
            (false, None) => Finding::ok(SUBJECT, "a new one at every start"),
        };
    };
    if let Err(error) = SecretKey::new(key.as_bytes()) {
        return Finding::error(SUBJECT, error.to_string(), ADVICE);
    }
    match (config::is_guessable(key), args.is_production()) {
        (false, _) => Finding::ok(SUBJECT, "given"),
        (true, true) => Finding::error(SUBJECT, "one that others can guess", ADVICE),
        (true, false) => Finding::warning(SUBJECT, "one that others can guess", ADVICE),
    }
}

fn public_url(args: &Serve) -> Finding {
    const SUBJECT: &str = "public URL";
    match &args.public_url {
        Some(url) if args.is_production() && url.starts_with("http://") => Finding::warning(
            SUBJECT,
            format!("{url} is not encrypted"),
            "speak https: --tls-cert, or a proxy; then say https:// in --public-url",
        ),
        Some(url) => Finding::ok(SUBJECT, url),
        None if args.is_production() => Finding::warning(
            SUBJECT,
            "not said: addresses in answers are made of what clients send as Host",
            "--public-url https://…, the address that clients see",
        ),
        None => Finding::ok(SUBJECT, "not needed in development"),
    }
}

fn tls(args: &Serve) -> Option<Finding> {
    const SUBJECT: &str = "certificate";
    let tls = match config::tls(args) {
        Ok(tls) => tls?,
        Err(error) => {
            let advice = "name two files of PEM that belong together";
            return Some(Finding::error(SUBJECT, report_plainly(&error), advice));
        }
    };
    let now = Clock::System.timestamp();
    let finding = match tls.files().expires().ok().flatten() {
        Some(end) if end < now => Finding::error(
            SUBJECT,
            format!("it has expired, at {end}: clients refuse it"),
            "renew it, then SIGHUP",
        ),
        Some(end) if end.as_second() - now.as_second() < RENEWED_SECONDS => Finding::warning(
            SUBJECT,
            format!("it expires soon, at {end}"),
            "renew it, then SIGHUP; have that done by itself",
        ),
        Some(end) => Finding::ok(SUBJECT, format!("valid until {end}")),
        None => Finding::warning(
            SUBJECT,
            "how long it is valid cannot be read",
            "look at it by `openssl x509 -text`",
        ),
    };
    Some(finding)
}

/// An error and its causes on one line.
fn report_plainly(error: &anyhow::Error) -> String {
    let report = report(error);
    let lines = report.trim_start_matches("error: ").lines().map(str::trim);
    lines.collect::<Vec<_>>().join(": ")
}

fn durability(args: &Serve) -> Option<Finding> {
    match args.database.durability {
        Durability::Full => None,
        Durability::Normal => Some(Finding::warning(
            "durability",
            "normal: a power cut can lose the last writes that were answered",
            "--durability full, unless that is meant",
        )),
    }
}

fn backups(args: &Serve) -> Option<Finding> {
    let is_file = DatabaseConfig::from(&args.database).file().is_some();
    match (&args.backup_folder, is_file && args.is_production()) {
        (Some(folder), _) if is_file => Some(Finding::ok(
            "backups",
            format!("made in {}", folder.display()),
        )),
        (None, true) => Some(Finding::warning(
            "backups",
            "the server makes none",
            "--backup-folder, on another disk, or run `carafe backup` by a timer",
        )),
        _ => None,
    }
}

/// Files whose content is secret, as far as they are there.
fn files(args: &Serve, settings: &[Setting]) -> Vec<Finding> {
    let database = DatabaseConfig::from(&args.database).file();
    let given = args.secret_key.is_some();
    let key = config::key_file(args).filter(|_| !given);
    let in_file = |setting: &Setting| setting.is_secret && setting.source == Source::File;
    let settings_file = settings.iter().any(in_file);
    let settings_file = settings_file.then(|| args.folder().join(FILE));
    let secret = [key, args.tls_key.clone(), settings_file];
    let secret = secret.into_iter().flatten();
    let secret = secret.filter_map(|path| readable(&path, 0o077, "600"));
    let database = database.and_then(|path| readable(&path, 0o007, "o-rwx"));
    secret.chain(database).collect()
}

/// A warning where a file has one of these rights.
#[cfg(unix)]
fn readable(path: &Path, rights: u32, change: &str) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    (mode & rights != 0).then(|| {
        Finding::warning(
            "file",
            format!(
                "{} can be read by other users of the machine",
                path.display()
            ),
            format!("chmod {change} {}", path.display()),
        )
    })
}

#[cfg(not(unix))]
fn readable(_: &Path, _: u32, _: &str) -> Option<Finding> {
    None
}

fn descriptors(connections: usize) -> Option<Finding> {
    const SUBJECT: &str = "open files";
    let (most, needed) = (descriptors::most()?, descriptors::needed(connections));
    Some(match most < needed {
        true => Finding::warning(
            SUBJECT,
            format!("{most} at most, and so fewer connections than the server takes"),
            format!("`ulimit -n {needed}`, or LimitNOFILE={needed} for systemd"),
        ),
        false => Finding::ok(SUBJECT, format!("{most} at most")),
    })
}
