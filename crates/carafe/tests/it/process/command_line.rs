//! The commands that end by themselves.

use super::{Folder, Ran};

#[test]
fn new_makes_a_folder_that_serves() {
    let folder = Folder::empty();
    let said = folder.run(&["new", "shop"]).ok();
    assert!(
        said.contains("shop/carafe.toml") && said.contains("carafe serve shop"),
        "{said}"
    );
    let said = folder.run(&["check", "shop"]).ok();
    assert!(said.contains("shop/carafe.toml is fine"), "{said}");
    let ignored = std::fs::read_to_string(folder.path("shop/.gitignore")).unwrap();
    for name in ["data.db", "secret.key", ".env"] {
        assert!(ignored.lines().any(|line| line == name), "{name}");
    }
    let created = folder.run(&["create", "notes", "-C", "shop", "title=a", "content=b"]);
    assert!(created.ok().contains("| title"));

    let before = std::fs::read_to_string(folder.path("shop/carafe.toml")).unwrap();
    let complaint = folder.run(&["new", "shop"]).refused();
    assert!(complaint.contains("is there already"), "{complaint}");
    let after = std::fs::read_to_string(folder.path("shop/carafe.toml")).unwrap();
    assert_eq!(before, after);
}

#[test]
fn check_reports_every_mistake_with_its_place() {
    let folder = Folder::new(
        "nmae = \"Notes\"\n\
         [resources.notes.fields]\n\
         title = { type = \"strnig\" }\n\
         pages = { type = \"integer\", max_length = 3 }\n",
    );
    let report = folder.run(&["check"]).refused();
    for place in ["carafe.toml:1:1", "carafe.toml:3:18", "carafe.toml:4:29"] {
        assert!(report.contains(place), "{place}: {report}");
    }
    assert_eq!(report.matches("error:").count(), 3, "{report}");
    assert!(report.contains("^^^^"), "{report}");
    assert!(!report.contains('\u{1b}'), "no colours into a pipe");
    assert!(!folder.path("data.db").exists());
}

#[test]
fn check_counts_what_is_fine_and_opens_nothing() {
    let folder = Folder::notes();
    let said = folder.run(&["check"]).ok();
    assert!(said.contains("is fine: 1 resource with 5 fields"), "{said}");
    assert!(!folder.path("data.db").exists());
    let broken = folder.run(&["check", "nowhere"]).refused();
    assert!(
        broken.contains("there is no carafe.toml in nowhere"),
        "{broken}"
    );
    folder.write("carafe.toml", "name = [\n");
    let broken = folder.run(&["check"]).refused();
    assert!(broken.contains("carafe.toml:"), "{broken}");
}

#[test]
fn records_are_created_shown_changed_listed_and_deleted() {
    let folder = Folder::notes();
    let table = folder
        .run(&["create", "notes", "title=Milk", "content=Two litres"])
        .ok();
    for row in ["| id ", "| 1 ", "| Milk ", "| Two litres "] {
        assert!(table.contains(row), "{row}: {table}");
    }
    let json = folder
        .run(&[
            "create",
            "notes",
            "--data",
            r#"{"title":"Bread","content":"Rye","is_pinned":true}"#,
            "--json",
        ])
        .ok();
    let created: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(created["id"], 2);
    assert_eq!(created["is_pinned"], true);

    assert_eq!(folder.run(&["get", "notes", "2", "--json"]).ok(), json);
    assert!(folder.run(&["get", "notes", "2"]).ok().contains("| Rye "));
    let changed = folder
        .run(&["update", "notes", "1", "is_pinned=true", "--json"])
        .ok();
    let changed: serde_json::Value = serde_json::from_str(&changed).unwrap();
    assert_eq!(
        (&changed["title"], &changed["is_pinned"]),
        (&"Milk".into(), &true.into())
    );

    let titles = |arguments: &[&str]| -> Vec<String> {
        let mut all = vec!["list", "notes", "--json"];
        all.extend(arguments);
        let list: serde_json::Value = serde_json::from_str(&folder.run(&all).ok()).unwrap();
        let records = list.as_array().unwrap().iter();
        records
            .map(|record| record["title"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(titles(&[]), ["Bread", "Milk"]);
    assert_eq!(titles(&["--sort=title"]), ["Bread", "Milk"]);
    assert_eq!(titles(&["--sort", "-title"]), ["Milk", "Bread"]);
    assert_eq!(titles(&["--q", "LITRE"]), ["Milk"]);
    assert_eq!(titles(&["title__contains=rea"]), ["Bread"]);
    assert_eq!(titles(&["--per-page=1", "--page=2"]), ["Milk"]);
    let table = folder.run(&["list", "notes", "--per-page=1"]).ok();
    assert!(
        table.contains("| Bread ") && table.contains("Page 1 of 2, 2 in all"),
        "{table}"
    );

    assert!(
        folder
            .run(&["delete", "notes", "1"])
            .ok()
            .contains("Deleted Note 1")
    );
    assert_eq!(titles(&[]), ["Bread"]);
    let gone = folder.run(&["delete", "notes", "1"]).refused();
    assert!(gone.contains("no such record"), "{gone}");
}

#[test]
fn what_was_deleted_is_listed_and_restored() {
    let folder = Folder::new("[resources.notes.fields]\ntitle = { type = \"string\" }\n");
    folder.run(&["create", "notes", "title=Milk"]).ok();
    folder.run(&["delete", "notes", "1"]).ok();
    let deleted = folder.run(&["list", "notes", "--deleted"]).ok();
    assert!(deleted.contains("| Milk "), "{deleted}");
    let restored = folder.run(&["restore", "notes", "1", "--json"]).ok();
    assert_eq!(restored.trim(), r#"{"id":1,"title":"Milk"}"#);
    let again = folder.run(&["restore", "notes", "1"]).refused();
    assert!(again.contains("no such record"), "{again}");
    let none = folder.run(&["list", "notes", "--deleted"]).ok();
    assert!(none.contains("0 in all"), "{none}");
}

#[test]
fn documents_are_made_and_changed_by_their_members() {
    let folder = Folder::new(
        "[resources.stock]\nkind = \"document\"\n\
         members = { value = { type = \"integer\", min = 0 } }\n",
    );
    folder
        .run(&["create", "stock", "name=fruit", "apple=3", "fig=0"])
        .ok();
    let changed = folder
        .run(&["update", "stock", "fruit", "apple=4", "--json"])
        .ok();
    assert_eq!(changed.trim(), r#"{"apple":4,"fig":0}"#);
    folder
        .run(&["create", "stock", "name=tea", "--data", "{}"])
        .ok();
    let all = folder.run(&["list", "stock", "--json"]).ok();
    assert_eq!(all.trim(), r#"{"fruit":{"apple":4,"fig":0},"tea":{}}"#);
    let faults = folder
        .run(&["create", "stock", "apple=-1", "fig=x"])
        .refused();
    for text in [
        "Name is required",
        "apple: Value must be at least 0",
        "fig: Value must be a whole",
    ] {
        assert!(faults.contains(text), "{text}: {faults}");
    }
}

#[test]
fn values_can_come_from_standard_input() {
    let folder = Folder::notes();
    folder.write("note.json", r#"{"title":"Piped","content":"c"}"#);
    let mut command = folder.command(&["create", "notes", "--data", "-", "--json"]);
    command.stdin(std::fs::File::open(folder.path("note.json")).unwrap());
    let said = Ran::of(command.output().unwrap()).ok();
    assert!(said.contains("\"Piped\""), "{said}");
}

#[test]
fn refusals_name_everything_that_is_wrong() {
    let folder = Folder::notes();
    folder
        .run(&["create", "notes", "title=a", "content=b"])
        .ok();
    let long = format!("title={}", "x".repeat(201));
    let cases: [(&[&str], &[&str]); 9] = [
        (&["list", "note"], &["\"note\"", "did you mean notes?"]),
        (
            &["get", "recipes", "1"],
            &["there is no resource \"recipes\""],
        ),
        (
            &["create", "notes"],
            &["Title is required", "Content is required"],
        ),
        (
            &["create", "notes", &long, "is_pinned=maybe"],
            &["200", "Content is required", "Pin this note"],
        ),
        (
            &["update", "notes", "1", "title=", "is_pinned=maybe"],
            &["Title is required", "Pin this note"],
        ),
        (
            &["update", "notes", "9", "title=x"],
            &["no such record in notes"],
        ),
        (&["get", "notes", "first"], &["\"first\" cannot be the key"]),
        (&["create", "notes", "title"], &["FIELD=VALUE"]),
        (
            &["list", "notes", "--sort=titel", "colour=red"],
            &["titel", "colour"],
        ),
    ];
    for (arguments, expected) in cases {
        let complaint = folder.run(arguments).refused();
        assert!(
            complaint.starts_with("error: "),
            "{arguments:?}: {complaint}"
        );
        for part in expected {
            assert!(
                complaint.contains(part),
                "{arguments:?}: {part}: {complaint}"
            );
        }
    }
    assert_eq!(
        folder
            .run(&["list", "notes", "--json"])
            .ok()
            .matches("\"id\"")
            .count(),
        1
    );
}

#[test]
fn help_names_the_environment_variables() {
    let folder = Folder::empty();
    let help = folder.run(&["serve", "--help"]).ok();
    for name in [
        "HOST",
        "PORT",
        "PUBLIC_URL",
        "DATABASE_URL",
        "DURABILITY",
        "SECRET_KEY",
        "CARAFE_ENV",
    ] {
        assert!(help.contains(&format!("[env: {name}")), "{name}: {help}");
    }
    for command in ["list", "get", "create", "update", "delete"] {
        let help = folder.run(&[command, "--help"]).ok();
        assert!(help.contains("[env: DATABASE_URL"), "{command}: {help}");
    }
    let help = folder.run(&["--help"]).ok();
    for command in [
        "new", "check", "serve", "inspect", "move", "list", "get", "create", "import", "update",
        "delete",
    ] {
        assert!(
            help.contains(&format!("\n  {command} ")),
            "{command}: {help}"
        );
    }
}

#[test]
fn a_key_in_the_environment_is_not_shown_in_the_help() {
    let folder = Folder::empty();
    let mut command = folder.command(&["serve", "--help"]);
    command.env("SECRET_KEY", "do-not-show-this");
    let help = Ran::of(command.output().unwrap()).ok();
    assert!(!help.contains("do-not-show-this"), "{help}");
}

#[test]
fn what_a_command_cannot_be_is_a_usage_error() {
    let folder = Folder::notes();
    for arguments in [
        &["sevre"][..],
        &["serve", "--prot=1"],
        &["serve", "--port=99999"],
        &["get", "notes"],
    ] {
        let ran = folder.run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert!(
            ran.stderr.contains("--help"),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
}

#[test]
fn a_mistyped_field_is_refused_however_lenient_the_api_is() {
    let folder = Folder::notes();
    let refused = folder
        .run(&["create", "notes", "titel=Milk", "content=x"])
        .refused();
    assert!(refused.contains("did you mean \"title\"?"), "{refused}");
    assert!(refused.contains("Title is required"), "{refused}");
}
