//! The verbs of records.

use std::time::Duration;

use carafe_model::actor::Actor;
use carafe_model::document::CONTENT;
use carafe_model::draft::Input;
use carafe_model::fault::{Code, Fault};
use carafe_model::field::Set;
use carafe_model::key::{Key, KeyKind};
use carafe_model::kind::Kind;
use carafe_model::query::{Filter, Query, Test, Total};
use carafe_model::record::Record;
use carafe_model::resource::{Column, Resource};
use carafe_model::time;
use carafe_model::value::{Row, Value};
use carafe_store::error::Error as StoreError;
use carafe_store::request::{Remembered, Request};
use carafe_store::store::{Revision, Scope, Stamp, Store};

pub use carafe_store::store::State;

use crate::access::{Action, authorize, signature};
use crate::error::{Error, Result};
use crate::hook::{Verb, Write};
use crate::merge::merge;
use crate::service::Service;
use crate::snapshot;

/// What is to become of a record.
pub enum Change<'a> {
    /// The whole record is given; what is missing takes its default.
    Replace(Input),
    /// Only some fields are given; null clears.
    Merge(Input),
    /// A merge patch (RFC 7396): as `Merge`, and an object for a `json` field is merged into
    /// the object that is there.
    Patch(Input),
    /// What changes follows from the record that is there. Called again for each attempt.
    Derive(&'a (dyn Fn(&Record) -> std::result::Result<Input, Vec<Fault>> + Send + Sync)),
}

/// What a write assumes of the record it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The record is in the version that was read; if it is not, the write is [`Error::Stale`].
    Unchanged,
    /// Whatever the record is now: a write that lost a race is done again from a fresh read.
    Latest,
}

/// How long a request that may be repeated is remembered.
pub const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// A request that is carried out at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// What its caller calls it.
    pub key: String,
    /// Tells what is asked from anything else.
    pub fingerprint: String,
}

/// Deleted records of one key that are looked through for one of them.
const SAME_KEY_MAX: u64 = 10_000;

/// Records that [`Service::delete_all`] deletes in one transaction.
const DELETED_AT_ONCE: u64 = 1000;

/// How often a write with [`Guard::Latest`] is tried while others change the same record.
const ATTEMPTS_MAX: usize = 1000;

impl Service {
    /// Reads one record and hands its row to `read`.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn get<T>(
        &self,
        actor: &Actor,
        resource: &Resource,
        key: &Key,
        read: impl FnOnce(&dyn Row) -> T,
    ) -> Result<T> {
        authorize(actor, Action::Read, resource)?;
        match self.store.get(resource, Scope::Live, key, read).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(not_found(resource)),
            Err(error) => Err(self.error(error, resource)),
        }
    }

    /// Reads one record that `actor` wants to change by `action`.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn find(
        &self,
        actor: &Actor,
        action: Action,
        resource: &Resource,
        key: &Key,
    ) -> Result<Record> {
        authorize(actor, action, resource)?;
        self.read(resource, Scope::Live, key).await
    }

    /// Reads one record that is deleted softly; of several that had the key, the last one.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for those who may not delete; [`Error::NotFound`],
    /// [`Error::Unavailable`].
    pub async fn find_deleted(
        &self,
        actor: &Actor,
        resource: &Resource,
        key: &Key,
    ) -> Result<Record> {
        authorize(actor, Action::Delete, resource)?;
        self.read(resource, Scope::Deleted, key).await
    }

    /// Reads the record that was deleted at a time (`YYYY-MM-DDTHH:MM:SS.ffffffZ`): a key that
    /// clients name is free after a deletion, and several deleted records may have had it.
    ///
    /// # Errors
    ///
    /// As [`find_deleted`](Self::find_deleted).
    pub async fn find_deleted_at(
        &self,
        actor: &Actor,
        resource: &Resource,
        key: &Key,
        at: &str,
    ) -> Result<Record> {
        authorize(actor, Action::Delete, resource)?;
        let mut query = Query::all(&resource.order);
        query.deleted = true;
        query.per_page = SAME_KEY_MAX;
        query.filters.push(Filter {
            column: Column::Key,
            test: Test::Equal(key.to_value()),
        });
        let mut found = None;
        let mut each = |row: &dyn Row| {
            let record = Record::from_row(resource, row);
            if record.deleted_at.as_deref() == Some(at) {
                found = Some(record);
            }
        };
        let listed = self.store.list(resource, Scope::Deleted, &query, &mut each);
        listed.await.map_err(|error| self.error(error, resource))?;
        found.ok_or_else(|| not_found(resource))
    }

    /// What the database is at this moment, for who may read the resource: while it is the same,
    /// so is every list of its live records. `None` where that is not known.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`].
    pub fn state(&self, actor: &Actor, resource: &Resource) -> Result<Option<State>> {
        authorize(actor, Action::Read, resource)?;
        Ok(self.store.state())
    }

    /// Reads a page of records, hands each row to `each` in order, and returns how many
    /// match, in the same snapshot. Deleted ones are for those who may delete.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::Unavailable`].
    pub async fn list(
        &self,
        actor: &Actor,
        resource: &Resource,
        query: &Query,
        each: &mut (dyn FnMut(&dyn Row) + Send),
    ) -> Result<Total> {
        let (action, scope) = match query.deleted {
            false => (Action::Read, Scope::Live),
            true => (Action::Delete, Scope::Deleted),
        };
        authorize(actor, action, resource)?;
        self.store
            .list(resource, scope, query, each)
            .await
            .map_err(|error| self.error(error, resource))
    }

    /// Whether `actor` may create records of `resource`, asked before their input is read.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`].
    pub fn may_create(&self, actor: &Actor, resource: &Resource) -> Result<()> {
        authorize(actor, Action::Create, resource)
    }

    /// Creates a record and returns it as stored, once it is durable. `key` is for keys that
    /// clients name; the server gives the others.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] before `input` is looked at; then [`Error::Empty`] or
    /// [`Error::Invalid`] with every fault; [`Error::Taken`] when a unique value is taken;
    /// [`Error::Full`], [`Error::Unavailable`]. Nothing is stored then.
    pub async fn create(
        &self,
        actor: &Actor,
        resource: &Resource,
        key: Option<Key>,
        input: Input,
    ) -> Result<Record> {
        authorize(actor, Action::Create, resource)?;
        let stamp = self.stamp(actor);
        let (key, values) = self.check_new(actor, resource, key, input, &stamp).await?;
        let record = self
            .store
            .insert(resource, key, values, stamp, None)
            .await
            .map_err(|error| self.error(error, resource))?;
        self.tell(Verb::Create, actor, resource, &record).await;
        Ok(record)
    }

    /// Creates a record as [`create`](Self::create), and at most once for the key that its caller
    /// gives the request: a repetition within [`REMEMBERED`] gives the record as it was created.
    /// What was refused is not remembered.
    ///
    /// # Errors
    ///
    /// [`Error::KeyReused`] where the key was used for a request with another fingerprint; as
    /// [`create`](Self::create).
    pub async fn create_once(
        &self,
        actor: &Actor,
        resource: &Resource,
        key: Option<Key>,
        input: Input,
        once: &Once,
    ) -> Result<Record> {
        authorize(actor, Action::Create, resource)?;
        let caller = signature(actor).unwrap_or_default();
        let stamp = self.stamp(actor);
        let since = self.clock.timestamp() - REMEMBERED;
        let forgotten = time::format(since);
        for _ in 0..ATTEMPTS_MAX {
            let known = self.store.remembered(&caller, &once.key, &forgotten).await;
            if let Some(known) = known.map_err(|error| self.error(error, resource))? {
                return self.repeated(resource, once, known);
            }
            let checked = self.check_new(actor, resource, key.clone(), input.clone(), &stamp);
            let (key, values) = checked.await?;
            let request = Request {
                caller: caller.clone(),
                key: once.key.clone(),
                fingerprint: once.fingerprint.clone(),
                data: snapshot::to_json(&values).to_string(),
                forgotten: forgotten.clone(),
            };
            let inserted = self
                .store
                .insert(resource, key, values, stamp.clone(), Some(&request))
                .await;
            match inserted {
                Ok(record) => {
                    self.tell(Verb::Create, actor, resource, &record).await;
                    return Ok(record);
                }
                // Another was quicker: its record is the answer.
                Err(StoreError::Repeated) => {}
                Err(error) => return Err(self.error(error, resource)),
            }
        }
        Err(busy())
    }

    /// The record that the first of repeated requests has created, as it was then.
    fn repeated(&self, resource: &Resource, once: &Once, known: Remembered) -> Result<Record> {
        if known.fingerprint != once.fingerprint || known.resource != resource.name.as_str() {
            return Err(Error::KeyReused);
        }
        let data = serde_json::from_str(&known.data).ok();
        let values = data.and_then(|data| snapshot::from_json(&data));
        // The declaration may have other fields since.
        let values = values.filter(|values| values.len() == resource.fields.len());
        Ok(Record {
            key: known.record.map_or(Key::Integer(known.id), Key::Text),
            version: 1,
            id: known.id,
            deleted_at: None,
            values: values.ok_or(Error::KeyReused)?,
        })
    }

    /// What is wrong with the key that clients give a new record in `input`; nothing where it
    /// can be used, unless another has it.
    #[must_use]
    pub fn faults_of_key(&self, resource: &Resource, input: &Input) -> Vec<Fault> {
        key_of_new(resource, None, input)
            .err()
            .into_iter()
            .collect()
    }

    /// Creates the first records of a resource that never had one, all or none, and returns
    /// whether it did. A resource that has or had records keeps what it has.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create), of the first record that has one. Nothing is stored then.
    pub async fn create_first(
        &self,
        actor: &Actor,
        resource: &Resource,
        inputs: Vec<(Option<Key>, Input)>,
    ) -> Result<bool> {
        authorize(actor, Action::Create, resource)?;
        let unused = self.store.is_unused(resource).await;
        if !unused.map_err(|error| self.error(error, resource))? {
            return Ok(false);
        }
        let stamp = self.stamp(actor);
        let mut records = Vec::with_capacity(inputs.len());
        for (key, input) in inputs {
            records.push(self.check_new(actor, resource, key, input, &stamp).await?);
        }
        match self.store.insert_first(resource, &records, &stamp).await {
            Ok(()) => Ok(true),
            // Another process was quicker.
            Err(StoreError::Stale) => Ok(false),
            Err(error) => Err(self.error(error, resource)),
        }
    }

    /// The key and the values of a new record, with what the server sets.
    pub(crate) async fn check_new(
        &self,
        actor: &Actor,
        resource: &Resource,
        key: Option<Key>,
        input: Input,
        stamp: &Stamp,
    ) -> Result<(Option<Key>, Vec<Value>)> {
        refuse_empty(resource, &input)?;
        let key = key_of_new(resource, key, &input);
        let checked = input.into_new(resource);
        let (key, mut values) = match (key, checked) {
            (Ok(key), Ok(values)) => (key, values),
            (Err(fault), checked) => {
                return Err(Error::Invalid(
                    [vec![fault], checked.err().unwrap_or_default()].concat(),
                ));
            }
            (Ok(_), Err(faults)) => return Err(Error::Invalid(faults)),
        };
        for (value, field) in values.iter_mut().zip(&resource.fields) {
            if field.set.is_some() {
                *value = Value::Text(stamp.at.clone());
            }
        }
        if self.hooks.has_before(resource) {
            let mut write = Write::new(Verb::Create, actor, &self.schema, resource, values);
            write.key.clone_from(&key);
            self.hooks.ask(&mut write).await?;
            values = write.into_values();
        }
        self.check_size(resource, &values)?;
        for (value, field) in values.iter_mut().zip(&resource.fields) {
            if let (Kind::Password, Value::Text(password)) = (&field.kind, &*value) {
                *value = Value::Text(self.passwords.hash(password.clone()).await?);
            }
        }
        Ok((key, values))
    }

    /// Changes a record that [`find`](Self::find) gave, and returns it as stored. A change that
    /// changes nothing moves neither the version nor the time of the last change.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`] or [`Error::Invalid`] with every fault; [`Error::Stale`] if `guard` is
    /// [`Guard::Unchanged`] and the record has changed; [`Error::NotFound`] if it has gone;
    /// [`Error::Taken`], [`Error::Full`], [`Error::Unavailable`]. Nothing is changed then.
    pub async fn update(
        &self,
        actor: &Actor,
        resource: &Resource,
        mut current: Record,
        guard: Guard,
        change: &Change<'_>,
    ) -> Result<Record> {
        for _ in 0..ATTEMPTS_MAX {
            let changed = change.apply(resource, &current)?;
            let mut changed = self
                .ask(Verb::Update, actor, resource, &current, changed)
                .await?;
            let mut positions = differences(&current.values, &changed);
            if positions.is_empty() {
                return Ok(current);
            }
            self.check_size(resource, &changed)?;
            let stamp = self.stamp(actor);
            for (position, field) in resource.fields.iter().enumerate() {
                if field.set == Some(Set::Update) {
                    changed[position] = Value::Text(stamp.at.clone());
                    positions.push(position);
                }
            }
            for &position in &positions {
                if let (Kind::Password, Value::Text(password)) =
                    (&resource.fields[position].kind, &changed[position])
                {
                    changed[position] = Value::Text(self.passwords.hash(password.clone()).await?);
                }
            }
            positions.sort_unstable();
            positions.dedup();
            let changes = positions
                .iter()
                .map(|&position| (position, changed[position].clone()))
                .collect();
            match self.store.update(resource, &current, changes, stamp).await {
                Ok(()) => {
                    let record = Record {
                        version: current.version + 1,
                        values: changed,
                        ..current
                    };
                    self.tell(Verb::Update, actor, resource, &record).await;
                    return Ok(record);
                }
                Err(StoreError::Stale) => current = self.again(resource, current, guard).await?,
                Err(error) => return Err(self.error(error, resource)),
            }
        }
        Err(busy())
    }

    /// Deletes a record that [`find`](Self::find) gave, softly or for good as its resource says.
    ///
    /// # Errors
    ///
    /// [`Error::Referenced`] when others refer to it; [`Error::Stale`] if `guard` is
    /// [`Guard::Unchanged`] and the record has changed; [`Error::NotFound`] if it has gone;
    /// [`Error::Full`], [`Error::Unavailable`]. Nothing is changed then.
    pub async fn delete(
        &self,
        actor: &Actor,
        resource: &Resource,
        mut current: Record,
        guard: Guard,
    ) -> Result<Record> {
        for _ in 0..ATTEMPTS_MAX {
            self.ask(Verb::Delete, actor, resource, &current, Vec::new())
                .await?;
            match self
                .store
                .delete(resource, &current, self.stamp(actor))
                .await
            {
                Ok(()) => {
                    self.tell(Verb::Delete, actor, resource, &current).await;
                    return Ok(current);
                }
                Err(StoreError::Stale) => current = self.again(resource, current, guard).await?,
                Err(error) => return Err(self.error(error, resource)),
            }
        }
        Err(busy())
    }

    /// Deletes the records that `query`'s filters and search select, whatever its page is, in
    /// groups that are each all or nothing, and returns how many there were.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`]; [`Error::Referenced`] when others refer to one of them;
    /// [`Error::Full`], [`Error::Unavailable`].
    pub async fn delete_all(
        &self,
        actor: &Actor,
        resource: &Resource,
        query: &Query,
    ) -> Result<u64> {
        authorize(actor, Action::Delete, resource)?;
        let group = Query {
            page: 1,
            per_page: DELETED_AT_ONCE,
            ..query.clone()
        };
        let mut deleted = 0;
        let mut conflicts = 0;
        while conflicts < ATTEMPTS_MAX {
            let mut records = Vec::new();
            let mut each = |row: &dyn Row| records.push(Record::from_row(resource, row));
            let listed = self
                .store
                .list(resource, Scope::Live, &group, &mut each)
                .await;
            listed.map_err(|error| self.error(error, resource))?;
            if records.is_empty() {
                return Ok(deleted);
            }
            for record in &records {
                self.ask(Verb::Delete, actor, resource, record, Vec::new())
                    .await?;
            }
            match self
                .store
                .delete_all(resource, &records, self.stamp(actor))
                .await
            {
                Ok(()) => {
                    deleted += records.len() as u64;
                    for record in &records {
                        self.tell(Verb::Delete, actor, resource, record).await;
                    }
                }
                // Somebody changed one of them meanwhile: the group is read anew.
                Err(StoreError::Stale) => conflicts += 1,
                Err(error) => return Err(self.error(error, resource)),
            }
        }
        Err(busy())
    }

    /// The versions of a record of a resource that keeps them, the newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    pub async fn history(&self, resource: &Resource, record: &Record) -> Result<Vec<Revision>> {
        let revisions = self
            .store
            .history(resource, record.id, Store::REVISIONS_MAX)
            .await;
        revisions.map_err(|error| self.error(error, resource))
    }

    /// Restores a record that [`find_deleted`](Self::find_deleted) gave, and what its deletion
    /// took along, and returns it as stored.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`]; [`Error::NotFound`] when it has been restored meanwhile;
    /// [`Error::Taken`] when its unique values have been given to another;
    /// [`Error::ParentDeleted`]; [`Error::Full`], [`Error::Unavailable`]. Nothing is changed
    /// then.
    pub async fn restore(
        &self,
        actor: &Actor,
        resource: &Resource,
        current: &Record,
    ) -> Result<Record> {
        authorize(actor, Action::Delete, resource)?;
        self.ask(Verb::Restore, actor, resource, current, Vec::new())
            .await?;
        match self
            .store
            .restore(resource, current, self.stamp(actor))
            .await
        {
            Ok(()) => {
                let record = self.read(resource, Scope::Live, &current.key).await?;
                self.tell(Verb::Restore, actor, resource, &record).await;
                Ok(record)
            }
            Err(StoreError::Stale) => Err(not_found(resource)),
            Err(error) => Err(self.error(error, resource)),
        }
    }

    /// What the application's code makes of a write of `current`, with these values where it
    /// changes the record.
    async fn ask(
        &self,
        verb: Verb,
        actor: &Actor,
        resource: &Resource,
        current: &Record,
        values: Vec<Value>,
    ) -> Result<Vec<Value>> {
        if !self.hooks.has_before(resource) {
            return Ok(values);
        }
        let values = match verb {
            Verb::Create | Verb::Update => values,
            Verb::Delete | Verb::Restore => current.values.clone(),
        };
        let mut write = Write::new(verb, actor, &self.schema, resource, values);
        write.key = Some(current.key.clone());
        write.current = Some(current.clone());
        self.hooks.ask(&mut write).await?;
        Ok(write.into_values())
    }

    async fn tell(&self, verb: Verb, actor: &Actor, resource: &Resource, record: &Record) {
        self.hooks
            .tell(verb, actor, &self.schema, resource, record)
            .await;
    }

    /// Many small patches must not make a document that no body could replace.
    fn check_size(&self, resource: &Resource, values: &[Value]) -> Result<()> {
        let bytes_max = self.schema.limits.body_bytes_max;
        match (&resource.members, values.get(CONTENT)) {
            (Some(_), Some(Value::Text(text))) if text.len() > bytes_max => {
                let rest = format!("must be at most {bytes_max} bytes of JSON");
                let message = format!("{} {rest}", resource.label);
                Err(Error::Invalid(vec![Fault::body(Code::TooLarge, message)]))
            }
            _ => Ok(()),
        }
    }

    async fn read(&self, resource: &Resource, scope: Scope, key: &Key) -> Result<Record> {
        let to_record = |row: &dyn Row| Record::from_row(resource, row);
        match self.store.get(resource, scope, key, to_record).await {
            Ok(Some(record)) => Ok(record),
            Ok(None) => Err(not_found(resource)),
            Err(error) => Err(self.error(error, resource)),
        }
    }

    /// The record to try again with, after a write that lost a race.
    async fn again(&self, resource: &Resource, lost: Record, guard: Guard) -> Result<Record> {
        let fresh = self.read(resource, Scope::Live, &lost.key).await?;
        match guard {
            Guard::Latest => Ok(fresh),
            Guard::Unchanged => Err(Error::Stale),
        }
    }

    pub(crate) fn stamp(&self, actor: &Actor) -> Stamp {
        Stamp {
            at: self.clock.now(),
            actor: signature(actor),
        }
    }
}

impl Change<'_> {
    fn apply(&self, resource: &Resource, current: &Record) -> Result<Vec<Value>> {
        match self {
            Change::Replace(input) => {
                refuse_empty(resource, input)?;
                input.clone().into_replacement(resource, current)
            }
            Change::Merge(input) => input.clone().into_merge(resource, current),
            Change::Patch(input) => {
                let mut input = input.clone();
                merge_json_fields(resource, current, &mut input)?;
                input.into_merge(resource, current)
            }
            Change::Derive(derive) => {
                derive(current).and_then(|input| input.into_merge(resource, current))
            }
        }
        .map_err(Error::Invalid)
    }
}

/// What a merge patch says of a record that is not there yet: null is what was not sent.
///
/// # Errors
///
/// [`Error::Internal`] where a `json` field is given something that is no JSON.
pub fn new_of_patch(resource: &Resource, mut input: Input) -> Result<Input> {
    // An empty patch is no fault; what is required is told by its name.
    input.empty = false;
    for (position, field) in resource.fields.iter().enumerate() {
        match input.given(position) {
            Some(Value::Null) => input.forget(position),
            Some(Value::Text(patch)) if field.kind == Kind::Json => {
                let made = merge("{}", patch).map_err(|error| Error::Internal(error.into()))?;
                input.give_value(position, Value::Text(made));
            }
            _ => {}
        }
    }
    Ok(input)
}

/// Refuses an input without any member; the faults say what is required.
///
/// # Errors
///
/// [`Error::Empty`].
pub fn refuse_empty(resource: &Resource, input: &Input) -> Result<()> {
    if !input.empty {
        return Ok(());
    }
    if resource.members.is_some() {
        let message = format!("{} is required", resource.label);
        return Err(Error::Empty(vec![Fault::body(Code::Required, message)]));
    }
    let mut faults = Input::new(resource)
        .into_new(resource)
        .err()
        .unwrap_or_default();
    if faults.is_empty() {
        faults.push(Fault::body(Code::Required, "No data provided"));
    }
    Err(Error::Empty(faults))
}

fn merge_json_fields(resource: &Resource, current: &Record, input: &mut Input) -> Result<()> {
    for (position, field) in resource
        .fields
        .iter()
        .enumerate()
        .filter(|(_, field)| field.kind == Kind::Json)
    {
        if let Some(Value::Text(patch)) = input.given(position) {
            let target = match &current.values[position] {
                Value::Text(target) => target.as_str(),
                _ => "{}",
            };
            let merged = merge(target, patch).map_err(|error| Error::Internal(error.into()))?;
            input.give_value(
                position,
                field
                    .check(Value::Text(merged))
                    .map_err(|fault| Error::Invalid(vec![fault]))?,
            );
        }
    }
    Ok(())
}

fn differences(current: &[Value], changed: &[Value]) -> Vec<usize> {
    let pairs = current.iter().zip(changed).enumerate();
    pairs
        .filter(|(_, (current, changed))| current != changed)
        .map(|(position, _)| position)
        .collect()
}

/// The key of a new record: the one that the path names or, for a key that clients name, the one
/// in the input; a new UUID; none where the database counts.
fn key_of_new(
    resource: &Resource,
    key: Option<Key>,
    input: &Input,
) -> std::result::Result<Option<Key>, Fault> {
    let name = &resource.key.field;
    let fault =
        |code, rest: &str| Fault::field(name.as_str(), code, format!("{} {rest}", name.to_label()));
    let key = match (resource.key.kind, key) {
        (KeyKind::Integer, _) => return Ok(None),
        (KeyKind::Uuid, None) => Key::Text(uuid::Uuid::now_v7().hyphenated().to_string()),
        (KeyKind::Uuid | KeyKind::String, Some(key)) => key,
        (KeyKind::String, None) => {
            let text = input
                .key
                .as_deref()
                .ok_or_else(|| fault(Code::Required, "is required"))?;
            let parsed = resource.key.kind.parse(text);
            parsed.ok_or_else(|| {
                fault(
                    Code::Format,
                    "must have 1 to 255 characters, no control characters, and not be . or ..",
                )
            })?
        }
    };
    match resource.is_fixed_path(&key.to_string()) {
        true => Err(fault(
            Code::Taken,
            "cannot be that: it is the address of something else",
        )),
        false => Ok(Some(key)),
    }
}

fn not_found(resource: &Resource) -> Error {
    Error::NotFound {
        resource: resource.name.clone(),
    }
}

fn busy() -> Error {
    Error::Unavailable("others kept changing the record".into())
}
