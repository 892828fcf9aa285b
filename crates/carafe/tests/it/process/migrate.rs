//! `carafe migrate`, as a person at a terminal uses it, over both databases.

use serde_json::json;

use super::{Folder, Process};
use crate::postgres::{self, TestDatabase};

const FIRST: &str =
    "[resources.notes.fields]\ntitle = { type = \"string\" }\nsize = { type = \"string\" }\n";

const SECOND: &str = "[resources.notes.fields]\nname = { type = \"string\", was = \"title\" }\n\
     size = { type = \"integer\" }\nrank = { type = \"integer\", default = 1 }\n";

/// Each database by its URL, and what is to be dropped in the end.
async fn databases(folder: &Folder) -> Vec<(String, Option<TestDatabase>)> {
    let file = format!("sqlite:{}", folder.path("data.db").display());
    let mut databases = vec![(file, None)];
    if postgres::is_there() {
        let database = TestDatabase::create().await.unwrap();
        databases.push((database.url(), Some(database)));
    }
    databases
}

#[tokio::test]
async fn a_declaration_changes_and_its_database_with_it() {
    let folder = Folder::empty();
    for (url, database) in databases(&folder).await {
        let folder = Folder::new(FIRST);
        let migrate = |arguments: &[&str]| {
            let mut words = vec!["migrate", "--database", &url];
            words.extend(arguments);
            folder.run(&words)
        };
        let serve = |arguments: &[&str]| {
            let mut words = vec!["serve", "--port", "0", "--database", &url];
            words.extend(arguments);
            let mut command = folder.command(&words);
            command.env("SECRET_KEY", "3f1c9a7e5b2d8046c1e7f3a95d20b86e");
            command
        };
        let plan = migrate(&["--plan"]).ok();
        assert!(
            plan.starts_with("1. Create table `notes`\n     CREATE TABLE"),
            "{plan}"
        );
        let server = Process::start(serve(&[]));
        assert!(folder.path("migrations/0001_create_notes.sql").exists());
        for size in ["7", "8", "many"] {
            let note = json!({ "title": format!("n{size}"), "size": size });
            let made = server
                .client()
                .send("POST", "/api/notes", Some(&note))
                .await;
            assert_eq!(made.unwrap().status, 201);
        }
        server.stop();

        folder.write("carafe.toml", SECOND);
        let refused = migrate(&[]).refused();
        assert!(
            refused.contains("has values that do not fit: 3 has \"many\""),
            "{refused}"
        );
        let production = serve(&["--env", "production"]).output().unwrap();
        let said = String::from_utf8(production.stderr).unwrap();
        assert!(
            said.contains("- Rename field `notes.title` to `notes.name`")
                && said.contains("carafe migrate --plan"),
            "{said}"
        );
        folder.write("carafe.toml", FIRST);
        let server = Process::start(serve(&[]));
        let size = json!({ "size": "9" });
        let changed = server
            .client()
            .send("PATCH", "/api/notes/3", Some(&size))
            .await;
        assert_eq!(changed.unwrap().status, 200);
        server.stop();

        folder.write("carafe.toml", SECOND);
        let plan = migrate(&["--plan"]).ok();
        assert!(
            plan.contains("2. Convert field `notes.size` from string to integer"),
            "{plan}"
        );
        let done = migrate(&[]).ok();
        assert!(
            done.contains("Wrote ./migrations/0002_rename_notes_title.sql"),
            "{done}"
        );
        assert!(migrate(&[]).ok().starts_with("Nothing to do"));
        let server = Process::start(serve(&["--env", "production"]));
        let note = server.client().get("/api/notes/3").await.json();
        assert_eq!(
            note,
            json!({ "id": 3, "name": "nmany", "size": 9, "rank": 1 })
        );
        server.stop();

        // The same again, elsewhere, by the files.
        let other = format!("sqlite:{}", folder.path("other.db").display());
        let done = folder.run(&["migrate", "--database", &other]).ok();
        assert_eq!(
            done,
            "Applied `0001_create_notes`\nApplied `0002_rename_notes_title`\n"
        );

        // Back, and what is left out then is dropped only when that is agreed to.
        let undone = migrate(&["--undo"]).ok();
        assert!(
            undone.starts_with("Took back `0002_rename_notes_title`."),
            "{undone}"
        );
        std::fs::remove_file(folder.path("migrations/0002_rename_notes_title.sql")).unwrap();
        folder.write(
            "carafe.toml",
            "[resources.notes.fields]\ntitle = { type = \"string\" }\n",
        );
        let done = migrate(&[]).ok();
        assert!(
            done.contains(
                "Left to be done, because data would be lost:\n  Drop field `notes.size`"
            ),
            "{done}"
        );
        let plan = migrate(&["--plan"]).ok();
        assert!(
            plan.contains("Drop field `notes.size`  [LOSES DATA]"),
            "{plan}"
        );
        let done = migrate(&["--accept-loss"]).ok();
        assert!(done.contains("Dropped field `notes.size`"), "{done}");
        assert!(migrate(&["--plan"]).ok().starts_with("Nothing to do"));
        if let Some(database) = database {
            database.drop().await;
        }
    }
}

#[test]
fn a_migration_that_fails_is_named_with_the_cause() {
    let folder = Folder::new(FIRST);
    folder.write("migrations/0001_bad.sql", "CREATE TABLE;\n");
    let refused = folder.run(&["migrate"]).refused();
    assert!(
        refused.contains("migration `0001_bad` failed") && refused.contains("syntax error"),
        "{refused}"
    );
    assert!(
        folder
            .run(&["migrate", "--undo"])
            .ok()
            .contains("no migration to take back")
    );
}

#[tokio::test]
async fn a_parent_is_renamed_with_what_refers_to_it() {
    let declaration = |users: &str, was: &str| {
        format!(
            "[resources.{users}]\n{was}\n[resources.{users}.fields]\nname = {{ type = \"string\" }}\n\
             [resources.emails]\nparent = \"{users}\"\n[resources.emails.fields]\n\
             address = {{ type = \"string\" }}\n"
        )
    };
    let place = Folder::empty();
    for (url, database) in databases(&place).await {
        let folder = Folder::new(&declaration("users", ""));
        let serve = || {
            let mut command = folder.command(&["serve", "--port", "0", "--database", &url]);
            command.env("SECRET_KEY", "3f1c9a7e5b2d8046c1e7f3a95d20b86e");
            Process::start(command)
        };
        let server = serve();
        let client = server.client();
        client.post("/api/users", json!({ "name": "Ann" })).await;
        let email = json!({ "address": "ann@example.org" });
        assert_eq!(client.post("/api/users/1/emails", email).await.status, 201);
        server.stop();
        folder.write("carafe.toml", &declaration("owners", "was = \"users\""));
        let server = serve();
        let emails = server.client().get("/api/owners/1/emails").await.json();
        assert_eq!(emails["total"], 1, "{emails}");
        server.stop();
        if let Some(database) = database {
            database.drop().await;
        }
    }
}
