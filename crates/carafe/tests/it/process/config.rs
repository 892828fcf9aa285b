//! `carafe config`, and where settings come from.

use serde_json::{Value, json};

use super::{Folder, Ran};

/// The setting of this name, as `carafe config --json` has it.
fn find<'a>(settings: &'a Value, name: &str) -> &'a Value {
    let settings = settings.as_array().unwrap();
    let found = settings.iter().find(|setting| setting["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn every_setting_has_its_value_and_says_where_it_comes_from() {
    let folder = Folder::notes();
    folder.write(
        ".env",
        "PORT=1\nHOST=::1\nCARAFE_MIGRATE=true\nLOG_LEVEL=debug\nDATABASE_URL=sqlite:a.db\n",
    );
    let mut command = folder.command(&["config", "--json", "--port", "3"]);
    command.env("PORT", "2").env("HOST", "::2");
    let settings: Value = serde_json::from_str(&Ran::of(command.output().unwrap()).ok()).unwrap();
    for (name, variable, value, from) in [
        ("port", "PORT", json!("3"), "--port"),
        ("host", "HOST", json!("::2"), "HOST"),
        ("log-level", "LOG_LEVEL", json!("debug"), ".env"),
        ("migrate", "CARAFE_MIGRATE", json!("true"), ".env"),
        ("database", "DATABASE_URL", json!("sqlite:./a.db"), ".env"),
        ("durability", "DURABILITY", json!("full"), "default"),
        (
            "new-secret-key",
            "NEW_SECRET_KEY",
            json!("false"),
            "default",
        ),
        ("public-url", "PUBLIC_URL", json!(null), "default"),
    ] {
        let expected = json!({ "name": name, "variable": variable, "value": value, "from": from });
        assert_eq!(find(&settings, name), &expected);
    }
}

#[test]
fn secrets_are_not_printed() {
    let folder = Folder::notes();
    let table = folder.run(&["config"]).ok();
    assert!(table.contains("kept in ./secret.key"), "{table}");
    assert!(!folder.path("secret.key").exists(), "nothing is made");
    let mut command = folder.command(&["config"]);
    command
        .env("SECRET_KEY", "s3cret-key")
        .env("DATABASE_URL", "postgres://ann:s3cret@db/notes")
        .env("READ_DATABASE_URL", "postgres://ann:s3cret@copy/notes");
    let table = Ran::of(command.output().unwrap()).ok();
    assert!(!table.contains("s3cret"), "{table}");
    for row in [
        ["secret-key", "***", "SECRET_KEY"],
        ["database", "postgres://ann:***@db/notes", "DATABASE_URL"],
    ] {
        let mut lines = table.lines().map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(str::trim).collect::<Vec<_>>()
        });
        assert!(lines.any(|cells| cells == row), "{row:?}: {table}");
    }
}

#[test]
fn a_value_that_cannot_be_is_refused_with_its_place() {
    let folder = Folder::notes();
    for (name, value, expected) in [
        (
            "PORT",
            "70000",
            "PORT in the environment is \"70000\": 70000 is not in 0..=65535",
        ),
        (
            "CARAFE_ENV",
            "live",
            "CARAFE_ENV in the environment is \"live\": it must be development or production",
        ),
        (
            "CARAFE_MIGRATE",
            "perhaps",
            "CARAFE_MIGRATE in the environment is \"perhaps\": ",
        ),
        (
            "DATABASE_URL",
            "mysql://ann:s3cret@db",
            "DATABASE_URL in the environment cannot be used: the database must be sqlite:PATH",
        ),
    ] {
        for command in ["serve", "config"] {
            let mut command = folder.command(&[command]);
            command.env(name, value);
            let complaint = Ran::of(command.output().unwrap()).refused();
            assert!(complaint.contains(expected), "{complaint}");
            assert!(!complaint.contains("s3cret"), "{complaint}");
        }
    }
    // An option in its place is used, and one that cannot be is a mistake in the command line.
    let mut command = folder.command(&["config", "--port", "3"]);
    command.env("PORT", "70000");
    Ran::of(command.output().unwrap()).ok();
    assert_eq!(folder.run(&["config", "--port", "70000"]).code, Some(2));
}

#[test]
fn a_near_miss_in_the_file_gets_a_hint() {
    let folder = Folder::notes();
    folder.write(".env", "DATABSE_URL=sqlite:a.db\nOF_ANOTHER_PROGRAM=1\n");
    let ran = folder.run(&["config"]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(
        ran.stderr,
        "warning: DATABSE_URL in .env is no setting; did you mean DATABASE_URL?\n"
    );
}

#[test]
fn a_folder_that_is_not_there_is_no_place_for_settings() {
    let complaint = Folder::empty().run(&["config", "shop"]).refused();
    assert!(complaint.contains("there is no folder shop"), "{complaint}");
}

#[test]
fn a_secret_that_is_refused_is_not_printed() {
    let folder = Folder::notes();
    for arguments in [
        ["serve", "--database", "mysql://ann:s3cret@db/notes"],
        ["config", "--sentry-dsn", "https://s3cret@"],
    ] {
        let output = folder.command(&arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("cannot be used") && !said.contains("s3cret"),
            "{said}"
        );
    }
    folder.write(".env", "SECRET_KEY=\"s3cret\nPORT=1\n");
    let refused = folder.run(&["config"]).refused();
    assert!(refused.contains("begins with \"SECRET_KEY\""), "{refused}");
    assert!(!refused.contains("s3cret"), "{refused}");
}

#[test]
fn a_level_that_is_none_is_refused() {
    let folder = Folder::notes();
    for level in ["loud", "info,carafe_web=loud", ""] {
        let output = folder
            .command(&["config", "--log-level", level])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("error, warn, info, debug or trace"),
            "{level}: {said}"
        );
    }
    folder
        .run(&["config", "--log-level", "warn,carafe_web=debug"])
        .ok();
}
