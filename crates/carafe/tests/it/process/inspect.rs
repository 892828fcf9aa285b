//! `carafe inspect`: sketches of real databases.

use std::path::Path;

use super::Folder;
use crate::postgres::TestDatabase;

/// Tables of another program, with much that a declaration has no counterpart for.
const SQLITE: &str = r#"
CREATE TABLE "Customers" (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email VARCHAR(120) NOT NULL UNIQUE,
    "Full Name" TEXT NOT NULL,
    vip TINYINT(1) NOT NULL DEFAULT 0,
    balance DECIMAL(12, 2) NOT NULL DEFAULT 0,
    settings JSON DEFAULT '{}',
    photo BLOB,
    deleted_at DATETIME,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT (datetime('now'))
);
CREATE TABLE orders (
    number INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE,
    state TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'paid', 'it''s "odd"')),
    note TEXT,
    token UUID,
    due DATE,
    total INTEGER GENERATED ALWAYS AS (number * 2) STORED,
    loose,
    UNIQUE (customer_id, due),
    CHECK (number > 0)
);
CREATE INDEX orders_due ON orders (due);
CREATE INDEX orders_note ON orders (lower(note));
CREATE TABLE order_lines (
    order_number INTEGER NOT NULL REFERENCES orders (number) ON DELETE SET NULL,
    place INTEGER NOT NULL,
    article TEXT REFERENCES articles (code) ON DELETE SET NULL,
    amount REAL NOT NULL DEFAULT 1.5,
    PRIMARY KEY (order_number, place)
);
CREATE TABLE articles (code CHAR(8) PRIMARY KEY, parent CHAR(8) REFERENCES articles (code), words TEXT DEFAULT '');
CREATE TABLE api (id INTEGER PRIMARY KEY, type TEXT, "_hidden" TEXT, "a__b" TEXT, "größe" TEXT);
CREATE TABLE just_a_key (id INTEGER PRIMARY KEY);
CREATE TABLE log (line TEXT, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE VIEW paid AS SELECT * FROM orders WHERE state = 'paid';
CREATE VIRTUAL TABLE words USING fts5(text);
"#;

const SQLITE_SKETCH: &str = r#"# Sketched by `carafe inspect` from old.db. Read it over before you serve it: Carafe makes
# tables of its own from it, and leaves those that it was sketched from alone.

# table "Customers" is `customers` here: that name cannot be a resource's
[resources.customers.fields]
email        = { type = "string", max_length = 120, unique = true }
# column "Full Name" is `full_name` here
full_name    = { type = "text" }
vip          = { type = "boolean", default = false }
balance      = { type = "decimal", scale = 2, default = "0.00" }
settings     = { type = "json", optional = true, default = {} }
# column "photo" (blob) has no counterpart: left out
# column "deleted_at" is `deleted_at_2` here
deleted_at_2 = { type = "datetime", optional = true }
created_at   = { type = "datetime", set = "create" }
updated_at   = { type = "datetime", set = "update" }

# table "api" is `api_2` here: that name cannot be a resource's
[resources.api_2.fields]
type   = { type = "text", optional = true }
# column "_hidden" is `hidden` here
hidden = { type = "text", optional = true }
# column "a__b" is `a_b` here
a_b    = { type = "text", optional = true }
# column "größe" is `gr_e` here
gr_e   = { type = "text", optional = true }

[resources.articles]
key = { field = "code", type = "string" }

[resources.articles.fields]
parent = { type = "reference", to = "articles", optional = true }
# column "words" (text) has the default "": no counterpart
words  = { type = "text", optional = true }

# "just_a_key" is a table without a column that could be a field: left out

# there is no primary key: records get a key `id` of their own
[resources.log.fields]
line = { type = "text", optional = true }
# column "at" (timestamp) has the time of the insertion as its default: `set = "create"` is near that
at   = { type = "datetime", optional = true }

# the primary key (order_number, place) has no counterpart: records get a key `id` of their own
[resources.order_lines]
unique = [["order_number", "place"]]

[resources.order_lines.fields]
# column "order_number" (integer) is set to null on deletion, but must not be null: restrict
order_number = { type = "reference", to = "orders" }
place        = { type = "integer" }
article      = { type = "reference", to = "articles", on_delete = "set_null", optional = true }
amount       = { type = "number", default = 1.5 }

# index "orders_note" has no counterpart
# check (number > 0) has no counterpart
[resources.orders]
key = { field = "number", type = "integer" }
unique = [["customer_id", "due"]]

[resources.orders.fields]
customer_id = { type = "reference", to = "customers", on_delete = "cascade" }
state       = { type = "choice", one_of = ["new", "paid", "it's \"odd\""], default = "new" }
note        = { type = "text", optional = true }
token       = { type = "uuid", optional = true }
due         = { type = "date", optional = true, index = true }
# column "total" (integer) is computed from others: left out
# column "loose" is without a type; text is a guess
loose       = { type = "text", optional = true }

# "paid" is a view: left out

# "words" is a table of an extension: left out
"#;

/// A folder with a database that these statements have made.
fn folder(sql: &str) -> Folder {
    let folder = Folder::empty();
    super::open(&folder.path("old.db"))
        .execute_batch(sql)
        .unwrap();
    folder
}

#[track_caller]
fn assert_declaration(text: &str) {
    if let Err(problems) = carafe_model::declaration::parse(text, Path::new("shop")) {
        panic!("{problems:#?}\n{text}");
    }
}

#[test]
fn tables_of_sqlite_are_sketched() {
    let folder = folder(SQLITE);
    let text = folder.run(&["inspect", "sqlite:old.db"]).ok();
    assert_declaration(&text);
    assert_eq!(text, SQLITE_SKETCH);
    assert_eq!(folder.run(&["inspect", "sqlite:old.db"]).ok(), text);

    let said = folder.run(&["inspect", "sqlite:old.db", "--output", "carafe.toml"]);
    assert_eq!(said.ok(), "Wrote carafe.toml\n");
    let checked = folder.run(&["check"]).ok();
    assert!(checked.contains("is fine: 6 resources"), "{checked}");
    // It can be served at once: with tables of Carafe's own.
    folder
        .run(&["create", "articles", "code=ABC", "words=x"])
        .ok();
}

/// Tables of another program with the types that only PostgreSQL has.
const POSTGRES: &str = r#"
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN cents AS numeric(12, 2);
CREATE TABLE people (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name character varying(50) NOT NULL,
    initials char(3),
    mood mood NOT NULL DEFAULT 'ok',
    state varchar(10) CHECK (state IN ('new', 'old') OR state IS NULL),
    money cents NOT NULL DEFAULT 0,
    exact numeric,
    large numeric(30, 4),
    tags text[],
    extra jsonb NOT NULL DEFAULT '{"a": [1, 2.5]}',
    wakes time,
    seen timestamptz,
    photo bytea,
    place point,
    counter serial,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamp DEFAULT timezone('utc', now()),
    upper_name text GENERATED ALWAYS AS (upper(name)) STORED,
    UNIQUE (name, initials)
);
CREATE UNIQUE INDEX people_initials ON people (initials);
CREATE INDEX people_seen ON people (seen);
CREATE INDEX people_extra ON people USING gin (extra);
CREATE UNIQUE INDEX people_old ON people (state) WHERE state = 'old';
CREATE TABLE pets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner uuid REFERENCES people ON DELETE SET NULL,
    sitter uuid NOT NULL REFERENCES people (id) ON DELETE RESTRICT,
    mother bigint REFERENCES pets (id) ON DELETE CASCADE,
    born date NOT NULL DEFAULT CURRENT_DATE
);
CREATE TABLE measured (at timestamptz NOT NULL, value real) PARTITION BY RANGE (at);
CREATE TABLE measured_2026 PARTITION OF measured
    FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE MATERIALIZED VIEW names AS SELECT name FROM people;
"#;

const POSTGRES_SKETCH: &str = r#"
# there is no primary key: records get a key `id` of their own
[resources.measured.fields]
at    = { type = "datetime" }
value = { type = "number", optional = true }

# "measured_2026" is a partition of another table: left out

# "names" is a view: left out

# index "people_extra" has no counterpart
# unique index "people_old" has no counterpart
[resources.people]
key = { field = "id", type = "uuid" }
unique = [["name", "initials"]]

[resources.people.fields]
name       = { type = "string", max_length = 50 }
initials   = { type = "string", max_length = 3, optional = true, unique = true }
mood       = { type = "choice", one_of = ["sad", "ok"], default = "ok" }
state      = { type = "choice", one_of = ["new", "old"], optional = true }
money      = { type = "decimal", scale = 2, default = "0.00" }
# column "exact" (numeric) is kept as a float, which is not exact
exact      = { type = "number", optional = true }
# column "large" (numeric(30,4)) is kept as a float, which is not exact
large      = { type = "number", optional = true }
# column "tags" (text[]) has no counterpart: left out
extra      = { type = "json", default = { "a" = [1, 2.5] } }
# column "wakes" (time without time zone) is kept as text
wakes      = { type = "string", optional = true }
seen       = { type = "datetime", optional = true, index = true }
# column "photo" (bytea) has no counterpart: left out
# column "place" (point) has no counterpart: left out
# column "counter" (integer) is numbered by the database: no counterpart, but for the key
counter    = { type = "integer" }
created_at = { type = "datetime", set = "create" }
updated_at = { type = "datetime", set = "update" }
# column "upper_name" (text) is computed from others: left out

[resources.pets.fields]
owner  = { type = "reference", to = "people", on_delete = "set_null", optional = true }
sitter = { type = "reference", to = "people" }
mother = { type = "reference", to = "pets", on_delete = "cascade", optional = true }
# column "born" (date) has the default CURRENT_DATE: no counterpart
born   = { type = "date" }"#;

#[tokio::test]
async fn tables_of_postgres_are_sketched() {
    let Some(database) = TestDatabase::create().await else {
        return;
    };
    let other = database.other().await;
    other.batch_execute(POSTGRES).await.unwrap();
    let folder = Folder::empty();
    let text = folder.run(&["inspect", &database.url()]).ok();
    assert_declaration(&text);
    let lines: Vec<&str> = text.lines().skip(2).collect();
    assert_eq!(lines.join("\n"), POSTGRES_SKETCH);
    database.drop().await;
}

#[test]
fn what_carafe_has_made_is_sketched_as_it_was_declared() {
    let folder = Folder::new(
        "[resources.users]\ndelete = \"hard\"\nhistory = true\n\
         key = { field = \"name\", type = \"string\" }\n\
         [resources.users.fields]\nemail = { type = \"email\", unique = true }\n\
         pin = { type = \"password\", optional = true }\n\
         [resources.posts.fields]\n\
         title = { type = \"string\", default = \"New\" }\n\
         price = { type = \"decimal\", default = \"1.50\" }\n\
         user = { type = \"reference\", to = \"users\" }\n\
         created_at = { type = \"datetime\", set = \"create\" }\n",
    );
    folder
        .run(&["create", "users", "name=ann", "email=a@example.org"])
        .ok();
    let text = folder.run(&["inspect", "sqlite:data.db"]).ok();
    assert_declaration(&text);
    let lines: Vec<&str> = text.lines().skip(3).collect();
    assert_eq!(
        lines.join("\n"),
        r#"[resources.posts.fields]
title      = { type = "string", default = "New" }
price      = { type = "decimal", scale = 2, default = "1.50" }
user       = { type = "reference", to = "users" }
created_at = { type = "datetime", set = "create" }

[resources.users]
key = { field = "name", type = "string" }
delete = "hard"
history = true

[resources.users.fields]
email = { type = "email", unique = true }
pin   = { type = "password", optional = true }"#
    );
}

#[test]
fn what_cannot_be_sketched_is_refused_with_a_hint() {
    let folder = folder("CREATE TABLE a (id INTEGER PRIMARY KEY)");
    folder.write("there.toml", "");
    let cases: [(&[&str], &str); 6] = [
        (&["sqlite:none.db"], "there is no file none.db"),
        (&["old.db"], "write sqlite:old.db"),
        (&["mysql://localhost/shop"], "sqlite:PATH"),
        (&["sqlite::memory:"], "name a file"),
        (&["sqlite:old.db"], "no table in old.db"),
        (
            &["sqlite:old.db", "-o", "there.toml"],
            "there.toml is there already",
        ),
    ];
    for (arguments, expected) in cases {
        let all = [&["inspect"], arguments].concat();
        let complaint = folder.run(&all).refused();
        assert!(complaint.contains(expected), "{arguments:?}: {complaint}");
    }
    assert!(!folder.path("none.db").exists());
    folder.write("text.db", &"no database ".repeat(20));
    let complaint = folder.run(&["inspect", "sqlite:text.db"]).refused();
    assert!(complaint.contains("not a database"), "{complaint}");
    let url = "postgres://nobody:secret@127.0.0.1:1/none";
    let complaint = folder.run(&["inspect", url]).refused();
    assert!(!complaint.contains("secret"), "{complaint}");
}
