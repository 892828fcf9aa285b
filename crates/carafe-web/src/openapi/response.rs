//! Replies: bodies, header fields, and every refusal that can come.

use http::StatusCode;

use super::schema::{reference, typed};
use super::tree::{Json, Object};
use crate::error::Kind;
use carafe_model::deprecation::Deprecation;
use carafe_model::fault::Code;

/// A JSON body of this schema.
#[must_use]
pub(super) fn json(schema: Object) -> Object {
    media("application/json", schema)
}

/// A body of this type and schema.
#[must_use]
pub(super) fn media(kind: &'static str, schema: Object) -> Object {
    Object::new().with(kind, Object::new().with("schema", schema))
}

/// A reply with these header fields, and perhaps a body.
#[must_use]
pub(super) fn reply(
    description: impl Into<String>,
    headers: &[Header],
    content: Option<Object>,
) -> Object {
    let mut fields = Object::new().with("X-Request-Id", component("headers", "RequestId"));
    for header in headers {
        fields.set(header.name(), header.field());
    }
    Object::new()
        .with("description", description.into())
        .with("headers", fields)
        .with_some("content", content)
}

/// A header field of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    Etag,
    Location,
    Link,
    Total,
    PreferenceApplied,
    RetryAfter,
    Accept,
    AcceptEncoding,
    Deprecation,
    Sunset,
    RateLimit,
    RateLimitPolicy,
}

impl Header {
    const ALL: [Header; 12] = [
        Header::Etag,
        Header::Location,
        Header::Link,
        Header::Total,
        Header::PreferenceApplied,
        Header::RetryAfter,
        Header::Accept,
        Header::AcceptEncoding,
        Header::Deprecation,
        Header::Sunset,
        Header::RateLimit,
        Header::RateLimitPolicy,
    ];

    fn name(self) -> &'static str {
        match self {
            Header::Etag => "ETag",
            Header::Location => "Location",
            Header::Link => "Link",
            Header::Total => "X-Total-Count",
            Header::PreferenceApplied => "Preference-Applied",
            Header::RetryAfter => "Retry-After",
            Header::Accept => "Accept",
            Header::AcceptEncoding => "Accept-Encoding",
            Header::Deprecation => "Deprecation",
            Header::Sunset => "Sunset",
            Header::RateLimit => "RateLimit",
            Header::RateLimitPolicy => "RateLimit-Policy",
        }
    }

    /// The name of its component.
    fn component(self) -> &'static str {
        match self {
            Header::Etag => "ETag",
            Header::Location => "Location",
            Header::Link => "Link",
            Header::Total => "TotalCount",
            Header::PreferenceApplied => "PreferenceApplied",
            Header::RetryAfter => "RetryAfter",
            Header::Accept => "Accept",
            Header::AcceptEncoding => "AcceptEncoding",
            Header::Deprecation => "Deprecation",
            Header::Sunset => "Sunset",
            Header::RateLimit => "RateLimit",
            Header::RateLimitPolicy => "RateLimitPolicy",
        }
    }

    fn field(self) -> Object {
        component("headers", self.component())
    }

    fn described(self) -> Object {
        let text = typed("string", false);
        let (schema, words) = match self {
            Header::Etag => (
                text.with("pattern", r#"^(?:W/)?"[^"]*"$"#),
                "The version, to be sent back in If-Match or If-None-Match (RFC 9110, section 8.8.3)",
            ),
            Header::Location => (
                text.with("format", "uri-reference"),
                "Where the new record is",
            ),
            Header::Link => (text, "Other pages of the list (RFC 8288)"),
            Header::Total => (
                typed("integer", false).with("minimum", 0_i64),
                "How many records match; absent where a search did not count all",
            ),
            Header::PreferenceApplied => (
                text.with("enum", vec!["return=minimal", "return=representation"]),
                "The preference that was followed (RFC 7240)",
            ),
            Header::RetryAfter => (
                typed("integer", false).with("minimum", 0_i64),
                "Seconds to wait",
            ),
            Header::Accept => (text, "The types that are taken"),
            Header::AcceptEncoding => (text, "The codings that are taken"),
            Header::Deprecation => (
                text.with("pattern", "^@-?[0-9]+$"),
                "Since when clients are to leave the operation, in seconds since 1970 (RFC 9745)",
            ),
            Header::Sunset => (text, "Until when clients can use the operation (RFC 8594)"),
            Header::RateLimit => (
                text,
                "How many requests are left (r), and the seconds until all are there again (t)",
            ),
            Header::RateLimitPolicy => (
                text,
                "How many requests are taken (q) in how many seconds (w)",
            ),
        };
        Object::new()
            .with("description", words)
            .with("schema", schema)
    }
}

/// The header fields that replies refer to.
pub(super) fn headers() -> Object {
    let id = typed("string", false).with("format", "uuid");
    let id = Object::new()
        .with(
            "description",
            "The id of the request, also in the log and in `instance` of a problem",
        )
        .with("required", true)
        .with("schema", id);
    let mut fields = Object::new().with("RequestId", id);
    for header in Header::ALL {
        fields.set(header.component(), header.described());
    }
    fields
}

/// A reply that is the same everywhere.
#[must_use]
pub(super) fn refusal(status: u16) -> Object {
    component("responses", refusal_name(status))
}

fn component(kind: &str, name: &str) -> Object {
    Object::new().with("$ref", format!("#/components/{kind}/{name}"))
}

/// Every refusal, the name of its component, and when it comes.
const REFUSALS: [(u16, &str, &str); 17] = [
    (
        400,
        "BadRequest",
        "The request is malformed or not accepted; `errors` lists every fault",
    ),
    (404, "NotFound", "There is no such record"),
    (
        405,
        "MethodNotAllowed",
        "A deleted record can be read and restored, and nothing else",
    ),
    (
        406,
        "NotAcceptable",
        "The answer is JSON, which `Accept` does not allow",
    ),
    (408, "RequestTimeout", "The body did not arrive in time"),
    (
        409,
        "Conflict",
        "A unique value is taken, others refer to the record, or a `test` of a JSON Patch failed",
    ),
    (
        412,
        "PreconditionFailed",
        "The record is in another version than the precondition names",
    ),
    (413, "ContentTooLarge", "The body is too large"),
    (414, "UriTooLong", "The address is longer than 8000 bytes"),
    (
        415,
        "UnsupportedMediaType",
        "The body has a type or a coding that is not taken",
    ),
    (
        428,
        "PreconditionRequired",
        "Send If-Match with the entity tag of the version that was read",
    ),
    (
        429,
        "TooManyRequests",
        "Too many requests; try again after the time in `Retry-After`",
    ),
    (
        431,
        "HeadersTooLarge",
        "Too many or too large header fields",
    ),
    (
        500,
        "InternalServerError",
        "A fault of the server; its log has the cause under the id of the request",
    ),
    (
        501,
        "NotImplemented",
        "A transfer coding that the server does not know",
    ),
    (
        503,
        "ServiceUnavailable",
        "Try again after the time in `Retry-After`",
    ),
    (
        507,
        "InsufficientStorage",
        "There is no space left; nothing was stored",
    ),
];

fn refusal_name(status: u16) -> &'static str {
    let found = REFUSALS.iter().find(|(known, ..)| *known == status);
    found.map_or("BadRequest", |(_, name, _)| name)
}

/// The refusals that operations refer to, those with a status of `statuses`.
#[must_use]
pub(super) fn refusals(statuses: &[u16]) -> Object {
    let used = REFUSALS
        .iter()
        .filter(|(status, ..)| statuses.contains(status));
    used.map(|(status, name, words)| (*name, problem(*status, words)))
        .collect()
}

fn problem(status: u16, words: &'static str) -> Object {
    let headers: &[Header] = match status {
        412 => &[Header::Etag],
        415 => &[Header::Accept, Header::AcceptEncoding],
        429 => &[
            Header::RetryAfter,
            Header::RateLimit,
            Header::RateLimitPolicy,
        ],
        503 => &[Header::RetryAfter],
        _ => &[],
    };
    let example = example(status, words);
    let body = Object::new()
        .with("schema", reference("Problem"))
        .with("example", example);
    let content = Object::new().with("application/problem+json", body);
    reply(words, headers, Some(content))
}

fn example(status: u16, words: &'static str) -> Object {
    let kind = match status {
        400 => Kind::Validation,
        409 => Kind::Taken,
        412 => Kind::Stale,
        428 => Kind::PreconditionRequired,
        429 => Kind::RateLimited,
        503 | 507 => Kind::Storage,
        _ => Kind::Plain,
    };
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let slug = kind.slug().map(|slug| format!("/problems/{slug}"));
    Object::new()
        .with("type", slug.unwrap_or_else(|| "about:blank".to_owned()))
        .with("title", kind.title(code))
        .with("status", i64::from(status))
        .with("detail", words)
        .with("instance", "urn:uuid:01939f3e-0b7a-7c3e-9d1b-2f6d4c5e8a10")
        .with("error", words)
}

/// A reply of an operation whose requests are counted.
pub(super) fn of_counted(reply: Object) -> Object {
    // What is the same everywhere stays so.
    let Some(Json::Object(headers)) = reply.get("headers") else {
        return reply;
    };
    let mut headers = headers.clone();
    for header in [Header::RateLimit, Header::RateLimitPolicy] {
        headers.set(header.name(), header.field());
    }
    reply.with("headers", headers)
}

/// A reply of an operation that clients are to leave. What is the same everywhere else is
/// written out, with the header fields that say so.
pub(super) fn of_deprecated(status: u16, reply: Object, deprecation: &Deprecation) -> Object {
    let mut reply = match (reply.get("$ref"), words_of(status)) {
        (Some(_), Some(words)) => problem(status, words),
        _ => reply,
    };
    let mut headers = match reply.get("headers") {
        Some(Json::Object(headers)) => headers.clone(),
        _ => Object::new(),
    };
    let fields = [
        Some(Header::Deprecation),
        deprecation.sunset.map(|_| Header::Sunset),
        deprecation.link.as_ref().map(|_| Header::Link),
    ];
    for header in fields.into_iter().flatten() {
        headers.set(header.name(), header.field());
    }
    reply.set("headers", headers);
    reply
}

fn words_of(status: u16) -> Option<&'static str> {
    let mut known = REFUSALS.iter();
    known
        .find(|(known, ..)| *known == status)
        .map(|(.., words)| *words)
}

/// The schemas of problems and of messages.
#[must_use]
pub(super) fn schemas() -> Vec<(&'static str, Object)> {
    let text = || typed("string", false);
    let codes: Vec<Json> = Code::ALL.map(|code| code.as_str().into()).to_vec();
    let fault = Object::new()
        .with("type", "object")
        .with(
            "description",
            "One fault of the input, at `pointer`, `parameter` or `header`",
        )
        .with("required", vec!["code", "message"])
        .with(
            "properties",
            Object::new()
                .with(
                    "pointer",
                    text().with(
                        "description",
                        "A JSON Pointer into the body, as a URI fragment",
                    ),
                )
                .with(
                    "field",
                    text().with("description", "The member of the body"),
                )
                .with(
                    "parameter",
                    text().with("description", "The query parameter"),
                )
                .with("header", text().with("description", "The header field"))
                .with("code", text().with("enum", codes))
                .with(
                    "message",
                    text().with("description", "A sentence for people"),
                ),
        )
        .with("additionalProperties", false);
    let slugs = Kind::NAMED.iter().filter_map(|kind| kind.slug());
    let mut types: Vec<Json> = slugs
        .map(|slug| format!("/problems/{slug}").into())
        .collect();
    types.push("about:blank".into());
    let errors = Object::new()
        .with("type", "array")
        .with("items", reference("Fault"));
    let problem = Object::new()
        .with("type", "object")
        .with("description", "Why a request was refused (RFC 9457)")
        .with(
            "required",
            vec!["type", "title", "status", "detail", "instance", "error"],
        )
        .with(
            "properties",
            Object::new()
                .with(
                    "type",
                    text().with("format", "uri-reference").with("enum", types),
                )
                .with(
                    "title",
                    text().with("description", "The type in a few words"),
                )
                .with(
                    "status",
                    typed("integer", false)
                        .with("minimum", 400_i64)
                        .with("maximum", 599_i64),
                )
                .with("detail", text().with("description", "All that is known"))
                .with(
                    "instance",
                    text().with("description", "The id of the request"),
                )
                .with(
                    "error",
                    text()
                        .with("minLength", 1_i64)
                        .with("description", "One sentence for people"),
                )
                .with("errors", errors),
        )
        .with("additionalProperties", false);
    let message = Object::new()
        .with("type", "object")
        .with("required", vec!["message"])
        .with("properties", Object::new().with("message", text()))
        .with("additionalProperties", false);
    vec![("Problem", problem), ("Fault", fault), ("Message", message)]
}
