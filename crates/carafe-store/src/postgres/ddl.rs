//! What PostgreSQL has beside the tables and indexes of resources: triggers, their functions and
//! tables of ours. Pure functions of the declaration.

use carafe_model::fold;
use carafe_model::resource::{Delete, Resource};
use carafe_model::value::Value;

use crate::ddl::{Object, Triggers};
use crate::dialect::Dialect;
use crate::error::Result;
use crate::statement::{Identifier, Statement};
use crate::text::SEPARATOR;
use crate::transaction::Transaction;

/// How many rows each table has, kept by triggers, so that totals cost little. A row has many
/// counters, because two writers of one would wait for each other: each takes that of its
/// connection. None is there before the first record.
const COUNT_TABLE: &str = "CREATE TABLE IF NOT EXISTS _carafe_count \
     (resource text NOT NULL, slot integer NOT NULL, live bigint NOT NULL, deleted bigint NOT NULL, \
     PRIMARY KEY (resource, slot)) WITH (fillfactor = 50)";

const SCHEMA_TABLE: &str = "CREATE TABLE IF NOT EXISTS _carafe_schema \
     (resource text NOT NULL, field text NOT NULL, kind text NOT NULL, PRIMARY KEY (resource, field))";

/// What was created for requests that may be repeated, remembered in the transaction that
/// created it.
const REQUEST_TABLE: &str = "CREATE TABLE IF NOT EXISTS _carafe_request \
     (caller text NOT NULL, key text NOT NULL, fingerprint text NOT NULL, resource text NOT NULL, \
     record text, id bigint NOT NULL, data text NOT NULL, at text COLLATE \"C\" NOT NULL, \
     CONSTRAINT _carafe_request_pkey PRIMARY KEY (caller, key))";

/// The migrations that were done, in their order.
const MIGRATION_TABLE: &str = "CREATE TABLE IF NOT EXISTS _carafe_migration \
     (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, \
     text text NOT NULL, at timestamp with time zone NOT NULL DEFAULT now())";

/// What all processes on one database must agree on.
const AGREEMENT_TABLE: &str = "CREATE TABLE IF NOT EXISTS _carafe_agreement \
     (name text PRIMARY KEY, value text NOT NULL)";

const REQUEST_INDEX: &str = "CREATE INDEX IF NOT EXISTS _carafe_request_at ON _carafe_request (at)";

const VERSION: &str = "CREATE OR REPLACE FUNCTION _carafe_version() RETURNS trigger \
     LANGUAGE plpgsql AS $$ BEGIN NEW._version := OLD._version + 1; RETURN NEW; END $$";

const COUNT: &str = "CREATE OR REPLACE FUNCTION _carafe_count(text, bigint, bigint) RETURNS void \
     LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN \
     IF $2 <> 0 OR $3 <> 0 THEN \
     INSERT INTO _carafe_count AS known (resource, slot, live, deleted) \
     VALUES ($1, pg_backend_pid() % 128, $2, $3) \
     ON CONFLICT (resource, slot) DO UPDATE SET \
     live = known.live + excluded.live, deleted = known.deleted + excluded.deleted; \
     END IF; END $$";

/// Arguments: the resource, and whether its records are deleted softly. For a whole statement,
/// so that one which writes a million rows counts once.
const COUNT_ROWS: &str = "CREATE OR REPLACE FUNCTION _carafe_count_rows() RETURNS trigger \
     LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ \
     DECLARE sign bigint := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END; BEGIN \
     IF TG_ARGV[1] = 'soft' THEN \
     PERFORM _carafe_count(TG_ARGV[0], sign * count(*) FILTER (WHERE _deleted_at IS NULL), \
     sign * count(*) FILTER (WHERE _deleted_at IS NOT NULL)) FROM changed; \
     ELSE PERFORM _carafe_count(TG_ARGV[0], sign * count(*), 0) FROM changed; \
     END IF; RETURN NULL; END $$";

const COUNT_DELETED: &str = "CREATE OR REPLACE FUNCTION _carafe_count_deleted() RETURNS trigger \
     LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN \
     PERFORM _carafe_count(TG_ARGV[0], CASE WHEN NEW._deleted_at IS NULL THEN 1 ELSE -1 END, \
     CASE WHEN NEW._deleted_at IS NULL THEN -1 ELSE 1 END); RETURN NULL; END $$";

const COUNT_NONE: &str = "CREATE OR REPLACE FUNCTION _carafe_count_none() RETURNS trigger \
     LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN \
     UPDATE _carafe_count SET live = 0, deleted = 0 WHERE resource = TG_ARGV[0]; \
     RETURN NULL; END $$";

/// Our own tables and functions.
pub(crate) fn own() -> Vec<Statement> {
    let mut own: Vec<Statement> = [
        MIGRATION_TABLE,
        COUNT_TABLE,
        SCHEMA_TABLE,
        REQUEST_TABLE,
        REQUEST_INDEX,
        AGREEMENT_TABLE,
        VERSION,
        COUNT,
        COUNT_ROWS,
        COUNT_DELETED,
        COUNT_NONE,
    ]
    .map(|text| Statement::new(Dialect::Postgres, text))
    .into();
    own.push(fold_function());
    own
}

/// [`fold::fold`] for what other programs write and for filters on fields without `search`.
fn fold_function() -> Statement {
    let (from, to): (String, String) = fold::pairs().unzip();
    let mut sql = Statement::new(
        Dialect::Postgres,
        "CREATE OR REPLACE FUNCTION _carafe_fold(text) RETURNS text \
         LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ \
         SELECT CASE WHEN octet_length($1) = char_length($1) THEN lower($1 COLLATE \"C\") \
         ELSE translate(normalize($1, NFC), ",
    );
    sql.literal(&Value::Text(from))
        .push(", ")
        .literal(&Value::Text(to))
        .push(") END $$");
    sql
}

/// The triggers that keep versions, counters and searched texts, whoever writes.
pub(crate) fn triggers(resource: &Resource) -> Triggers {
    let version = trigger(
        resource,
        "__version",
        " BEFORE UPDATE ON ",
        " FOR EACH ROW WHEN (NEW._version = OLD._version) EXECUTE FUNCTION _carafe_version()",
    );
    Triggers {
        versions: vec![version],
        counters: count_triggers(resource),
        search: match resource.search.is_empty() {
            true => Vec::new(),
            false => search_triggers(resource).into(),
        },
    }
}

fn trigger(
    resource: &Resource,
    ending: &'static str,
    event: &'static str,
    action: &'static str,
) -> Object {
    let name = Identifier::new(Dialect::Postgres, &resource.name, ending);
    let mut sql = Statement::new(Dialect::Postgres, "CREATE TRIGGER ");
    sql.identifier(&name)
        .push(event)
        .name(&resource.name)
        .push(action);
    Object {
        name,
        statement: sql,
    }
}

fn count_triggers(resource: &Resource) -> Vec<Object> {
    let rows = |ending, event, table| {
        let mut trigger = trigger(resource, ending, event, table);
        trigger
            .statement
            .push(" TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION _carafe_count_rows(")
            .name_text(&resource.name)
            .push(match resource.delete {
                Delete::Soft => ", 'soft')",
                Delete::Hard => ", 'hard')",
            });
        trigger
    };
    let mut none = trigger(
        resource,
        "__count_truncate",
        " AFTER TRUNCATE ON ",
        " FOR EACH STATEMENT EXECUTE FUNCTION _carafe_count_none(",
    );
    none.statement.name_text(&resource.name).push(")");
    let mut triggers = vec![
        rows("__count_insert", " AFTER INSERT ON ", " REFERENCING NEW"),
        rows("__count_delete", " AFTER DELETE ON ", " REFERENCING OLD"),
        none,
    ];
    if resource.delete == Delete::Soft {
        let mut deleted = trigger(
            resource,
            "__count_update",
            " AFTER UPDATE ON ",
            " FOR EACH ROW WHEN ((OLD._deleted_at IS NULL) <> (NEW._deleted_at IS NULL)) \
             EXECUTE FUNCTION _carafe_count_deleted(",
        );
        deleted.statement.name_text(&resource.name).push(")");
        triggers.push(deleted);
    }
    triggers
}

fn search_triggers(resource: &Resource) -> [Object; 2] {
    let execute = |trigger: &mut Object| {
        trigger
            .statement
            .push(" EXECUTE FUNCTION ")
            .identifier(&search_function_name(resource))
            .push("()");
    };
    let mut insert = trigger(
        resource,
        "__search_insert",
        " BEFORE INSERT ON ",
        " FOR EACH ROW WHEN (NEW._search IS NULL)",
    );
    execute(&mut insert);
    let mut update = trigger(
        resource,
        "__search_update",
        " BEFORE UPDATE ON ",
        " FOR EACH ROW WHEN (NEW._search IS NULL OR NEW._search = OLD._search AND (FALSE",
    );
    for &field in &resource.search {
        let name = &resource.fields[field].name;
        update
            .statement
            .push(" OR NEW.")
            .name(name)
            .push(" IS DISTINCT FROM OLD.")
            .name(name);
    }
    update.statement.push("))");
    execute(&mut update);
    [insert, update]
}

fn search_function_name(resource: &Resource) -> Identifier {
    Identifier::new(Dialect::Postgres, &resource.name, "__searched")
}

/// Makes the searched text of a row that another program writes.
pub(crate) fn search_function(resource: &Resource) -> Statement {
    let mut sql = Statement::new(Dialect::Postgres, "CREATE OR REPLACE FUNCTION ");
    sql.identifier(&search_function_name(resource)).push(
        "() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN \
         NEW._search := ",
    );
    searched_text(&mut sql, resource, "NEW.");
    sql.push("; RETURN NEW; END $$");
    sql
}

/// Drops the function of a resource that is not searched any more.
pub(crate) fn drop_search_function(resource: &Resource) -> Statement {
    let mut sql = Statement::new(Dialect::Postgres, "DROP FUNCTION IF EXISTS ");
    sql.identifier(&search_function_name(resource)).push("()");
    sql
}

/// Makes the searched text of every row.
pub(crate) fn fill_search(resource: &Resource) -> Statement {
    let mut sql = Statement::new(Dialect::Postgres, "UPDATE ");
    sql.name(&resource.name).push(" SET _search = ");
    searched_text(&mut sql, resource, "");
    // Most are right where only a name has changed.
    sql.push(" WHERE _search IS DISTINCT FROM ");
    searched_text(&mut sql, resource, "");
    sql
}

/// As [`text::searched`](crate::text::searched), but for empty texts, which nobody finds.
fn searched_text(sql: &mut Statement, resource: &Resource, row: &'static str) {
    sql.push("concat_ws(")
        .literal(&Value::Text(SEPARATOR.to_string()));
    for &field in &resource.search {
        sql.push(", _carafe_fold(")
            .push(row)
            .name(&resource.fields[field].name)
            .push(")");
    }
    sql.push(")");
}

/// The index of trigrams over the searched text of live rows.
pub(crate) fn search_index(resource: &Resource) -> Object {
    let name = Identifier::new(Dialect::Postgres, &resource.name, "__search");
    let mut sql = Statement::new(Dialect::Postgres, "CREATE INDEX ");
    sql.identifier(&name)
        .push(" ON ")
        .name(&resource.name)
        .push(" USING gin (_search gin_trgm_ops)");
    if resource.delete == Delete::Soft {
        sql.push(" WHERE _deleted_at IS NULL");
    }
    Object {
        name,
        statement: sql,
    }
}

/// What makes an index while others write: an interrupted attempt is cleared away first. None of
/// it can be in a transaction.
pub(crate) fn index_later(
    name: &Identifier,
    index: &Statement,
    note: Option<Statement>,
) -> Vec<Statement> {
    let mut clear = Statement::new(Dialect::Postgres, "DROP INDEX CONCURRENTLY IF EXISTS ");
    clear.identifier(name);
    let mut statements = vec![clear, index.concurrently()];
    statements.extend(note);
    statements
}

/// Sets the counters of a resource to what its table has.
pub(crate) fn recount(resource: &Resource) -> [Statement; 2] {
    let mut forget = Statement::new(
        Dialect::Postgres,
        "UPDATE _carafe_count SET live = 0, deleted = 0 WHERE resource = ",
    );
    forget.name_text(&resource.name);
    let mut count = Statement::new(Dialect::Postgres, "SELECT _carafe_count(");
    count.name_text(&resource.name);
    count.push(match resource.delete {
        Delete::Soft => ", count(*) - count(_deleted_at), count(_deleted_at)) FROM ",
        Delete::Hard => ", count(*), 0) FROM ",
    });
    count.name(&resource.name);
    [forget, count]
}

/// Notes how an object was defined, to be compared with later: PostgreSQL gives definitions
/// back in words of its own.
pub(crate) fn comment(kind: &'static str, resource: &Resource, object: &Object) -> Statement {
    let mut sql = Statement::new(Dialect::Postgres, "COMMENT ON ");
    sql.push(kind).push(" ").identifier(&object.name);
    if kind == "TRIGGER" {
        sql.push(" ON ").name(&resource.name);
    }
    sql.push(" IS ")
        .literal(&Value::Text(object.statement.text().to_owned()));
    sql
}

/// Says what a process takes for granted, and reads what the first one said.
pub(crate) fn agree(name: &str, value: &str, anew: bool) -> [Statement; 2] {
    let mut say = Statement::new(
        Dialect::Postgres,
        "INSERT INTO _carafe_agreement (name, value) VALUES (",
    );
    say.bind(name).push(", ").bind(value).push(match anew {
        true => ") ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        false => ") ON CONFLICT (name) DO NOTHING",
    });
    let mut read = Statement::new(
        Dialect::Postgres,
        "SELECT value FROM _carafe_agreement WHERE name = ",
    );
    read.bind(name);
    [say, read]
}

/// Compares counters and searched texts with the tables; a line for each that is wrong.
pub(crate) async fn check(tx: &mut impl Transaction) -> Result<Vec<String>> {
    let tables = Statement::new(
        Dialect::Postgres,
        "SELECT c.relname::text, EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid \
         AND a.attname = '_deleted_at' AND NOT a.attisdropped), EXISTS (SELECT 1 FROM pg_attribute a \
         WHERE a.attrelid = c.oid AND a.attname = '_search' AND NOT a.attisdropped), \
         (SELECT coalesce(sum(live), 0)::bigint FROM _carafe_count WHERE resource = c.relname), \
         (SELECT coalesce(sum(deleted), 0)::bigint FROM _carafe_count WHERE resource = c.relname) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') \
         AND c.relname IN (SELECT resource FROM _carafe_schema UNION SELECT resource FROM _carafe_count) \
         ORDER BY 1",
    );
    let known = Statement::new(
        Dialect::Postgres,
        "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = current_schema() AND c.relname = '_carafe_count'",
    );
    let mut complaints = Vec::new();
    if tx.rows(&known).await?.is_empty() {
        return Ok(complaints);
    }
    for row in tx.rows(&tables).await? {
        let [
            Value::Text(table),
            Value::Integer(soft),
            Value::Integer(searched),
            Value::Integer(live),
            Value::Integer(deleted),
        ] = row.as_slice()
        else {
            continue;
        };
        let mut count = Statement::new(Dialect::Postgres, "SELECT count(*)");
        count.push(match *soft != 0 {
            true => " - count(_deleted_at), count(_deleted_at)",
            false => ", 0::bigint",
        });
        count.push(match *searched != 0 {
            true => ", count(*) - count(_search) FROM ",
            false => ", 0::bigint FROM ",
        });
        count.identifier(&Identifier::found(table));
        let counted = tx.rows(&count).await?;
        let expected = [
            Value::Integer(*live),
            Value::Integer(*deleted),
            Value::Integer(0),
        ];
        if counted != [expected.to_vec()] {
            complaints.push(format!(
                "{table} has {:?} (live, deleted, without a searched text), but its counters say {live}, {deleted}",
                counted
            ));
        }
    }
    Ok(complaints)
}

/// Whether a trigger is fired by the updates of a migration itself.
pub(crate) fn triggers_off(resource: &Resource, off: bool) -> Statement {
    let mut sql = Statement::new(Dialect::Postgres, "ALTER TABLE ");
    sql.name(&resource.name).push(match off {
        true => " DISABLE TRIGGER USER",
        false => " ENABLE TRIGGER USER",
    });
    sql
}

/// Adds the column with the searched text.
pub(crate) fn add_search_column(resource: &Resource) -> Statement {
    let mut sql = Statement::new(Dialect::Postgres, "ALTER TABLE ");
    sql.name(&resource.name).push(" ADD COLUMN ");
    crate::ddl::search_column(&mut sql);
    sql
}

/// Drops the column with the searched text, where it is.
pub(crate) fn drop_search_column(resource: &Resource) -> Statement {
    let mut sql = Statement::new(Dialect::Postgres, "ALTER TABLE ");
    sql.name(&resource.name)
        .push(" DROP COLUMN IF EXISTS _search");
    sql
}
