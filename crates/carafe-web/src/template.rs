//! Templates: ours, which are in the program, and the application's, which stand in their place.

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use minijinja::value::{Kwargs, Rest, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use rust_embed::RustEmbed;

use crate::escape;
use crate::link::{Links, Target, with_query};
use crate::pages::form;
use crate::pages::view::{Moment, RecordView};

#[derive(RustEmbed)]
#[folder = "templates/"]
struct Embedded;

/// The steps that one page may take, so that a template cannot hold a worker for ever. A list
/// of 100 records takes less than a hundredth of it.
pub const FUEL: u64 = 5_000_000;

/// Folders inside each other that the application's templates may have.
const DEPTH_MAX: usize = 8;

/// Our own templates are there under this prefix too, so that one of the application can
/// extend the one that it replaces.
const OWN: &str = "carafe/";

/// Where the application's pages are among the templates.
pub const PAGES: &str = "pages/";

/// Our own, compiled once.
static OWN_ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    for name in Embedded::iter() {
        let source = own_source(&name);
        for name in [format!("{OWN}{name}"), name.into_owned()] {
            environment
                .add_template_owned(name, source.clone())
                .expect("our own templates compile");
        }
    }
    environment
});

fn own_source(name: &str) -> String {
    let file = Embedded::get(name).expect("the file is listed");
    String::from_utf8(file.data.into_owned()).expect("our own templates are UTF-8")
}

/// The templates of one application, compiled.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

/// Why the application's templates cannot be used: every one that is broken.
#[derive(Debug)]
pub struct TemplateError {
    pub mistakes: Vec<Mistake>,
}

/// What is wrong with one template.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    pub file: PathBuf,
    pub line: Option<usize>,
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for TemplateError {}

impl Templates {
    /// Our templates and those in the folders `templates` and `pages` of `root`, which need not
    /// be there, and what is wrong with those that cannot be read or compiled.
    pub fn read(root: Option<&Path>, links: &Arc<Links>) -> (Self, Vec<Mistake>) {
        let mut environment = OWN_ENVIRONMENT.clone();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_formatter(format);
        environment.set_fuel(Some(FUEL));
        environment.set_debug(true);
        add_functions(&mut environment, links);
        let mut mistakes = Vec::new();
        for (name, prefix) in [("templates", ""), ("pages", PAGES)] {
            let folder = root.map(|root| root.join(name));
            if let Some(folder) = folder.filter(|folder| folder.exists()) {
                let mut reader = Reader {
                    environment: &mut environment,
                    mistakes: &mut mistakes,
                };
                reader.folder(&folder, prefix, 0);
            }
        }
        (Self { environment }, mistakes)
    }

    /// Whether there is a template called `name`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.environment.get_template(name).is_ok()
    }

    /// The names of the application's pages: `index.html`, `shop/about.html`.
    #[must_use]
    pub fn pages(&self) -> Vec<String> {
        let names = self.environment.templates().map(|(name, _)| name);
        let mut pages: Vec<String> = names
            .filter_map(|name| name.strip_prefix(PAGES).map(str::to_owned))
            .collect();
        pages.sort_unstable();
        pages
    }

    /// Renders the first of `names` that is there.
    ///
    /// # Errors
    ///
    /// The template's mistake, with its name and line.
    pub fn render(&self, names: &[&str], context: Value) -> Result<String, Error> {
        let mut found = Err(Error::new(
            ErrorKind::TemplateNotFound,
            format!("none of the templates {names:?} is there"),
        ));
        for name in names {
            found = self.environment.get_template(name);
            if found.is_ok() {
                break;
            }
        }
        found?.render(context)
    }
}

/// Reads the application's folder into an environment.
struct Reader<'a> {
    environment: &'a mut Environment<'static>,
    mistakes: &'a mut Vec<Mistake>,
}

impl Reader<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) {
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.mistake(folder, None, error.to_string()),
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let Ok(name) = entry.file_name().into_string() else {
                self.mistake(&path, None, "the name is not UTF-8".to_owned());
                continue;
            };
            // Hidden files and the copies that editors make.
            if name.starts_with('.') || name.ends_with('~') {
                continue;
            }
            let name = format!("{prefix}{name}");
            match path.is_dir() {
                false => self.file(&path, name),
                true if format!("{name}/") == OWN => {
                    let message = "the name `carafe` is for the built-in templates".to_owned();
                    self.mistake(&path, None, message);
                }
                true if format!("{name}/") == PAGES => {
                    let message = "pages are in the folder `pages` beside `templates`".to_owned();
                    self.mistake(&path, None, message);
                }
                true if depth < DEPTH_MAX => self.folder(&path, &format!("{name}/"), depth + 1),
                true => self.mistake(&path, None, "too many folders inside each other".to_owned()),
            }
        }
    }

    fn file(&mut self, path: &Path, name: String) {
        let source = match fs::read_to_string(path) {
            Ok(source) => source,
            Err(error) => return self.mistake(path, None, error.to_string()),
        };
        if let Err(error) = self.environment.add_template_owned(name, source) {
            let message = match error.detail() {
                Some(detail) => format!("{}: {detail}", error.kind()),
                None => error.kind().to_string(),
            };
            self.mistake(path, error.line(), message);
        }
    }

    fn mistake(&mut self, file: &Path, line: Option<usize>, message: String) {
        self.mistakes.push(Mistake {
            file: file.to_owned(),
            line,
            message,
        });
    }
}

/// Writes a value into a page. Null is shown as nothing. Undefined is what an `if` without
/// `else` gives: an undefined name has been refused before.
fn format(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    if value.is_none() || value.is_undefined() {
        if let AutoEscape::Json = state.auto_escape() {
            out.write_str("null")?;
        }
        return Ok(());
    }
    match state.auto_escape() {
        AutoEscape::Html if value.is_safe() => minijinja::escape_formatter(out, state, value),
        AutoEscape::Html => {
            if let Some(html) = form::html(value) {
                out.write_str(&html)?;
            } else if let Some(text) = value.as_str() {
                escape::write(out, text)?;
            } else {
                escape::write(out, &value.to_string())?;
            }
            Ok(())
        }
        _ => minijinja::escape_formatter(out, state, value),
    }
}

fn add_functions(environment: &mut Environment<'static>, links: &Arc<Links>) {
    let links = links.clone();
    environment.add_function(
        "url_for",
        move |endpoint: Value, rest: Rest<Value>, parameters: Kwargs| {
            url_for(&links, &endpoint, &rest, &parameters).map_err(mistake)
        },
    );
    environment.add_function("get_flashed_messages", flashed_messages);
    environment.add_function("csrf_token", |state: &State| {
        let token = state.lookup("_csrf_token");
        token.map_or_else(Value::default, |token| Value::from(token.to_string()))
    });
    environment.add_filter("escape", escaped);
    environment.add_filter("e", escaped);
    environment.add_filter("truncate", truncate);
    environment.add_filter("date", |value: &Value| dated(value, Moment::day));
    environment.add_filter("time", |value: &Value| dated(value, Moment::hour));
    environment.add_filter("datetime", |value: &Value| dated(value, Moment::words));
    environment.add_filter(
        "strftime",
        |value: &Value, format: &str| match Moment::from_value(value) {
            Some(moment) => moment.strftime(format).map_err(mistake),
            None => Ok(String::new()),
        },
    );
    environment.add_filter("cell", |record: &Value, column: &str| {
        on_record(record, |record| record.cell(column))
    });
    environment.add_filter("cells", |record: &Value, columns: &Value| {
        on_record(record, |record| record.cells(columns))
    });
    environment.add_filter("shown", |record: &Value, column: &str| {
        on_record(record, |record| record.shown(column))
    });
    environment.add_filter("heading", |record: &Value| {
        on_record(record, |record| Ok(Value::from(record.heading())))
    });
}

/// That a template asks for what cannot be.
pub(crate) fn mistake(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// What our formatter makes of a value, for `|e`, which would otherwise not use it.
fn escaped(value: &Value) -> Value {
    match value.is_safe() {
        true => value.clone(),
        false => Value::from_safe_string(
            form::html(value).unwrap_or_else(|| escape::html(&value.to_string())),
        ),
    }
}

fn on_record(
    value: &Value,
    show: impl FnOnce(&RecordView) -> Result<Value, Error>,
) -> Result<Value, Error> {
    let record = value
        .downcast_object_ref::<RecordView>()
        .ok_or_else(|| mistake("this filter is for records".to_owned()))?;
    show(record)
}

fn dated(value: &Value, show: fn(&Moment) -> String) -> String {
    Moment::from_value(value).map_or_else(String::new, |moment| show(&moment))
}

/// `text` cut to `length` characters with `…` at the end, at a space unless `killwords`.
fn truncate(text: &str, length: Option<usize>, kwargs: Kwargs) -> Result<String, Error> {
    let length = length.map_or_else(|| kwargs.get("length"), |length| Ok(Some(length)))?;
    let end = kwargs.get::<Option<&str>>("end")?.unwrap_or("…");
    let kill_words = kwargs.get::<Option<bool>>("killwords")?.unwrap_or(false);
    kwargs.assert_all_used()?;
    let shortened = shorten(text, length.unwrap_or(255), end, kill_words);
    Ok(shortened.into_owned())
}

/// `text`, or its beginning and `end` where it has more than `length` characters.
pub(crate) fn shorten<'a>(
    text: &'a str,
    length: usize,
    end: &str,
    kill_words: bool,
) -> Cow<'a, str> {
    // Most texts are short, or have a byte for each character: then nothing is counted.
    let cut = match text.as_bytes().get(..=length) {
        None => None,
        Some(start) if start.is_ascii() => Some(length),
        Some(_) => text.char_indices().nth(length).map(|(cut, _)| cut),
    };
    let Some(cut) = cut else {
        return Cow::from(text);
    };
    let start = &text[..cut];
    let start = match start.rfind(char::is_whitespace) {
        Some(space) if !kill_words && space > 0 => &start[..space],
        _ => start,
    };
    Cow::from(format!("{}{end}", start.trim_end()))
}

/// `get_flashed_messages(with_categories=true, category_filter=["success"])`
fn flashed_messages(state: &State, kwargs: Kwargs) -> Result<Vec<Value>, Error> {
    let with_categories = kwargs
        .get::<Option<bool>>("with_categories")?
        .unwrap_or(false);
    let wanted = kwargs
        .get::<Option<Vec<String>>>("category_filter")?
        .unwrap_or_default();
    kwargs.assert_all_used()?;
    let mut messages = Vec::new();
    for pair in state.lookup("_flashes").unwrap_or_default().try_iter()? {
        let category = pair.get_item_by_index(0)?.to_string();
        if !wanted.is_empty() && !wanted.contains(&category) {
            continue;
        }
        messages.push(match with_categories {
            true => pair,
            false => pair.get_item_by_index(1)?,
        });
    }
    Ok(messages)
}

/// The address of a page: of a record (`url_for(note)`, `url_for(note, "edit")`) or by name
/// (`url_for("notes.list", page=2)`, `url_for("notes.detail", id=7)`, `url_for("home")`,
/// `url_for("static", filename="style.css")`). Names left over become the query.
fn url_for(
    links: &Links,
    endpoint: &Value,
    rest: &[Value],
    parameters: &Kwargs,
) -> Result<String, String> {
    let parameter = |name: &str| {
        let value = parameters
            .has(name)
            .then(|| parameters.peek::<Value>(name).ok())?;
        value.filter(|value| !value.is_undefined() && !value.is_none())
    };
    let mut used = Vec::new();
    let path = if let Some(record) = endpoint.downcast_object_ref::<RecordView>() {
        let target = rest.first().and_then(Value::as_str).unwrap_or("detail");
        record.path(Target::parse(target)?)
    } else {
        match endpoint.as_str() {
            Some("home" | "index") => Links::HOME.to_owned(),
            Some("static") => {
                used.push("filename".to_owned());
                let name = parameter("filename").ok_or("url_for(\"static\") needs filename=")?;
                links.assets.url(&name.to_string())
            }
            Some(endpoint) => named(links, endpoint, &parameter, &mut used)?,
            None => return Err("url_for needs the name of a page, or a record".to_owned()),
        }
    };
    let left_over: Vec<(&str, String)> = parameters
        .args()
        .filter(|name| !name.starts_with('_') && !used.iter().any(|used| used == name))
        .filter_map(|name| Some((name, parameter(name)?.to_string())))
        .collect();
    let mut url = with_query(
        path,
        left_over
            .iter()
            .map(|(name, value)| (*name, value.as_str())),
    );
    if let Some(anchor) = parameter("_anchor") {
        url.push('#');
        url.push_str(&crate::link::segment(&anchor.to_string()));
    }
    Ok(url)
}

/// The path of `notes.detail` and the like; `used` learns which parameters it took.
fn named(
    links: &Links,
    endpoint: &str,
    parameter: &dyn Fn(&str) -> Option<Value>,
    used: &mut Vec<String>,
) -> Result<String, String> {
    let (resource, target) = endpoint.split_once('.').unwrap_or((endpoint, "list"));
    let (resource, target) = (links.resource(resource)?, Target::parse(target)?);
    let parent = match &resource.parent {
        Some(parent) => {
            let kind = links.schema.resources[parent.index].key.kind;
            let name = resource.fields[parent.field].name.as_str();
            used.push(name.to_owned());
            let value = parameter(name).ok_or_else(|| format!("{endpoint} needs {name}="))?;
            kind.parse(&value.to_string())
        }
        None => None,
    };
    if !target.needs_key() {
        return Ok(links.record_less(resource, parent.as_ref(), target));
    }
    let own = resource.key.field.as_str();
    let names = [own, "id", "key"];
    let (name, value) = names
        .iter()
        .find_map(|name| Some((*name, parameter(name)?)))
        .ok_or_else(|| format!("{endpoint} needs {own}="))?;
    used.push(name.to_owned());
    let key = resource.key.kind.parse(&value.to_string());
    let key = key.ok_or_else(|| format!("{value} is no {own} of {}", resource.name))?;
    Ok(links.record(resource, parent.as_ref(), &key, target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::fixture;

    fn with_files(files: &[(&str, &str)]) -> Result<(Templates, tempfile::TempDir), TemplateError> {
        let root = tempfile::tempdir().unwrap();
        for (name, source) in files {
            let path = root.path().join("templates").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, source).unwrap();
        }
        let (templates, mistakes) = Templates::read(Some(root.path()), &fixture::links());
        match mistakes.is_empty() {
            true => Ok((templates, root)),
            false => Err(TemplateError { mistakes }),
        }
    }

    fn render(source: &str) -> Result<String, String> {
        let (templates, _root) = with_files(&[("page.html", source)]).unwrap();
        let context = Value::from_pairs([
            ("text", Value::from("<a href=\"x\">'\u{85}")),
            ("nothing", Value::from(())),
            ("note", fixture::note_view()),
            (
                "_flashes",
                Value::from(vec![
                    Value::from(vec!["success", "Saved <b>"]),
                    Value::from(vec!["error", "No"]),
                ]),
            ),
        ]);
        templates
            .render(&["page.html"], context)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_template_of_the_application_replaces_ours_and_can_extend_it() {
        let (templates, _root) = with_files(&[
            ("base.html", "[{% block content %}{% endblock %}]"),
            ("error.html", "{% extends 'carafe/error.html' %}"),
            (
                "notes/list.html",
                "{% extends 'base.html' %}{% block content %}mine{% endblock %}",
            ),
        ])
        .unwrap();
        let names = ["notes/list.html", "list.html"];
        let html = templates
            .render(&names, Value::from_pairs([("a", 1)]))
            .unwrap();
        assert_eq!(html, "[mine]");
        assert!(templates.has("carafe/base.html"));
        assert!(templates.has("carafe/list.html"));
        assert!(!templates.has("404.html"));
    }

    #[test]
    fn every_broken_template_is_reported_with_file_and_line() {
        let error = with_files(&[
            ("a.html", "one\ntwo\n{% if x %}\n"),
            ("notes/b.html", "{{ a | }}"),
            ("carafe/base.html", ""),
            ("good.html", "{{ a }}"),
        ])
        .unwrap_err();
        let found: Vec<_> = error
            .mistakes
            .iter()
            .map(|mistake| {
                let name = mistake
                    .file
                    .file_name()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                (name, mistake.line)
            })
            .collect();
        assert_eq!(
            found,
            [
                ("a.html".to_owned(), Some(3)),
                ("carafe".to_owned(), None),
                ("b.html".to_owned(), Some(1)),
            ],
            "{error}"
        );
    }

    #[test]
    fn values_are_escaped_and_addresses_made() {
        let cases = [
            ("{{ text }}", "&lt;a href=&#34;x&#34;&gt;&#39;\u{fffd}"),
            ("{{ text|e }}", "&lt;a href=&#34;x&#34;&gt;&#39;\u{fffd}"),
            ("{{ '<b>'|safe }}", "<b>"),
            ("{{ nothing }}|{{ 1.5 }}|{{ 7 }}", "|1.5|7"),
            ("{% if note.nope %}yes{% else %}no{% endif %}", "no"),
            ("{{ 'yes' if note.nope }}", ""),
            ("{{ 'one two three'|truncate(9) }}", "one two…"),
            ("{{ 'one two'|truncate(9) }}", "one two"),
            ("{{ url_for('home') }}", "/"),
            (
                "{{ url_for('notes.list', page=2, q='a&b') }}",
                "/notes?page=2&amp;q=a%26b",
            ),
            ("{{ url_for('notes.new') }}", "/notes/new"),
            ("{{ url_for('notes.edit', id=note.id) }}", "/notes/7/edit"),
            (
                "{{ url_for(note) }} {{ url_for(note, 'delete') }}",
                "/notes/7 /notes/7/delete",
            ),
            (
                "{{ url_for('static', filename='css/style.css') }}",
                "/static/css/style.css",
            ),
            (
                "{{ note|cells([{'name': 'title'}, {'name': 'id', 'class': 'number'}]) }}",
                "<th scope=\"row\"><a href=\"/notes/7\">Milk</a></th>\n<td class=\"number\">7</td>\n",
            ),
            ("{{ note.created_at|date }}", "2026-01-02"),
            ("{{ note.created_at|datetime }}", "2026-01-02 03:04 UTC"),
            ("{{ note.created_at.strftime('%d.%m.%Y') }}", "02.01.2026"),
            ("{{ note.created_at|strftime('%H:%M') }}", "03:04"),
            (
                "{% for c, m in get_flashed_messages(with_categories=true) %}{{ c }}:{{ m }};{% endfor %}",
                "success:Saved &lt;b&gt;;error:No;",
            ),
            (
                "{{ get_flashed_messages(category_filter=['error'])|join(',') }}",
                "No",
            ),
        ];
        for (source, expected) in cases {
            assert_eq!(
                render(source).as_deref(),
                Ok(expected),
                "template: {source}"
            );
        }
    }

    #[test]
    fn a_mistake_at_work_says_where_it_is() {
        let cases = [
            ("a\n{{ note.titel }}", "(in page.html:2)"),
            ("{{ url_for('note.list') }}", "did you mean \"notes\"?"),
            ("{{ url_for('notes.detail') }}", "notes.detail needs id="),
            ("{{ 'x'|cell('a') }}", "this filter is for records"),
            ("{{ 'x'|cells([]) }}", "this filter is for records"),
            (
                "{{ note|cells([{'name': 'titel', 'class': ''}]) }}",
                "the record has no such field",
            ),
            (
                "{% for i in range(100000) %}{% for j in range(1000) %}{{ j }}{% endfor %}{% endfor %}",
                "fuel",
            ),
        ];
        for (source, expected) in cases {
            let error = render(source).unwrap_err();
            assert!(error.contains(expected), "template: {source}: {error}");
        }
    }
}
