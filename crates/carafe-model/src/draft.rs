//! Input, and what it makes of a record once it is checked.

use crate::fault::{Code, Fault};
use crate::field::{Field, Raw};
use crate::kind::Kind;
use crate::near::nearest;
use crate::record::Record;
use crate::resource::{Resource, Strictness};
use crate::value::Value;

/// Faults of names that one answer tells.
pub const FAULTS_MAX: usize = 100;

/// What a client sent for a record: typed where it could be, with the faults noted. Nothing is
/// refused yet, so that faults of decoding and of rules are reported together.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    slots: Vec<Slot>,
    /// Faults that belong to no field: unknown and repeated names.
    faults: Vec<Fault>,
    /// No member at all was sent, known or unknown.
    pub empty: bool,
    /// The key that was sent in the body; only a new record with a key that clients name looks
    /// at it.
    pub key: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Slot {
    Absent,
    Given(Value),
    Faulty(Fault),
}

impl Input {
    /// An input that says nothing.
    #[must_use]
    pub fn new(resource: &Resource) -> Self {
        Self {
            slots: vec![Slot::Absent; resource.fields.len()],
            faults: Vec::new(),
            empty: true,
            key: None,
        }
    }

    /// Takes a member of a JSON body.
    pub fn give(&mut self, resource: &Resource, position: usize, raw: Raw<'_>) {
        let field = &resource.fields[position];
        self.put(field, position, field.read(raw));
    }

    /// Takes a value written as text: of a form, a file or a command.
    pub fn give_text(&mut self, resource: &Resource, position: usize, text: &str) {
        let field = &resource.fields[position];
        self.put(field, position, field.read_text(text));
    }

    /// Takes a value that is checked already, such as the parent in a URL.
    pub fn give_value(&mut self, position: usize, value: Value) {
        self.empty = false;
        self.slots[position] = Slot::Given(value);
    }

    /// Takes back what was given for the field at `position`.
    pub fn forget(&mut self, position: usize) {
        self.slots[position] = Slot::Absent;
    }

    /// The value that was given for the field at `position`, if it was one.
    #[must_use]
    pub fn given(&self, position: usize) -> Option<&Value> {
        match &self.slots[position] {
            Slot::Given(value) => Some(value),
            Slot::Absent | Slot::Faulty(_) => None,
        }
    }

    fn put(&mut self, field: &Field, position: usize, value: Result<Value, Fault>) {
        self.empty = false;
        // What the server sets itself comes back from clients that send whole records.
        if field.set.is_some() {
            return;
        }
        self.slots[position] = match value {
            Ok(value) => Slot::Given(value),
            Err(fault) => Slot::Faulty(fault),
        };
    }

    /// Takes a fault in place of a value that could not be read at all.
    pub fn refuse(&mut self, position: usize, fault: Fault) {
        self.empty = false;
        self.slots[position] = Slot::Faulty(fault);
    }

    /// Takes a member that is no field of the resource; one that the server itself sends, or
    /// any where the resource is lenient, is ignored.
    pub fn unknown(&mut self, resource: &Resource, name: &str) {
        self.empty = false;
        let own = name == resource.key.field.as_str()
            || name == "deleted_at"
            || (resource.links && name == "url");
        if !own && resource.input == Strictness::Strict {
            self.refuse_unknown(resource, name);
        }
    }

    /// Notes that the resource has no such field, with the nearest one that it has.
    pub fn refuse_unknown(&mut self, resource: &Resource, name: &str) {
        self.empty = false;
        let known = resource
            .fields
            .iter()
            .filter(|field| field.set.is_none())
            .map(|field| field.name.as_str());
        let message = match nearest(name, known) {
            Some(near) => format!(
                "{name:?} is not a field of {}; did you mean {near:?}?",
                resource.name
            ),
            None => format!("{name:?} is not a field of {}", resource.name),
        };
        self.fault(Fault::field(name, Code::Unknown, message));
    }

    /// Notes a fault that belongs to no field. Of more than [`FAULTS_MAX`] the rest is not told,
    /// so that a body of nothing but faults has no answer many times its size.
    pub fn fault(&mut self, fault: Fault) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    /// The values of a new record.
    ///
    /// # Errors
    ///
    /// Every fault, those of fields first and in their order.
    pub fn into_new(self, resource: &Resource) -> Result<Vec<Value>, Vec<Fault>> {
        self.settle(resource, |field, _| field.absent_value())
    }

    /// The values of `current` replaced: what was not sent takes its default; what the server
    /// sets stays, and a password too, which a client that sends back what it read cannot have.
    ///
    /// # Errors
    ///
    /// Every fault, those of fields first and in their order.
    pub fn into_replacement(
        self,
        resource: &Resource,
        current: &Record,
    ) -> Result<Vec<Value>, Vec<Fault>> {
        self.settle(resource, |field, position| match (field.set, &field.kind) {
            (Some(_), _) | (_, Kind::Password) => Some(current.values[position].clone()),
            (None, _) => field.absent_value(),
        })
    }

    /// The values of `current` with those sent in their place. Null stands for the default
    /// where the field cannot be null (RFC 7396: null removes).
    ///
    /// # Errors
    ///
    /// Every fault, those of fields first and in their order.
    pub fn into_merge(
        mut self,
        resource: &Resource,
        current: &Record,
    ) -> Result<Vec<Value>, Vec<Fault>> {
        for (slot, field) in self.slots.iter_mut().zip(&resource.fields) {
            if let (Slot::Given(Value::Null), false, Some(default)) =
                (&*slot, field.optional, &field.default)
            {
                *slot = Slot::Given(default.clone());
            }
        }
        self.settle(resource, |_, position| {
            Some(current.values[position].clone())
        })
    }

    fn settle(
        self,
        resource: &Resource,
        absent: impl Fn(&Field, usize) -> Option<Value>,
    ) -> Result<Vec<Value>, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut values = Vec::with_capacity(self.slots.len());
        for (position, (slot, field)) in self.slots.into_iter().zip(&resource.fields).enumerate() {
            match slot {
                Slot::Given(Value::Null) if !field.optional => faults.push(field.required()),
                Slot::Given(value) => values.push(value),
                Slot::Faulty(fault) => faults.push(fault),
                Slot::Absent => match absent(field, position) {
                    Some(value) => values.push(value),
                    None => faults.push(field.required()),
                },
            }
        }
        faults.extend(self.faults);
        if faults.is_empty() {
            Ok(values)
        } else {
            Err(faults)
        }
    }
}
