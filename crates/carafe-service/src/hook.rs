//! Code of an application's own around writes: it may change or refuse a write before it is
//! done, and hears of it afterwards.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use carafe_model::actor::Actor;
use carafe_model::fault::{Code, Fault};
use carafe_model::key::Key;
use carafe_model::record::Record;
use carafe_model::resource::Resource;
use carafe_model::schema::Schema;
use carafe_model::value::Value;

use crate::error::{Error, Result};

/// What a hook returns: its work, to be waited for.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

type Before = Arc<dyn for<'a> Fn(&'a mut Write) -> Work<'a, Result<()>> + Send + Sync>;
type After = Arc<dyn for<'a> Fn(&'a Written) -> Work<'a, ()> + Send + Sync>;

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Create,
    Update,
    Delete,
    Restore,
}

/// A write that is about to be done: checked and stamped, and not stored yet. Where it loses a
/// race it is made anew, and the hooks with it.
#[derive(Clone, Debug)]
pub struct Write {
    pub verb: Verb,
    pub actor: Actor,
    /// The key, where it is known before the write: not of a new record with an integer key.
    pub key: Option<Key>,
    /// The record as it is stored now; `None` for a new one.
    pub current: Option<Record>,
    schema: Arc<Schema>,
    position: usize,
    values: Vec<Value>,
}

/// A write that was done and is on disk.
#[derive(Clone, Debug)]
pub struct Written {
    pub verb: Verb,
    pub actor: Actor,
    /// The record as it is stored, or as it was before its deletion.
    pub record: Record,
    schema: Arc<Schema>,
    position: usize,
}

impl Write {
    pub(crate) fn new(
        verb: Verb,
        actor: &Actor,
        schema: &Arc<Schema>,
        resource: &Resource,
        values: Vec<Value>,
    ) -> Self {
        Self {
            verb,
            actor: actor.clone(),
            key: None,
            current: None,
            schema: schema.clone(),
            position: resource.index,
            values,
        }
    }

    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.schema.resources[self.position]
    }

    /// The value that `field` is to have; `None` where there is no such field.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.values.get(self.resource().position(field)?)
    }

    /// Gives `field` another value.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where the resource has no such field, or it does not accept the value.
    pub fn set(&mut self, field: &str, value: Value) -> Result<()> {
        let position = self.resource().position(field);
        let position = position.ok_or_else(|| self.refuse(field, "is no field"))?;
        let declared = &self.resource().fields[position];
        let value = match value {
            Value::Null if declared.optional => Value::Null,
            Value::Null => return Err(Error::Invalid(vec![declared.required()])),
            value => declared
                .check(value)
                .map_err(|fault| Error::Invalid(vec![fault]))?,
        };
        self.check_document(&value)?;
        self.values[position] = value;
        Ok(())
    }

    /// The content of a document is the JSON text of an object with names that members can have.
    fn check_document(&self, value: &Value) -> Result<()> {
        let (Some(members), Value::Text(text)) = (&self.resource().members, value) else {
            return Ok(());
        };
        let Ok(Some(found)) = crate::merge::members(text) else {
            let message = "the content of a document is a JSON object".to_owned();
            return Err(Error::Invalid(vec![Fault::body(Code::Type, message)]));
        };
        let faults: Vec<Fault> = found
            .iter()
            .filter_map(|(name, _)| members.check_name(self.resource(), name).err())
            .collect();
        match faults.is_empty() {
            true => Ok(()),
            false => Err(Error::Invalid(faults)),
        }
    }

    /// The refusal of the write for the value of `field`: `rest` follows its label, as in
    /// `Email` `is not welcome here`. Clients get it as 400, people beside the input.
    #[must_use]
    pub fn refuse(&self, field: &str, rest: &str) -> Error {
        let position = self.resource().position(field);
        Error::Invalid(vec![match position {
            Some(position) => self.resource().fields[position].fault(Code::Refused, rest),
            None => Fault::field(field, Code::Refused, format!("{field} {rest}")),
        }])
    }

    pub(crate) fn into_values(self) -> Vec<Value> {
        self.values
    }
}

impl Written {
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.schema.resources[self.position]
    }

    /// The value that `field` has; `None` where there is no such field.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.record.values.get(self.resource().position(field)?)
    }
}

/// The hooks of an application, by the name of their resource.
#[derive(Clone, Default)]
pub struct Hooks {
    before: HashMap<String, Vec<Before>>,
    after: HashMap<String, Vec<After>>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("before", &self.before.keys())
            .field("after", &self.after.keys())
            .finish()
    }
}

impl Hooks {
    /// Has `hook` look at each write of records of `resource` before it is done: creation,
    /// change, deletion and restoration, by API, pages, terminal and code. It may change values,
    /// and refuses the write by an error. What a deletion takes along is not shown to it.
    pub fn before<F>(&mut self, resource: &str, hook: F)
    where
        F: for<'a> Fn(&'a mut Write) -> Work<'a, Result<()>> + Send + Sync + 'static,
    {
        let hooks = self.before.entry(resource.to_owned()).or_default();
        hooks.push(Arc::new(hook));
    }

    /// Tells `hook` of each such write once it is on disk, before it is answered.
    pub fn after<F>(&mut self, resource: &str, hook: F)
    where
        F: for<'a> Fn(&'a Written) -> Work<'a, ()> + Send + Sync + 'static,
    {
        let hooks = self.after.entry(resource.to_owned()).or_default();
        hooks.push(Arc::new(hook));
    }

    /// The resources that hooks are for.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.before
            .keys()
            .chain(self.after.keys())
            .map(String::as_str)
    }

    pub(crate) fn has_before(&self, resource: &Resource) -> bool {
        !self.before.is_empty() && self.before.contains_key(resource.name.as_str())
    }

    /// Runs the hooks before a write, in the order in which they were given.
    pub(crate) async fn ask(&self, write: &mut Write) -> Result<()> {
        let hooks = self.before.get(write.resource().name.as_str());
        for hook in hooks.into_iter().flatten() {
            hook(write).await?;
        }
        Ok(())
    }

    /// Tells the hooks after a write.
    pub(crate) async fn tell(
        &self,
        verb: Verb,
        actor: &Actor,
        schema: &Arc<Schema>,
        resource: &Resource,
        record: &Record,
    ) {
        let hooks = match self.after.is_empty() {
            true => return,
            false => self.after.get(resource.name.as_str()),
        };
        let Some(hooks) = hooks else { return };
        let written = Written {
            verb,
            actor: actor.clone(),
            record: record.clone(),
            schema: schema.clone(),
            position: resource.index,
        };
        for hook in hooks {
            hook(&written).await;
        }
    }
}
