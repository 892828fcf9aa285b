//! Documents: records that are named JSON objects, each of whose members has an address.

use crate::fault::{Code, Fault};
use crate::field::Field;
use crate::key::KeyKind;
use crate::name::Name;
use crate::resource::{Errors, Reply, Resource};

/// The position of the one field that a document resource has: a JSON object, as compact text.
pub const CONTENT: usize = 0;

/// What the objects of a document resource hold.
#[derive(Clone, Debug)]
pub struct Members {
    /// One member, for people: `Member`.
    pub label: String,
    /// The input for a member's name in forms: the label as a name.
    pub name: Name,
    /// What every value must be. It is never null; its name is that of the input in forms.
    pub value: Field,
    /// What the API answers to writes of one member, in the declaration's words.
    pub reply: Reply,
    /// The sentences of refusals that are about one member.
    pub errors: Errors,
}

impl Members {
    /// Why no member can be called `name`: as for keys that clients name, because it stands in
    /// a URL too.
    ///
    /// # Errors
    ///
    /// A fault at the member.
    pub fn check_name(&self, resource: &Resource, name: &str) -> Result<(), Fault> {
        match KeyKind::String.parse(name) {
            Some(_) if name == "history" && resource.history => Err(Fault::field(
                name,
                Code::Taken,
                format!(
                    "{} {name:?} cannot be that: it is the address of something else",
                    self.label
                ),
            )),
            Some(_) => Ok(()),
            None if name.is_empty() => Err(Fault::field(
                name,
                Code::Required,
                format!("{} is required", self.label),
            )),
            None => Err(Fault::field(
                name,
                Code::Format,
                format!(
                    "{} {name:?} must have 1 to 255 characters, no control characters, and not be . or ..",
                    self.label
                ),
            )),
        }
    }

    /// A fault of a value, told with the member that it is of.
    #[must_use]
    pub fn fault(&self, member: &str, fault: &Fault) -> Fault {
        Fault::field(member, fault.code, format!("{member}: {}", fault.message))
    }
}
