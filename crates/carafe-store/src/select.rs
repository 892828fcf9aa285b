//! Statements that read: pure functions of a resource and a query.

use carafe_model::cursor::Cursor;
use carafe_model::key::KeyKind;
use carafe_model::name::Name;
use carafe_model::query::{Filter, Query, Test};
use carafe_model::resource::{Column, Delete, Order, Resource};
use carafe_model::value::Value;

use crate::ddl;
use crate::dialect::Dialect;
use crate::statement::Statement;
use crate::storage::Storage;
use crate::store::Scope;
use crate::table;
use crate::text::SEPARATOR;

/// One record by key.
pub(crate) fn one(dialect: Dialect, resource: &Resource, scope: Scope) -> Statement {
    let mut sql = Statement::new(dialect, "SELECT ");
    table::row(&mut sql, resource, scope);
    sql.push(" FROM ")
        .name(&resource.name)
        .push(" WHERE ")
        .name(&resource.key.field);
    sql.push(" = ")
        .hole(1, Storage::of_key(resource.key.kind))
        .push(" AND ");
    table::scope(&mut sql, resource, scope);
    if scope == Scope::Deleted && resource.delete == Delete::Soft {
        // A key is free again after deletion: the last one that had it.
        sql.push(" ORDER BY _deleted_at DESC, ");
        table::id(&mut sql, resource);
        sql.push(" DESC LIMIT 1");
    }
    sql
}

/// Selects live records by their keys, an array of them, in PostgreSQL.
pub(crate) fn many(resource: &Resource) -> Statement {
    let mut sql = Statement::new(Dialect::Postgres, "SELECT ");
    table::row(&mut sql, resource, Scope::Live);
    sql.push(" FROM ")
        .name(&resource.name)
        .push(" WHERE ")
        .name(&resource.key.field);
    sql.push(match resource.key.kind {
        KeyKind::Integer => " = ANY($1::bigint[]) AND ",
        KeyKind::String => " = ANY($1::text[]) AND ",
        KeyKind::Uuid => " = ANY($1::text[]::uuid[]) AND ",
    });
    table::scope(&mut sql, resource, Scope::Live);
    sql
}

/// A page of all live records in an order that has an index, each row with the total in the
/// column after the last field: one statement, so one snapshot. Parameters: limit, and for
/// deep pages offset.
pub(crate) fn first_page(dialect: Dialect, resource: &Resource, order: &[Order]) -> Statement {
    let mut sql = match is_through_table(dialect, resource, order) {
        true => with_totals(dialect, resource),
        false => with_total(dialect, resource),
    };
    from_index(&mut sql, resource, order);
    limit_hole(&mut sql);
    sql
}

/// As [`first_page`], of SQLite's table itself where that has the order: no row has to be looked
/// up, but those that are deleted are passed over. Their number is in the column after the total,
/// as it is in [`first_page`] then.
pub(crate) fn first_page_through_table(
    dialect: Dialect,
    resource: &Resource,
    order: &[Order],
) -> Option<Statement> {
    if !is_through_table(dialect, resource, order) {
        return None;
    }
    let mut sql = with_totals(dialect, resource);
    sql.push(" FROM ")
        .name(&resource.name)
        .push(" NOT INDEXED WHERE ");
    table::scope(&mut sql, resource, Scope::Live);
    sql.push(" ORDER BY ");
    table::order(&mut sql, resource, order);
    limit_hole(&mut sql);
    Some(sql)
}

/// Whether the rows of a table that can have deleted ones among them lie in an order.
fn is_through_table(dialect: Dialect, resource: &Resource, order: &[Order]) -> bool {
    dialect == Dialect::Sqlite
        && resource.delete == Delete::Soft
        && order
            .first()
            .is_some_and(|step| table::is_id(resource, step.column))
}

/// A row and the total, of live records, and how many are deleted.
fn with_totals(dialect: Dialect, resource: &Resource) -> Statement {
    let mut sql = with_total(dialect, resource);
    sql.push(", ");
    total(&mut sql, resource, Scope::Deleted);
    sql
}

/// A row and the total, of live records.
fn with_total(dialect: Dialect, resource: &Resource) -> Statement {
    let mut sql = Statement::new(dialect, "SELECT ");
    table::row(&mut sql, resource, Scope::Live);
    sql.push(", ");
    total(&mut sql, resource, Scope::Live);
    sql
}

/// As [`first_page`], from an offset on, which is the second parameter. SQLite passes over the
/// rows before it in the index, where the order has one, without a look into the table, and has
/// [ranks](crate::rank) where they are many. PostgreSQL looks at each row that it passes over, so
/// that it is given the ids alone to pass over, and none where the order is that of the ids and
/// these have no gap.
pub(crate) fn deep_page(dialect: Dialect, resource: &Resource, order: &[Order]) -> Statement {
    let mut sql = with_total(dialect, resource);
    match (dialect, order.first()) {
        (Dialect::Sqlite, _) => from_offset(&mut sql, resource, order),
        (Dialect::Postgres, Some(step)) if table::is_id(resource, step.column) => {
            by_id(&mut sql, resource, order, step.descending);
        }
        (Dialect::Postgres, _) => {
            sql.push(" FROM ").name(&resource.name).push(" WHERE ");
            table::id(&mut sql, resource);
            sql.push(" IN (SELECT ");
            table::id(&mut sql, resource);
            from_offset(&mut sql, resource, order);
            sql.push(") ORDER BY ");
            table::order(&mut sql, resource, order);
        }
    }
    sql
}

fn from_offset(sql: &mut Statement, resource: &Resource, order: &[Order]) {
    from_index(sql, resource, order);
    limit_hole(sql);
    sql.push(" OFFSET ");
    offset_hole(sql);
}

/// From the id that the page starts with: the first id and the offset added, if there are as
/// many rows as there are numbers from the first id to the last, else found by walking.
fn by_id(sql: &mut Statement, resource: &Resource, order: &[Order], descending: bool) {
    from_live(sql, resource, order);
    sql.push(" AND ").name(&resource.key.field);
    sql.push(if descending { " <= " } else { " >= " });
    sql.push("(SELECT CASE WHEN last - first + 1 = ");
    total(sql, resource, Scope::Live);
    sql.push(if descending {
        " THEN last - "
    } else {
        " THEN first + "
    });
    offset_hole(sql);
    sql.push(" ELSE (SELECT ");
    sql.name(&resource.key.field);
    from_index(sql, resource, order);
    sql.push(" LIMIT 1 OFFSET ");
    offset_hole(sql);
    sql.push(") END FROM (SELECT (SELECT min(")
        .name(&resource.key.field)
        .push(")");
    from_live(sql, resource, order);
    sql.push(") AS first, (SELECT max(")
        .name(&resource.key.field)
        .push(")");
    from_live(sql, resource, order);
    sql.push(") AS last) AS ends) ORDER BY ");
    table::order(sql, resource, order);
    limit_hole(sql);
}

fn limit_hole(sql: &mut Statement) {
    sql.push(" LIMIT ");
    sql.hole(1, Storage::Integer);
}

fn offset_hole(sql: &mut Statement) {
    sql.hole(2, Storage::Integer);
}

fn from_index(sql: &mut Statement, resource: &Resource, order: &[Order]) {
    from_live(sql, resource, order);
    sql.push(" ORDER BY ");
    table::order(sql, resource, order);
}

pub(crate) fn from_live(sql: &mut Statement, resource: &Resource, order: &[Order]) {
    sql.push(" FROM ").name(&resource.name);
    let index = match sql.dialect() {
        Dialect::Sqlite => ddl::order_index(sql.dialect(), resource, order),
        // Its planner knows how many rows are deleted.
        Dialect::Postgres => None,
    };
    if let Some(index) = index {
        // Without this the planner may walk the table itself, past any number of deleted rows.
        sql.push(" INDEXED BY ").identifier(&index);
    }
    sql.push(" WHERE ");
    table::scope(sql, resource, Scope::Live);
}

fn total(sql: &mut Statement, resource: &Resource, scope: Scope) {
    sql.push(match (sql.dialect(), scope) {
        (Dialect::Sqlite, Scope::Live) => "(SELECT live FROM _carafe_count",
        (Dialect::Sqlite, Scope::Deleted) => "(SELECT deleted FROM _carafe_count",
        (Dialect::Postgres, Scope::Live) => {
            "(SELECT coalesce(sum(live), 0)::bigint FROM _carafe_count"
        }
        (Dialect::Postgres, Scope::Deleted) => {
            "(SELECT coalesce(sum(deleted), 0)::bigint FROM _carafe_count"
        }
    });
    sql.push(" WHERE resource = ")
        .name_text(&resource.name)
        .push(")");
}

/// How many records match: from the counter where nothing is filtered; with a search one more
/// than [`Query::counted_max`] at most.
pub(crate) fn count(
    dialect: Dialect,
    resource: &Resource,
    scope: Scope,
    query: &Query,
) -> Statement {
    let mut sql = Statement::new(dialect, "SELECT ");
    if query.filters.is_empty() && query.search.is_none() {
        total(&mut sql, resource, scope);
        return sql;
    }
    sql.push("count(*) FROM ");
    if query.search.is_some() {
        sql.push("(SELECT 1 FROM ");
    }
    sql.name(&resource.name);
    unless_indexed(&mut sql, resource, scope, query, None);
    sql.push(" WHERE ");
    condition(&mut sql, resource, scope, query);
    if let Some(max) = query.counted_max() {
        sql.push(" LIMIT ")
            .bind(whole(max.saturating_add(1)))
            .push(") AS hits");
    }
    sql
}

/// A page of the records that match, by any order. Those before it are passed over by their ids
/// alone, and only its own are read whole.
pub(crate) fn page(
    dialect: Dialect,
    resource: &Resource,
    scope: Scope,
    query: &Query,
) -> Statement {
    let mut sql = Statement::new(dialect, "SELECT ");
    table::row(&mut sql, resource, scope);
    sql.push(" FROM ").name(&resource.name);
    let deep = query.offset() > 0;
    if deep {
        sql.push(" WHERE ");
        table::id(&mut sql, resource);
        sql.push(" IN (SELECT ");
        table::id(&mut sql, resource);
        sql.push(" FROM ").name(&resource.name);
    }
    unless_indexed(&mut sql, resource, scope, query, query.order.first());
    sql.push(" WHERE ");
    condition(&mut sql, resource, scope, query);
    in_order(&mut sql, resource, scope, query);
    limit(&mut sql, query);
    if deep {
        sql.push(")");
        in_order(&mut sql, resource, scope, query);
    }
    sql
}

/// Has SQLite read the table where no index leads to the records of a query nor has their order:
/// any index of live rows has its condition, so that it would read the rows one by one through
/// that.
fn unless_indexed(
    sql: &mut Statement,
    resource: &Resource,
    scope: Scope,
    query: &Query,
    first: Option<&Order>,
) {
    let leads = |filter: &Filter| {
        table::leads_an_index(resource, filter.column)
            && match &filter.test {
                Test::NotEqual(_) | Test::Contains(_) | Test::IsNull(false) => false,
                Test::Equal(_)
                | Test::Less(_)
                | Test::AtMost(_)
                | Test::Greater(_)
                | Test::AtLeast(_)
                | Test::In(_)
                | Test::IsNull(true) => true,
            }
    };
    let is_led = query.filters.iter().any(leads)
        || first.is_some_and(|step| table::leads_an_index(resource, step.column));
    if sql.dialect() == Dialect::Sqlite && scope == Scope::Live && !is_led {
        sql.push(" NOT INDEXED");
    }
}

fn in_order(sql: &mut Statement, resource: &Resource, scope: Scope, query: &Query) {
    sql.push(" ORDER BY ");
    table::order(sql, resource, &query.order);
    if scope == Scope::Deleted && resource.key.kind != KeyKind::Integer {
        // Several deleted records can have had one key.
        let descends = query.order.last().is_some_and(|step| step.descending);
        sql.push(if descends { ", _id DESC" } else { ", _id" });
    }
}

/// ` AND` that a row stands behind a place in an order: null comes first when ascending.
fn after(sql: &mut Statement, resource: &Resource, query: &Query) {
    let Some(Cursor::After(values)) = &query.cursor else {
        return;
    };
    let place: Vec<(&Order, &Value)> = query.order.iter().zip(values).collect();
    // The first column alone, where an index can start from it: the planner does not look into
    // alternatives for that.
    if let [(first, value), _, ..] = place.as_slice()
        && !value.is_null()
        && !(first.descending && table::can_be_null(resource, first.column))
    {
        sql.push(" AND ");
        table::column(sql, resource, first.column);
        sql.push(if first.descending { " <= " } else { " >= " });
        bind(sql, resource, first.column, value);
    }
    sql.push(" AND (");
    for (index, (step, value)) in place.iter().enumerate() {
        if index > 0 {
            sql.push(" OR ");
        }
        for (step, value) in &place[..index] {
            table::column(sql, resource, step.column);
            match value.is_null() {
                true => {
                    sql.push(" IS NULL");
                }
                false => {
                    sql.push(" = ");
                    bind(sql, resource, step.column, value);
                }
            }
            sql.push(" AND ");
        }
        beyond(sql, resource, step, value);
    }
    sql.push(")");
}

/// That the column of a step stands behind a value.
fn beyond(sql: &mut Statement, resource: &Resource, step: &Order, value: &Value) {
    match (step.descending, value.is_null()) {
        (false, true) => {
            table::column(sql, resource, step.column);
            sql.push(" IS NOT NULL");
        }
        (true, true) => {
            sql.push("FALSE");
        }
        (false, false) => {
            table::column(sql, resource, step.column);
            sql.push(" > ");
            bind(sql, resource, step.column, value);
        }
        (true, false) if table::can_be_null(resource, step.column) => {
            sql.push("(");
            table::column(sql, resource, step.column);
            sql.push(" < ");
            bind(sql, resource, step.column, value);
            sql.push(" OR ");
            table::column(sql, resource, step.column);
            sql.push(" IS NULL)");
        }
        (true, false) => {
            table::column(sql, resource, step.column);
            sql.push(" < ");
            bind(sql, resource, step.column, value);
        }
    }
}

fn bind(sql: &mut Statement, resource: &Resource, column: Column, value: &Value) {
    sql.bind_as(Storage::of_column(resource, column), value.clone());
}

/// The ids of all records that pass the filters, by any order; `search` is left aside.
pub(crate) fn ids(resource: &Resource, query: &Query) -> Statement {
    let mut sql = Statement::new(Dialect::Sqlite, "SELECT ");
    table::id(&mut sql, resource);
    sql.push(" FROM ").name(&resource.name);
    unless_indexed(&mut sql, resource, Scope::Live, query, query.order.first());
    sql.push(" WHERE ");
    table::scope(&mut sql, resource, Scope::Live);
    filters(&mut sql, resource, &query.filters);
    after(&mut sql, resource, query);
    sql.push(" ORDER BY ");
    table::order(&mut sql, resource, &query.order);
    sql
}

/// The ids of those records with the ids of a JSON array that match, by any order.
pub(crate) fn matching(resource: &Resource, query: &Query, ids: &str) -> Statement {
    let mut sql = Statement::new(Dialect::Sqlite, "SELECT ");
    table::id(&mut sql, resource);
    among(&mut sql, resource, ids);
    sql.push(" AND ");
    condition(&mut sql, resource, Scope::Live, query);
    sql.push(" ORDER BY ");
    table::order(&mut sql, resource, &query.order);
    sql
}

/// The records with the ids of a JSON array, in the order of a query.
pub(crate) fn by_ids(resource: &Resource, query: &Query, ids: &str) -> Statement {
    let mut sql = Statement::new(Dialect::Sqlite, "SELECT ");
    table::row(&mut sql, resource, Scope::Live);
    among(&mut sql, resource, ids);
    sql.push(" ORDER BY ");
    table::order(&mut sql, resource, &query.order);
    sql
}

fn among(sql: &mut Statement, resource: &Resource, ids: &str) {
    sql.push(" FROM ").name(&resource.name).push(" WHERE ");
    table::id(sql, resource);
    sql.push(" IN (SELECT value FROM json_each(")
        .bind(ids)
        .push("))");
}

/// The parameter of [`has_text`] that is the id.
pub(crate) const HAS_TEXT_ID: usize = 1;

/// A row by its id, if it is live and has the folded text.
pub(crate) fn has_text(resource: &Resource, folded: &str) -> Statement {
    let mut sql = Statement::new(Dialect::Sqlite, "SELECT 1 FROM ");
    sql.name(&resource.name).push(" WHERE ");
    table::id(&mut sql, resource);
    sql.push(" = ").bind(0_i64).push(" AND ");
    table::scope(&mut sql, resource, Scope::Live);
    sql.push(" AND ");
    contains(&mut sql, resource, folded);
    sql
}

fn limit(sql: &mut Statement, query: &Query) {
    sql.push(" LIMIT ").bind(whole(query.per_page));
    if query.offset() > 0 {
        sql.push(" OFFSET ").bind(whole(query.offset()));
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Scope, filters and search.
fn condition(sql: &mut Statement, resource: &Resource, scope: Scope, query: &Query) {
    table::scope(sql, resource, scope);
    filters(sql, resource, &query.filters);
    after(sql, resource, query);
    if let Some(search) = &query.search {
        sql.push(" AND ");
        contains(sql, resource, &search.folded);
    }
}

/// Whether one of the searched fields has the folded text in it: by reading every text in
/// SQLite, where [`search`](crate::sqlite::search) asks the index before.
pub(crate) fn contains(sql: &mut Statement, resource: &Resource, folded: &str) {
    match sql.dialect() {
        Dialect::Sqlite => {
            sql.push("carafe_contains(").bind(folded);
            for &field in &resource.search {
                sql.push(", ").name(&resource.fields[field].name);
            }
            sql.push(")");
        }
        Dialect::Postgres if folded.contains(SEPARATOR) => {
            // It would be found across two fields.
            sql.push("(FALSE");
            for &field in &resource.search {
                sql.push(" OR ");
                contains_in(sql, &resource.fields[field].name, folded);
            }
            sql.push(")");
        }
        Dialect::Postgres => {
            let mut pattern = String::from("%");
            for c in folded.chars() {
                if matches!(c, '%' | '_' | '\\') {
                    pattern.push('\\');
                }
                pattern.push(c);
            }
            pattern.push('%');
            sql.push("_search LIKE ").bind(pattern.as_str());
        }
    }
}

/// Whether a field has the folded text in it, by folding every text.
fn contains_in(sql: &mut Statement, name: &Name, folded: &str) {
    match sql.dialect() {
        Dialect::Sqlite => sql
            .push("carafe_contains(")
            .bind(folded)
            .push(", ")
            .name(name)
            .push(")"),
        Dialect::Postgres => sql
            .push("strpos(_carafe_fold(")
            .name(name)
            .push("), ")
            .bind(folded)
            .push(") > 0"),
    };
}

fn filters(sql: &mut Statement, resource: &Resource, filters: &[Filter]) {
    for filter in filters {
        sql.push(" AND ");
        self::filter(sql, resource, filter);
    }
}

fn filter(sql: &mut Statement, resource: &Resource, filter: &Filter) {
    let name = resource.column_name(filter.column);
    let storage = Storage::of_column(resource, filter.column);
    if let Test::Equal(value) = &filter.test
        && ddl::is_hashed(sql.dialect(), resource, filter.column)
    {
        // What its index has.
        sql.push("md5(").name(name).push(") = md5(");
        sql.bind_as(storage, value.clone()).push(") AND ");
    }
    let mut compare = |operator: &'static str, value: &Value| {
        sql.name(name)
            .push(operator)
            .bind_as(storage, value.clone());
    };
    match &filter.test {
        Test::Equal(value) => compare(" = ", value),
        Test::NotEqual(value) => {
            sql.name(name)
                .push_either(" IS NOT ", " IS DISTINCT FROM ")
                .bind_as(storage, value.clone());
        }
        Test::Less(value) => compare(" < ", value),
        Test::AtMost(value) => compare(" <= ", value),
        Test::Greater(value) => compare(" > ", value),
        Test::AtLeast(value) => compare(" >= ", value),
        Test::In(values) => {
            let mut values = values.iter().filter(|value| !value.is_null()).peekable();
            if values.peek().is_none() {
                // An empty list is no SQL in PostgreSQL.
                sql.push("FALSE");
                return;
            }
            sql.name(name).push(" IN (");
            for (position, value) in values.enumerate() {
                if position > 0 {
                    sql.push(", ");
                }
                sql.bind_as(storage, value.clone());
            }
            sql.push(")");
        }
        Test::Contains(folded) => contains_in(sql, name, folded),
        Test::IsNull(true) => {
            sql.name(name).push(" IS NULL");
        }
        Test::IsNull(false) => {
            sql.name(name).push(" IS NOT NULL");
        }
    }
}

#[cfg(test)]
mod tests {
    use carafe_model::kind::Kind;
    use carafe_model::query::Search;
    use insta::assert_snapshot;

    use super::*;
    use crate::dialect::both;
    use crate::draft::{field, order, resource, schema, text};

    fn schemas() -> [std::sync::Arc<carafe_model::schema::Schema>; 2] {
        let fields = || vec![field("title", Kind::String), field("rank", Kind::Integer)];
        [
            schema(vec![
                resource("notes", fields())
                    .search(&["title"])
                    .order(&["-rank"]),
            ]),
            schema(vec![
                resource("tags", fields())
                    .key("name", KeyKind::String)
                    .hard(),
            ]),
        ]
    }

    fn query(resource: &Resource) -> Query {
        Query {
            filters: Vec::new(),
            search: None,
            order: resource.order.clone(),
            page: 3,
            per_page: 10,
            paged: false,
            fields: None,
            deleted: false,
            cursor: None,
        }
    }

    #[test]
    fn one_record() {
        let [soft, hard] = schemas();
        let [notes, tags] = [&soft.resources[0], &hard.resources[0]];
        assert_snapshot!(both(|dialect| one(dialect, notes, Scope::Live)), @r#"
        SELECT "id", _version, "id", NULL, "title", "rank" FROM "notes" WHERE "id" = ?1 AND _deleted_at IS NULL
        SELECT "id", _version, "id", NULL, "title", "rank" FROM "notes" WHERE "id" = $1::bigint AND _deleted_at IS NULL
        "#);
        assert_snapshot!(both(|dialect| one(dialect, notes, Scope::Deleted)), @r#"
        SELECT "id", _version, "id", _deleted_at, "title", "rank" FROM "notes" WHERE "id" = ?1 AND _deleted_at IS NOT NULL ORDER BY _deleted_at DESC, "id" DESC LIMIT 1
        SELECT "id", _version, "id", to_char(_deleted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS _, "title", "rank" FROM "notes" WHERE "id" = $1::bigint AND _deleted_at IS NOT NULL ORDER BY _deleted_at DESC, "id" DESC LIMIT 1
        "#);
        assert_snapshot!(both(|dialect| one(dialect, tags, Scope::Live)), @r#"
        SELECT "name", _version, _id, NULL, "title", "rank" FROM "tags" WHERE "name" = ?1 AND TRUE
        SELECT "name", _version, _id, NULL, "title", "rank" FROM "tags" WHERE "name" = $1::text AND TRUE
        "#);
        assert_snapshot!(both(|dialect| one(dialect, tags, Scope::Deleted)), @r#"
        SELECT "name", _version, _id, NULL, "title", "rank" FROM "tags" WHERE "name" = ?1 AND FALSE
        SELECT "name", _version, _id, NULL, "title", "rank" FROM "tags" WHERE "name" = $1::text AND FALSE
        "#);
    }

    #[test]
    fn walks() {
        let [soft, hard] = schemas();
        let [notes, tags] = [&soft.resources[0], &hard.resources[0]];
        assert_snapshot!(both(|dialect| first_page(dialect, notes, &notes.order)), @r#"
        SELECT "id", _version, "id", NULL, "title", "rank", (SELECT live FROM _carafe_count WHERE resource = 'notes') FROM "notes" INDEXED BY "notes__by__-rank__-id" WHERE _deleted_at IS NULL ORDER BY "rank" DESC, "id" DESC LIMIT ?1
        SELECT "id", _version, "id", NULL, "title", "rank", (SELECT coalesce(sum(live), 0)::bigint FROM _carafe_count WHERE resource = 'notes') FROM "notes" WHERE _deleted_at IS NULL ORDER BY "rank" DESC, "id" DESC LIMIT $1::bigint
        "#);
        assert_snapshot!(both(|dialect| deep_page(dialect, notes, &notes.order)), @r#"
        SELECT "id", _version, "id", NULL, "title", "rank", (SELECT live FROM _carafe_count WHERE resource = 'notes') FROM "notes" INDEXED BY "notes__by__-rank__-id" WHERE _deleted_at IS NULL ORDER BY "rank" DESC, "id" DESC LIMIT ?1 OFFSET ?2
        SELECT "id", _version, "id", NULL, "title", "rank", (SELECT coalesce(sum(live), 0)::bigint FROM _carafe_count WHERE resource = 'notes') FROM "notes" WHERE "id" IN (SELECT "id" FROM "notes" WHERE _deleted_at IS NULL ORDER BY "rank" DESC, "id" DESC LIMIT $1::bigint OFFSET $2::bigint) ORDER BY "rank" DESC, "id" DESC
        "#);
        let by_key = order(notes, &["-id"]);
        assert_snapshot!(both(|dialect| deep_page(dialect, notes, &by_key)), @r#"
        SELECT "id", _version, "id", NULL, "title", "rank", (SELECT live FROM _carafe_count WHERE resource = 'notes') FROM "notes" INDEXED BY "notes__by__id" WHERE _deleted_at IS NULL ORDER BY "id" DESC LIMIT ?1 OFFSET ?2
        SELECT "id", _version, "id", NULL, "title", "rank", (SELECT coalesce(sum(live), 0)::bigint FROM _carafe_count WHERE resource = 'notes') FROM "notes" WHERE _deleted_at IS NULL AND "id" <= (SELECT CASE WHEN last - first + 1 = (SELECT coalesce(sum(live), 0)::bigint FROM _carafe_count WHERE resource = 'notes') THEN last - $2::bigint ELSE (SELECT "id" FROM "notes" WHERE _deleted_at IS NULL ORDER BY "id" DESC LIMIT 1 OFFSET $2::bigint) END FROM (SELECT (SELECT min("id") FROM "notes" WHERE _deleted_at IS NULL) AS first, (SELECT max("id") FROM "notes" WHERE _deleted_at IS NULL) AS last) AS ends) ORDER BY "id" DESC LIMIT $1::bigint
        "#);
        assert_snapshot!(both(|dialect| first_page(dialect, tags, &tags.order)), @r#"
        SELECT "name", _version, _id, NULL, "title", "rank", (SELECT live FROM _carafe_count WHERE resource = 'tags') FROM "tags" INDEXED BY "tags__key" WHERE TRUE ORDER BY "name" LIMIT ?1
        SELECT "name", _version, _id, NULL, "title", "rank", (SELECT coalesce(sum(live), 0)::bigint FROM _carafe_count WHERE resource = 'tags') FROM "tags" WHERE TRUE ORDER BY "name" LIMIT $1::bigint
        "#);
    }

    #[test]
    fn a_page_behind_a_place_starts_where_an_index_can() {
        let [schema, _] = schemas();
        let notes = &schema.resources[0];
        let text_of = |values: Vec<Value>, columns: &[&str]| {
            let query = Query {
                order: order(notes, columns),
                cursor: Some(Cursor::After(values)),
                page: 1,
                ..query(notes)
            };
            page(Dialect::Sqlite, notes, Scope::Live, &query)
                .text()
                .to_owned()
        };
        let (three, seven) = (Value::Integer(3), Value::Integer(7));
        assert_snapshot!(text_of(vec![three.clone(), seven.clone()], &["-rank", "-id"]), @r#"SELECT "id", _version, "id", NULL, "title", "rank" FROM "notes" WHERE _deleted_at IS NULL AND "rank" <= ? AND ("rank" < ? OR "rank" = ? AND "id" < ?) ORDER BY "rank" DESC, "id" DESC LIMIT ?"#);
        assert_snapshot!(text_of(vec![Value::Null, seven.clone()], &["rank", "-id"]), @r#"SELECT "id", _version, "id", NULL, "title", "rank" FROM "notes" WHERE _deleted_at IS NULL AND ("rank" IS NOT NULL OR "rank" IS NULL AND "id" < ?) ORDER BY "rank", "id" DESC LIMIT ?"#);
        assert_snapshot!(text_of(vec![seven], &["-id"]), @r#"SELECT "id", _version, "id", NULL, "title", "rank" FROM "notes" WHERE _deleted_at IS NULL AND ("id" < ?) ORDER BY "id" DESC LIMIT ?"#);
    }

    #[test]
    fn pages_and_counts() {
        let [soft, _] = schemas();
        let notes = &soft.resources[0];
        let plain = query(notes);
        assert_snapshot!(both(|dialect| count(dialect, notes, Scope::Deleted, &plain)), @r#"
        SELECT (SELECT deleted FROM _carafe_count WHERE resource = 'notes')
        SELECT (SELECT coalesce(sum(deleted), 0)::bigint FROM _carafe_count WHERE resource = 'notes')
        "#);
        let one = |name: &str, test| Filter {
            column: notes.column(name).expect("a column"),
            test,
        };
        let filters = vec![
            one("title", Test::Equal(text("a"))),
            one("title", Test::NotEqual(text("b"))),
            one("rank", Test::Less(Value::Integer(1))),
            one(
                "rank",
                Test::In(vec![Value::Integer(1), Value::Null, Value::Integer(2)]),
            ),
            one("title", Test::Contains("c".to_owned())),
            one("rank", Test::IsNull(false)),
        ];
        let query = Query {
            filters,
            search: Search::parse("D"),
            ..plain
        };
        assert_snapshot!(both(|dialect| page(dialect, notes, Scope::Live, &query)), @r#"
        SELECT "id", _version, "id", NULL, "title", "rank" FROM "notes" WHERE "id" IN (SELECT "id" FROM "notes" WHERE _deleted_at IS NULL AND "title" = ? AND "title" IS NOT ? AND "rank" < ? AND "rank" IN (?, ?) AND carafe_contains(?, "title") AND "rank" IS NOT NULL AND carafe_contains(?, "title") ORDER BY "rank" DESC, "id" DESC LIMIT ? OFFSET ?) ORDER BY "rank" DESC, "id" DESC
        SELECT "id", _version, "id", NULL, "title", "rank" FROM "notes" WHERE "id" IN (SELECT "id" FROM "notes" WHERE _deleted_at IS NULL AND "title" = $1::text AND "title" IS DISTINCT FROM $2::text AND "rank" < $3::bigint AND "rank" IN ($4::bigint, $5::bigint) AND strpos(_carafe_fold("title"), $6::text) > 0 AND "rank" IS NOT NULL AND _search LIKE $7::text ORDER BY "rank" DESC, "id" DESC LIMIT $8::bigint OFFSET $9::bigint) ORDER BY "rank" DESC, "id" DESC
        "#);
        assert_eq!(
            page(Dialect::Sqlite, notes, Scope::Live, &query)
                .parameters()
                .len(),
            9
        );
        assert_snapshot!(both(|dialect| count(dialect, notes, Scope::Live, &query)), @r#"
        SELECT count(*) FROM (SELECT 1 FROM "notes" WHERE _deleted_at IS NULL AND "title" = ? AND "title" IS NOT ? AND "rank" < ? AND "rank" IN (?, ?) AND carafe_contains(?, "title") AND "rank" IS NOT NULL AND carafe_contains(?, "title") LIMIT ?) AS hits
        SELECT count(*) FROM (SELECT 1 FROM "notes" WHERE _deleted_at IS NULL AND "title" = $1::text AND "title" IS DISTINCT FROM $2::text AND "rank" < $3::bigint AND "rank" IN ($4::bigint, $5::bigint) AND strpos(_carafe_fold("title"), $6::text) > 0 AND "rank" IS NOT NULL AND _search LIKE $7::text LIMIT $8::bigint) AS hits
        "#);
        assert_snapshot!(matching(notes, &Query { filters: Vec::new(), ..query }, "[1]").text(), @r#"SELECT "id" FROM "notes" WHERE "id" IN (SELECT value FROM json_each(?)) AND _deleted_at IS NULL AND carafe_contains(?, "title") ORDER BY "rank" DESC, "id" DESC"#);
    }

    #[test]
    fn a_unique_text_of_any_length_is_looked_up_by_its_hash() {
        let mut long = field("code", Kind::Text);
        long.unique = true;
        let mut short = long.clone();
        short.rules.length_max = Some(100);
        let texts = [long, short].map(|code| {
            let schema = schema(vec![resource("notes", vec![code]).hard()]);
            let notes = &schema.resources[0];
            let filters = vec![Filter {
                column: Column::Field(0),
                test: Test::Equal(text("x")),
            }];
            let query = Query {
                filters,
                ..query(notes)
            };
            both(|dialect| count(dialect, notes, Scope::Live, &query))
        });
        assert_snapshot!(texts.join("\n"), @r#"
        SELECT count(*) FROM "notes" WHERE TRUE AND "code" = ?
        SELECT count(*) FROM "notes" WHERE TRUE AND md5("code") = md5($1::text) AND "code" = $2::text
        SELECT count(*) FROM "notes" WHERE TRUE AND "code" = ?
        SELECT count(*) FROM "notes" WHERE TRUE AND "code" = $1::text
        "#);
    }
}
