//! What is wrong with an input, in the user's words.

/// One fault of an input: where it is, a code for programs, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub place: Place,
    pub code: Code,
    /// A whole sentence without a full stop that starts with the field's label:
    /// `Title is required`.
    pub message: String,
}

impl Fault {
    #[must_use]
    pub fn field(name: &str, code: Code, message: String) -> Self {
        Self {
            place: Place::Field(name.to_owned()),
            code,
            message,
        }
    }

    #[must_use]
    pub fn parameter(name: &str, code: Code, message: String) -> Self {
        Self {
            place: Place::Parameter(name.to_owned()),
            code,
            message,
        }
    }

    #[must_use]
    pub fn body(code: Code, message: impl Into<String>) -> Self {
        Self {
            place: Place::Pointer(String::new()),
            code,
            message: message.into(),
        }
    }
}

/// The part of a request that a [`Fault`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A member of the body (or an input of the form) of this name.
    Field(String),
    /// A JSON Pointer (RFC 6901) into the body, `""` for all of it.
    Pointer(String),
    /// A query parameter.
    Parameter(String),
    /// A request header.
    Header(&'static str),
}

/// The closed list of fault codes that clients may act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A required value is missing, null or empty.
    Required,
    /// The value has another JSON type than the field.
    Type,
    /// The text is not of the field's format (date, e-mail address, UUID and so on).
    Format,
    /// Fewer characters than `min_length`.
    TooShort,
    /// More characters than `max_length`.
    TooLong,
    /// The text does not match `pattern`.
    Pattern,
    /// Less than `min`.
    TooSmall,
    /// More than `max`, or than the type can hold.
    TooLarge,
    /// None of the values that `one_of` lists.
    Choice,
    /// A character that text cannot have, such as NUL.
    Character,
    /// A name that the resource does not have.
    Unknown,
    /// A member or parameter that is there twice.
    Duplicate,
    /// A reference to a record that is not there.
    Reference,
    /// Another record has this unique value.
    Taken,
    /// An operation of a JSON Patch that cannot be done.
    Patch,
    /// The application's own code refuses the value.
    Refused,
}

impl Code {
    pub const ALL: [Code; 16] = [
        Code::Required,
        Code::Type,
        Code::Format,
        Code::TooShort,
        Code::TooLong,
        Code::Pattern,
        Code::TooSmall,
        Code::TooLarge,
        Code::Choice,
        Code::Character,
        Code::Unknown,
        Code::Duplicate,
        Code::Reference,
        Code::Taken,
        Code::Patch,
        Code::Refused,
    ];

    /// The code as it stands in `errors[].code`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Required => "required",
            Code::Type => "type",
            Code::Format => "format",
            Code::TooShort => "too_short",
            Code::TooLong => "too_long",
            Code::Pattern => "pattern",
            Code::TooSmall => "too_small",
            Code::TooLarge => "too_large",
            Code::Choice => "choice",
            Code::Character => "character",
            Code::Unknown => "unknown",
            Code::Duplicate => "duplicate",
            Code::Reference => "reference",
            Code::Taken => "taken",
            Code::Patch => "patch",
            Code::Refused => "refused",
        }
    }
}
