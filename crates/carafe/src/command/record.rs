//! `carafe list`, `get`, `create`, `update`, `delete` and `restore`: the same verbs as the API's, over the
//! same service.

use std::borrow::Cow;
use std::io::Read;

use anyhow::{Context, Result, anyhow, bail};
use carafe_model::actor::Actor;
use carafe_model::document::{CONTENT, Members};
use carafe_model::draft::Input;
use carafe_model::fault::Fault;
use carafe_model::key::Key;
use carafe_model::kind::Kind;
use carafe_model::query::{DELETED, Defaults, Query, Total};
use carafe_model::record::Record;
use carafe_model::resource::{Pagination, Resource, Strictness};
use carafe_model::schema::Limits;
use carafe_model::value::Row;
use carafe_service::access::Action;
use carafe_service::document::Document;
use carafe_service::record::{Change, Guard};
use carafe_web::json::{self, Encoder};
use comfy_table::Table;

use crate::args::{List, Output, Target, Values};
use crate::command::opened::Opened;
use crate::command::table;

pub(super) fn list(args: &List) -> Result<()> {
    let opened = Opened::open(&args.target)?;
    let resource = opened.resource();
    let query = read_query(args, &opened)?;
    let mut records = Vec::new();
    let mut each = |row: &dyn Row| records.push(Record::from_row(resource, row));
    let total = opened.run(
        opened
            .service
            .list(&Actor::Operator, resource, &query, &mut each),
    )?;
    if args.output.json {
        let rows: Vec<String> = records
            .iter()
            .map(|record| to_json(resource, record))
            .collect();
        match resource.members {
            None => println!("[{}]", rows.join(",")),
            Some(_) => println!("{{{}}}", named(&records, &rows).join(",")),
        }
        return Ok(());
    }
    println!("{}", table(resource, &records));
    let Total { count, is_exact } = total;
    match is_exact {
        true => {
            let pages = count.div_ceil(query.per_page).max(1);
            println!("Page {} of {pages}, {count} in all", query.page);
        }
        false => println!("Page {}, more than {count} in all", query.page),
    }
    Ok(())
}

/// Documents under their names, as members of a JSON object.
fn named(records: &[Record], rows: &[String]) -> Vec<String> {
    let member = |(record, row): (&Record, &String)| {
        let mut name = Vec::new();
        json::write_string(&mut name, &record.key.to_string());
        format!("{}:{row}", String::from_utf8_lossy(&name))
    };
    records.iter().zip(rows).map(member).collect()
}

fn read_query(args: &List, opened: &Opened) -> Result<Query> {
    let mut parameters: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
    for filter in &args.filters {
        let (name, value) = pair(filter)?;
        parameters.push((name.into(), value.into()));
    }
    let mut add = |name: &'static str, value: Option<String>| {
        parameters.extend(value.map(|value| (Cow::Borrowed(name), Cow::Owned(value))));
    };
    add("sort", args.sort.clone());
    add("q", args.q.clone());
    add("page", args.page.map(|page| page.to_string()));
    add("per_page", args.per_page.map(|size| size.to_string()));
    add(DELETED, args.deleted.then(|| "only".to_owned()));
    let defaults = Defaults {
        order: &opened.resource().order,
        per_page: 20,
        per_page_max: opened.service.schema().limits.per_page_max as u64,
        pagination: Pagination::Page,
        strictness: Strictness::Strict,
    };
    let parsed = Query::parse(opened.resource(), &defaults, parameters);
    parsed.map_err(|faults| {
        anyhow!(
            faults
                .into_iter()
                .map(|fault| fault.message)
                .collect::<Vec<_>>()
                .join("\n")
        )
    })
}

pub(super) fn get(target: &Target, key: &str, output: &Output) -> Result<()> {
    let opened = Opened::open(target)?;
    let resource = opened.resource();
    let key = read_key(resource, key)?;
    let record = opened.run(opened.service.get(&Actor::Operator, resource, &key, |row| {
        Record::from_row(resource, row)
    }))?;
    show(resource, &record, output);
    Ok(())
}

pub(super) fn create(target: &Target, values: &Values, output: &Output) -> Result<()> {
    let opened = Opened::open(target)?;
    let resource = opened.resource();
    let input = read_values(resource, values)?;
    let record = opened.run(
        opened
            .service
            .create(&Actor::Operator, resource, None, input),
    )?;
    show(resource, &record, output);
    Ok(())
}

pub(super) fn update(target: &Target, key: &str, values: &Values, output: &Output) -> Result<()> {
    let opened = Opened::open(target)?;
    let resource = opened.resource();
    let key = read_key(resource, key)?;
    let input = read_values(resource, values)?;
    let record = opened.run(async {
        let current = opened
            .service
            .find(&Actor::Operator, Action::Update, resource, &key)
            .await?;
        let change = match resource.members {
            None => Change::Merge(input),
            // The members of a document stand one level below its field.
            Some(_) => Change::Patch(input),
        };
        opened
            .service
            .update(&Actor::Operator, resource, current, Guard::Latest, &change)
            .await
    })?;
    show(resource, &record, output);
    Ok(())
}

pub(super) fn delete(target: &Target, key: &str) -> Result<()> {
    let opened = Opened::open(target)?;
    let resource = opened.resource();
    let key = read_key(resource, key)?;
    opened.run(async {
        let current = opened
            .service
            .find(&Actor::Operator, Action::Delete, resource, &key)
            .await?;
        opened
            .service
            .delete(&Actor::Operator, resource, current, Guard::Latest)
            .await
    })?;
    println!("Deleted {} {key}", resource.label);
    Ok(())
}

pub(super) fn restore(target: &Target, key: &str, output: &Output) -> Result<()> {
    let opened = Opened::open(target)?;
    let resource = opened.resource();
    let key = read_key(resource, key)?;
    let record = opened.run(async {
        let service = &opened.service;
        let deleted = service
            .find_deleted(&Actor::Operator, resource, &key)
            .await?;
        service.restore(&Actor::Operator, resource, &deleted).await
    })?;
    show(resource, &record, output);
    Ok(())
}

fn read_key(resource: &Resource, text: &str) -> Result<Key> {
    resource.key.kind.parse(text).ok_or_else(|| {
        anyhow!(
            "{text:?} cannot be the key of a record of {}",
            resource.name
        )
    })
}

/// Values of the command line; a key that clients name may stand among them.
fn read_values(resource: &Resource, values: &Values) -> Result<Input> {
    let mut input = match &values.data {
        Some(data) => read_data(resource, data)?,
        None => Input::new(resource),
    };
    let mut document = Document::default();
    for text in &values.values {
        let (name, value) = pair(text)?;
        let is_key = name == resource.key.field.as_str();
        match (&resource.members, resource.position(name)) {
            (_, _) if is_key => input.key = Some(value.to_owned()),
            _ if values.data.is_some() => {
                bail!("give values either as FIELD=VALUE or as --data, not both")
            }
            (Some(members), _) => match member(resource, members, name, value) {
                Ok(value) => drop(document.set(name, value)),
                Err(fault) => input.fault(fault),
            },
            (None, Some(position)) => input.give_text(resource, position, value),
            // However lenient the API is: who types a name means a field.
            (None, None) => input.refuse_unknown(resource, name),
        }
    }
    if resource.members.is_some() && values.data.is_none() {
        input.give_value(CONTENT, document.into_value());
    }
    Ok(input)
}

fn member(
    resource: &Resource,
    members: &Members,
    name: &str,
    value: &str,
) -> std::result::Result<String, Fault> {
    members.check_name(resource, name)?;
    json::typed_value(members, value, Limits::default().json_depth_max)
        .map_err(|fault| members.fault(name, &fault))
}

fn read_data(resource: &Resource, data: &str) -> Result<Input> {
    let mut text = data.to_owned();
    if data == "-" {
        text.clear();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("read standard input")?;
    }
    let input = json::read_input(resource, text.as_bytes(), Limits::default().json_depth_max);
    input.map_err(|problem| anyhow!(problem.detail.unwrap_or(problem.error)))
}

fn pair(text: &str) -> Result<(&str, &str)> {
    match text.split_once('=') {
        Some(pair) => Ok(pair),
        None => bail!("{text:?} has no `=`; write FIELD=VALUE"),
    }
}

fn show(resource: &Resource, record: &Record, output: &Output) {
    if output.json {
        return println!("{}", to_json(resource, record));
    }
    let mut table = table::new();
    table.add_row([resource.key.field.to_string(), record.key.to_string()]);
    if resource.members.is_some() {
        for (name, value) in Document::of(record).members() {
            table.add_row([visible(name), visible(value)]);
        }
        return println!("{table}");
    }
    for (field, value) in resource.fields.iter().zip(&record.values) {
        if field.kind != Kind::Password {
            table.add_row([field.name.to_string(), visible(&field.show(value))]);
        }
    }
    println!("{table}");
}

fn table(resource: &Resource, records: &[Record]) -> Table {
    let mut table = table::new();
    let fields = || {
        resource
            .fields
            .iter()
            .enumerate()
            .filter(|(_, field)| field.kind != Kind::Password)
    };
    let names = fields().map(|(_, field)| field.name.to_string());
    table.set_header(std::iter::once(resource.key.field.to_string()).chain(names));
    for record in records {
        let values = fields()
            .map(|(position, field)| shorten(&visible(&field.show(&record.values[position]))));
        table.add_row(std::iter::once(record.key.to_string()).chain(values));
    }
    table
}

/// Text for a terminal: control characters, which could move the cursor or hide text, are shown.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' | '\r' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// At most this many characters of a value stand in a table of records.
const CELL_CHARACTERS_MAX: usize = 60;

fn shorten(text: &str) -> String {
    match text.chars().count() {
        count if count > CELL_CHARACTERS_MAX => text
            .chars()
            .take(CELL_CHARACTERS_MAX - 1)
            .chain(['…'])
            .collect(),
        _ => text.to_owned(),
    }
}

fn to_json(resource: &Resource, record: &Record) -> String {
    let mut bytes = Vec::new();
    Encoder::new(resource).write(&mut bytes, record, None);
    String::from_utf8_lossy(&bytes).into_owned()
}
