//! Refusals: which status, which kind of problem, which sentence. The only place with a table
//! of statuses. JSON clients get `application/problem+json` (RFC 9457), people get a page.

use carafe_model::fault::{Code, Fault, Place};
use carafe_model::resource::{Errors, Method, Resource};
use carafe_service::error::Error;
use http::{HeaderName, HeaderValue, StatusCode};

/// Why a request was refused, ready to be written as JSON or as a page.
#[derive(Debug)]
pub struct Problem {
    pub kind: Kind,
    pub status: StatusCode,
    /// The sentence for people, never empty; it stands in `error`.
    pub error: String,
    /// All that is known, for `detail`; `None` repeats `error`.
    pub detail: Option<String>,
    pub faults: Vec<Fault>,
    /// Header fields that belong to the refusal, such as `Allow`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// For the log only, never shown.
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of problems, one for each `type`. `title` is fixed for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The status says all: `about:blank`.
    Plain,
    MalformedJson,
    Validation,
    BadParameter,
    BadHeader,
    BadPatch,
    BadForm,
    KeyReused,
    Taken,
    Referenced,
    Stale,
    PreconditionRequired,
    RateLimited,
    Storage,
}

impl Kind {
    pub const NAMED: [Kind; 13] = [
        Kind::MalformedJson,
        Kind::Validation,
        Kind::BadParameter,
        Kind::BadHeader,
        Kind::BadPatch,
        Kind::BadForm,
        Kind::KeyReused,
        Kind::Taken,
        Kind::Referenced,
        Kind::Stale,
        Kind::PreconditionRequired,
        Kind::RateLimited,
        Kind::Storage,
    ];

    /// The last segment of `type`, `/problems/{slug}`; `None` for `about:blank`.
    #[must_use]
    pub fn slug(self) -> Option<&'static str> {
        Some(match self {
            Kind::Plain => return None,
            Kind::MalformedJson => "malformed-json",
            Kind::Validation => "validation",
            Kind::BadParameter => "bad-parameter",
            Kind::BadHeader => "bad-header",
            Kind::KeyReused => "key-reused",
            Kind::BadPatch => "bad-patch",
            Kind::BadForm => "bad-form",
            Kind::Taken => "taken",
            Kind::Referenced => "referenced",
            Kind::Stale => "stale",
            Kind::PreconditionRequired => "precondition-required",
            Kind::RateLimited => "rate-limited",
            Kind::Storage => "storage",
        })
    }

    #[must_use]
    pub fn title(self, status: StatusCode) -> &'static str {
        match self {
            Kind::Plain => status.canonical_reason().unwrap_or("Error"),
            Kind::MalformedJson => "Malformed JSON",
            Kind::Validation => "Validation failed",
            Kind::BadParameter => "Bad query parameter",
            Kind::BadHeader => "Bad header field",
            Kind::KeyReused => "The key is of another request",
            Kind::BadPatch => "The patch cannot be applied",
            Kind::BadForm => "The form cannot be accepted",
            Kind::Taken => "Already taken",
            Kind::Referenced => "Other records refer to this one",
            Kind::Stale => "The record has changed",
            Kind::PreconditionRequired => "A precondition is required",
            Kind::RateLimited => "Too many requests",
            Kind::Storage => "Nothing can be stored now",
        }
    }

    /// What a person who opens the address in `type` reads: what happened and what to do.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Kind::Plain => "The status of the reply says all there is to say.",
            Kind::MalformedJson => {
                "The body is not JSON (RFC 8259), or nests deeper than the server allows. The member detail says where."
            }
            Kind::Validation => {
                "Some values were not accepted, and nothing was stored. The member errors lists every one, with a \
                 pointer to its place in the body, a code and a sentence."
            }
            Kind::BadParameter => {
                "A parameter of the query is unknown, is given twice, or has a value that it cannot have. The member \
                 errors lists every one."
            }
            Kind::BadHeader => {
                "A header field of the request has a value that it cannot have. The member errors names it."
            }
            Kind::KeyReused => {
                "The Idempotency-Key of the request was given to another request before, with another body or at \
                 another address. Every new request needs a key of its own; only a repetition has the same."
            }
            Kind::BadPatch => {
                "An operation of the JSON Patch (RFC 6902) cannot be done: a path is not there, a test failed, or a \
                 field is not open to change. Nothing was changed."
            }
            Kind::BadForm => {
                "The form was not sent from a page of this site, or its token is too old. Go back, load the page again \
                 and send the form once more."
            }
            Kind::Taken => {
                "Another record already has a value that must be unique. Choose another value."
            }
            Kind::Referenced => {
                "The record cannot be deleted while others refer to it. Delete or change those first."
            }
            Kind::Stale => {
                "The record is not in the version that If-Match names: somebody has changed it meanwhile. Read it \
                 again, apply the change to what is there now, and send it with the new entity tag."
            }
            Kind::PreconditionRequired => {
                "This resource takes a change only with an If-Match header field that holds the entity tag (ETag) of \
                 the version that was read, so that nobody's change is overwritten unseen."
            }
            Kind::RateLimited => {
                "More requests came from your address than the server takes in a time. Retry-After has the seconds \
                 until it takes another one, and RateLimit-Policy how many it takes in how many seconds."
            }
            Kind::Storage => {
                "The server has no space left or cannot reach its database. Nothing was stored."
            }
        }
    }
}

impl Problem {
    /// A problem that its status says all about.
    #[must_use]
    pub fn plain(status: StatusCode, error: impl Into<String>) -> Self {
        Self::new(Kind::Plain, status, error)
    }

    #[must_use]
    pub fn new(kind: Kind, status: StatusCode, error: impl Into<String>) -> Self {
        Self {
            kind,
            status,
            error: error.into(),
            detail: None,
            faults: Vec::new(),
            headers: Vec::new(),
            cause: None,
        }
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Nothing is at this address.
    #[must_use]
    pub fn not_found() -> Self {
        Self::plain(StatusCode::NOT_FOUND, "Resource not found")
    }

    /// No record of `resource` is at the address, in the declaration's words.
    #[must_use]
    pub fn no_record(resource: &Resource, method: Method) -> Self {
        Self::no_record_by(&resource.errors, method)
    }

    /// As [`no_record`](Self::no_record), in the words of `errors`.
    #[must_use]
    pub fn no_record_by(errors: &Errors, method: Method) -> Self {
        let sentence = errors.not_found(method).unwrap_or("Resource not found");
        Self::plain(StatusCode::NOT_FOUND, sentence)
    }

    /// The place is there and does not answer `method`.
    #[must_use]
    pub fn method_not_allowed(method: &http::Method, allow: &HeaderValue) -> Self {
        let allowed = allow.to_str().unwrap_or_default();
        Self::plain(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("{method} is not possible here"),
        )
        .detail(format!(
            "{method} is not possible here; these methods are: {allowed}"
        ))
        .header(http::header::ALLOW, allow.clone())
    }

    /// The input breaks rules; `error` is the first message, `detail` has all.
    #[must_use]
    pub fn invalid(kind: Kind, faults: Vec<Fault>) -> Self {
        let detail = faults
            .iter()
            .map(|fault| fault.message.as_str())
            .collect::<Vec<_>>()
            .join("; ");
        let error = faults
            .first()
            .map_or_else(|| "Bad request".to_owned(), |fault| fault.message.clone());
        Self {
            faults,
            ..Self::new(kind, StatusCode::BAD_REQUEST, error).detail(detail)
        }
    }

    /// The body is not JSON; `detail` says where and why.
    #[must_use]
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Kind::MalformedJson, StatusCode::BAD_REQUEST, "Bad request").detail(detail)
    }

    /// What the service's refusal of `method` on `resource` is over HTTP.
    #[must_use]
    pub fn from_service(error: Error, resource: &Resource, method: Method) -> Self {
        match error {
            Error::NotFound { .. } => Self::no_record(resource, method),
            Error::Invalid(faults) => {
                let parameters = faults
                    .iter()
                    .all(|fault| matches!(fault.place, Place::Parameter(_)));
                Self::invalid(
                    if parameters {
                        Kind::BadParameter
                    } else {
                        Kind::Validation
                    },
                    faults,
                )
            }
            Error::KeyReused => Self::new(
                Kind::KeyReused,
                StatusCode::BAD_REQUEST,
                "The Idempotency-Key was used for another request",
            ),
            Error::Empty(faults) => {
                let problem = Self::invalid(Kind::Validation, faults);
                Self {
                    error: "No data provided".to_owned(),
                    ..problem
                }
            }
            Error::Taken(faults) => {
                let status = resource
                    .errors
                    .taken_status
                    .and_then(|code| StatusCode::from_u16(code).ok());
                let problem = Self::invalid(Kind::Taken, faults);
                let error = resource.errors.taken.clone().unwrap_or(problem.error);
                Self {
                    status: status.unwrap_or(StatusCode::CONFLICT),
                    error,
                    ..problem
                }
            }
            Error::Referenced { label_plural, .. } => Self::new(
                Kind::Referenced,
                StatusCode::CONFLICT,
                format!(
                    "{} cannot be deleted while {label_plural} refer to it",
                    resource.label
                ),
            ),
            Error::ParentDeleted { label, .. } => Self::new(
                Kind::Referenced,
                StatusCode::CONFLICT,
                format!(
                    "{} cannot be restored while its {label} is deleted",
                    resource.label
                ),
            ),
            Error::Stale => Self::new(
                Kind::Stale,
                StatusCode::PRECONDITION_FAILED,
                format!("{} has been changed by somebody else", resource.label),
            ),
            Error::Forbidden => Self::plain(StatusCode::FORBIDDEN, "Not allowed"),
            Error::Full(cause) => Self {
                cause: Some(cause),
                ..Self::new(
                    Kind::Storage,
                    StatusCode::INSUFFICIENT_STORAGE,
                    "There is no space left to store anything",
                )
            },
            Error::Unavailable(cause) => {
                let retry = (http::header::RETRY_AFTER, HeaderValue::from_static("1"));
                let problem = Self::new(
                    Kind::Storage,
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Try again in a moment",
                );
                Self {
                    cause: Some(cause),
                    headers: vec![retry],
                    ..problem
                }
            }
            Error::Internal(cause) => Self::internal(cause),
        }
    }

    /// Ours to fix: a fixed sentence for the client, the cause for the log.
    #[must_use]
    pub fn internal(cause: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self {
            cause: Some(cause),
            ..Self::plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
        }
    }

    /// A whole-body fault under `kind`, as a problem.
    #[must_use]
    pub fn body(kind: Kind, code: Code, message: &str) -> Self {
        Self::invalid(kind, vec![Fault::body(code, message)])
    }
}

/// An error with all of its sources, for the log. Of each there is the first line: databases show
/// values of the row in the others.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let line = |error: &dyn std::error::Error| {
        let text = error.to_string();
        text.lines().next().unwrap_or_default().to_owned()
    };
    let mut text = line(error);
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&line(error));
        source = error.source();
    }
    text
}
