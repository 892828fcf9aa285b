//! Regular expressions for what texts can be, in the common part of ECMA-262 and others, with
//! every class written out: what `\s` means differs between engines.

use carafe_model::field::Field;
use carafe_model::key::KeyKind;
use carafe_model::kind::Kind;
use carafe_model::resource::{Column, Resource};

/// What is removed at the ends of a text (Unicode's `White_Space`).
const WHITE: &str = r"\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";

/// What one line cannot have (Unicode's `Cc`).
const CONTROL: &str = r"\u0000-\u001f\u007f-\u009f";

/// What many lines cannot have: the same without tab, line feed and carriage return.
const CONTROL_OF_LINES: &str = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f";

/// A text without NUL, which no parameter may have.
pub(super) const WITHOUT_NUL: &str = r"^[^\u0000]*$";

/// A text that is not only white space, without NUL.
pub(super) const SOMETHING: &str = r"^[^\u0000]*[^\u0000\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\u0000]*$";

/// What the HTML Standard calls a valid e-mail address.
const EMAIL: &str = r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,62})?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,62})?)*$";

/// An absolute URI (RFC 3986) of scheme `http` or `https` with a host.
const URL: &str = r"^[hH][tT][tT][pP][sS]?://(?:[a-zA-Z0-9._~!$&'()*+,;=:-]|%[0-9a-fA-F]{2})+(?:[/?](?:[a-zA-Z0-9._~:/?@!$&'()*+,;=-]|%[0-9a-fA-F]{2})*)?(?:#(?:[a-zA-Z0-9._~:/?@!$&'()*+,;=-]|%[0-9a-fA-F]{2})*)?$";

/// The patterns that a text sent for `field` matches, all of them.
#[must_use]
pub(super) fn patterns(field: &Field) -> Vec<String> {
    let mut patterns = Vec::new();
    match &field.kind {
        Kind::String => patterns.push(written(field, CONTROL)),
        Kind::Text => patterns.push(written(field, CONTROL_OF_LINES)),
        Kind::Password => patterns.push(password(field)),
        Kind::Email => patterns.push(EMAIL.to_owned()),
        Kind::Url => patterns.push(URL.to_owned()),
        Kind::Decimal { scale } => patterns.push(decimal(*scale)),
        Kind::Integer
        | Kind::Number
        | Kind::Boolean
        | Kind::Date
        | Kind::Datetime
        | Kind::Uuid
        | Kind::Choice(_)
        | Kind::Reference(_)
        | Kind::Json => {}
    }
    if let Some(pattern) = &field.rules.pattern {
        let trims = field.rules.trim && field.kind != Kind::Password;
        patterns.push(match trims {
            true => trimmed(&pattern.text),
            false => pattern.text.clone(),
        });
    }
    patterns
}

/// A text of a field without the characters of `control`, as it is before it is trimmed.
fn written(field: &Field, control: &str) -> String {
    if !field.rules.trim {
        return format!("^[^{control}]*$");
    }
    let visible = format!("[^{control}{WHITE}]");
    let inner = match field.rules.length_min {
        Some(min) if min > 1 => format!("{visible}[^{control}]{{{},}}{visible}", min - 2),
        _ => format!("{visible}(?:[^{control}]*{visible})?"),
    };
    match field.optional {
        true => format!("^[{WHITE}]*(?:{inner}[{WHITE}]*)?$"),
        false => format!("^[{WHITE}]*{inner}[{WHITE}]*$"),
    }
}

/// A password is not trimmed; an empty one is none.
fn password(field: &Field) -> String {
    let min = field.rules.length_min.unwrap_or(1).max(1);
    match field.optional {
        true => format!("^(?:[^{CONTROL_OF_LINES}]{{{min},}})?$"),
        false => format!("^[^{CONTROL_OF_LINES}]{{{min},}}$"),
    }
}

/// A pattern that is searched for in a trimmed text, for the text before it is trimmed: the
/// anchors stand behind and before white space.
fn trimmed(pattern: &str) -> String {
    let (mut out, mut in_class, mut escaped) = (String::new(), false, false);
    for character in pattern.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' if !in_class => in_class = true,
            ']' if in_class => in_class = false,
            '^' if !in_class => {
                out.push_str(&format!("^[{WHITE}]*(?![{WHITE}])"));
                continue;
            }
            '$' if !in_class => {
                out.push_str(&format!("(?<![{WHITE}])[{WHITE}]*$"));
                continue;
            }
            _ => {}
        }
        out.push(character);
    }
    out
}

/// An exact decimal with up to `scale` digits behind the point, and 18 in all.
#[must_use]
pub(super) fn decimal(scale: u8) -> String {
    let whole = carafe_model::decimal::DIGITS_MAX - u32::from(scale);
    let whole = match whole {
        0 => "0+".to_owned(),
        _ => format!("0*[0-9]{{1,{whole}}}"),
    };
    match scale {
        0 => format!(r"^-?{whole}(?:\.0+)?$"),
        _ => format!(r"^-?{whole}(?:\.[0-9]{{1,{scale}}}0*)?$"),
    }
}

/// A key that clients name, without those that are addresses of something else.
#[must_use]
pub(super) fn key(resource: &Resource) -> String {
    let pages = resource.pages.as_ref();
    let form = pages.and_then(|pages| pages.new_path.rsplit('/').next());
    let fixed: Vec<String> = ["search", "new", form.unwrap_or("new")]
        .into_iter()
        .filter(|name| resource.is_fixed_path(name))
        .map(|name| format!("|{}", escaped(name)))
        .collect();
    named(&fixed.concat())
}

/// A key of another resource, as text.
#[must_use]
pub(super) fn of_key(kind: KeyKind) -> String {
    match kind {
        KeyKind::Integer => "^[1-9][0-9]{0,18}$".to_owned(),
        KeyKind::Uuid => UUID.to_owned(),
        KeyKind::String => named(""),
    }
}

const UUID: &str = "^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$";

/// Values of a column with commas between them, up to 100.
#[must_use]
pub(super) fn list_of(resource: &Resource, column: Column) -> String {
    let (one, or_none) = match column {
        Column::Key => match resource.key.kind {
            KeyKind::Integer => (WHOLE.to_owned(), false),
            KeyKind::Uuid => (UUID.to_owned(), false),
            KeyKind::String => (ANY.to_owned(), false),
        },
        Column::Field(position) => {
            let kind = &resource.fields[position].kind;
            (one_of_list(kind), true)
        }
    };
    let one = one.trim_start_matches('^').trim_end_matches('$');
    let one = match or_none {
        true => format!("(?:{one})?"),
        false => format!("(?:{one})"),
    };
    let more = carafe_model::query::IN_MAX - 1;
    format!("^{one}(?:,{one}){{0,{more}}}$")
}

const WHOLE: &str = "^-?[0-9]{1,18}$";

/// Anything but what ends a value.
const ANY: &str = r"^[^\u0000,]*$";

fn one_of_list(kind: &Kind) -> String {
    match kind {
        Kind::String
        | Kind::Text
        | Kind::Email
        | Kind::Url
        | Kind::Choice(_)
        | Kind::Password
        | Kind::Json => ANY.to_owned(),
        Kind::Integer => WHOLE.to_owned(),
        Kind::Number => r"^-?[0-9]{1,9}(?:\.[0-9]{1,6})?$".to_owned(),
        Kind::Decimal { scale } => decimal(*scale),
        Kind::Boolean => "^(?:true|false|1|0|on|off|yes|no)$".to_owned(),
        Kind::Date => DATE.to_owned(),
        Kind::Datetime => DATETIME.to_owned(),
        Kind::Uuid => UUID.to_owned(),
        Kind::Reference(reference) => match reference.key {
            KeyKind::Integer => "^[1-9][0-9]{0,17}$".to_owned(),
            KeyKind::Uuid => UUID.to_owned(),
            KeyKind::String => r"^[^\u0000-\u001f\u007f-\u009f,.]{1,255}$".to_owned(),
        },
    }
}

/// Days that every month has, in years that all calendars agree on.
const DATE: &str = "^[12][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])$";
const DATETIME: &str = "^[12][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?Z$";

/// The name of a member of a document.
#[must_use]
pub(super) fn member(resource: &Resource) -> String {
    named(if resource.history { "|history" } else { "" })
}

/// 1 to 255 characters that can stand in a path (RFC 3986, section 5.2.4), without `others`.
fn named(others: &str) -> String {
    let max = KeyKind::CHARACTERS_MAX;
    format!(r"^(?!(?:\.|\.\.{others})$)[^{CONTROL}]{{1,{max}}}$")
}

/// A text as a pattern that matches just this text.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if !character.is_alphanumeric() && character.is_ascii() && character != '_' {
            out.push('\\');
        }
        out.push(character);
    }
    out
}
