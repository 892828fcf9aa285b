//! Deleting what others refer to, and bringing back what a deletion took along. Which rows
//! those are is known only in the transaction, so these are no lists of statements.
//!
//! A record deleted softly keeps what it refers to, also where that is gone for good later: it
//! is hidden then, and cannot be restored.

use std::collections::HashSet;
use std::sync::Arc;

use carafe_model::field::Field;
use carafe_model::key::Key;
use carafe_model::kind::{Kind, OnDelete};
use carafe_model::resource::{Delete, Referrer, Resource};
use carafe_model::schema::Schema;
use carafe_model::value::Value;

use crate::error::{Error, Result};
use crate::statement::Statement;
use crate::store::{Scope, Stamp};
use crate::transaction::Transaction;
use crate::write::{self, Action};

/// The deletion of records of one resource that are still in these versions, all or none.
pub(crate) struct Deletion {
    pub(crate) resource: usize,
    /// Ids and versions.
    pub(crate) records: Vec<(i64, i64)>,
    pub(crate) stamp: Stamp,
}

/// The restoration of a record deleted softly that is still in this version.
pub(crate) struct Restoration {
    pub(crate) resource: usize,
    pub(crate) id: i64,
    pub(crate) version: i64,
    pub(crate) stamp: Stamp,
}

/// A row that is to be deleted or restored.
struct Member {
    resource: usize,
    id: i64,
    key: Key,
    /// The mark of the deletion that takes it along.
    token: Arc<str>,
}

/// The mark of a deletion: that of record 7 of notes in version 3 is `notes/7/3`. All that it
/// takes along carries it, so that restoring brings back exactly those.
pub(crate) fn token(resource: &Resource, id: i64, version: i64) -> String {
    format!("{}/{id}/{version}", resource.name)
}

impl Deletion {
    /// Runs the deletion. After an error the caller rolls back.
    pub(crate) async fn run(&self, tx: &mut impl Transaction, schema: &Schema) -> Result<()> {
        let root = &schema.resources[self.resource];
        let mut roots = Vec::with_capacity(self.records.len());
        for &(id, version) in &self.records {
            let found = find(tx, root, Scope::Live, id, version).await?;
            let (key, _) = found.ok_or(Error::Stale)?;
            let token = Arc::from(token(root, id, version));
            roots.push(Member {
                resource: root.index,
                id,
                key,
                token,
            });
        }
        let members = closure(tx, schema, roots).await?;
        let ids: HashSet<_> = members
            .iter()
            .map(|member| (member.resource, member.id))
            .collect();
        refuse(tx, schema, &members, &ids).await?;
        self.clear(tx, schema, &members, &ids).await?;
        self.remove(tx, schema, &members).await
    }

    /// Makes the references null that are declared so.
    async fn clear(
        &self,
        tx: &mut impl Transaction,
        schema: &Schema,
        members: &[Member],
        ids: &HashSet<(usize, i64)>,
    ) -> Result<()> {
        for member in members {
            for referrer in referrers(schema, member, OnDelete::SetNull) {
                let child = &schema.resources[referrer.resource];
                let found =
                    write::referrers(tx.dialect(), child, referrer.field, &member.key, None);
                for (id, _) in rows(tx, &found).await? {
                    if !ids.contains(&(child.index, id)) {
                        let clear = write::clear(tx.dialect(), child, referrer.field, id);
                        tx.run(&clear).await?;
                        remember(tx, child, Action::Update, id, &self.stamp).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn remove(
        &self,
        tx: &mut impl Transaction,
        schema: &Schema,
        members: &[Member],
    ) -> Result<()> {
        for member in members {
            let resource = &schema.resources[member.resource];
            let delete = write::delete_by_id(
                tx.dialect(),
                resource,
                member.id,
                &self.stamp,
                &member.token,
            );
            // A row that is kept has its version of the deletion in the history, one that goes
            // for good the one before it.
            if resource.delete == Delete::Hard {
                remember(tx, resource, Action::Delete, member.id, &self.stamp).await?;
            }
            tx.run(&delete).await?;
            if resource.delete == Delete::Soft {
                remember(tx, resource, Action::Delete, member.id, &self.stamp).await?;
            }
        }
        Ok(())
    }
}

/// Refuses where a live record that stays refers to one that goes; the first is enough.
async fn refuse(
    tx: &mut impl Transaction,
    schema: &Schema,
    members: &[Member],
    ids: &HashSet<(usize, i64)>,
) -> Result<()> {
    for member in members {
        for referrer in referrers(schema, member, OnDelete::Restrict) {
            let child = &schema.resources[referrer.resource];
            // One more than go themselves must have one that stays.
            let enough = i64::try_from(ids.len() + 1).unwrap_or(i64::MAX);
            let found = write::referrers(
                tx.dialect(),
                child,
                referrer.field,
                &member.key,
                Some(enough),
            );
            let found = rows(tx, &found).await?;
            if found
                .iter()
                .any(|(id, _)| !ids.contains(&(child.index, *id)))
            {
                return Err(Error::Referenced {
                    resource: child.index,
                });
            }
        }
    }
    Ok(())
}

fn referrers<'s>(
    schema: &'s Schema,
    member: &Member,
    on_delete: OnDelete,
) -> impl Iterator<Item = &'s Referrer> + use<'s> {
    let referrers = schema.resources[member.resource].referrers.iter();
    referrers.filter(move |referrer| referrer.on_delete == on_delete)
}

/// Records, and all that is deleted with them.
async fn closure(
    tx: &mut impl Transaction,
    schema: &Schema,
    roots: Vec<Member>,
) -> Result<Vec<Member>> {
    let mut seen: HashSet<_> = roots.iter().map(|root| (root.resource, root.id)).collect();
    let mut members = roots;
    let mut next = 0;
    while next < members.len() {
        let member = &members[next];
        let mut found = Vec::new();
        for referrer in referrers(schema, member, OnDelete::Cascade) {
            let child = &schema.resources[referrer.resource];
            let rows = {
                let found =
                    write::referrers(tx.dialect(), child, referrer.field, &member.key, None);
                rows(tx, &found).await?
            };
            found.extend(rows.into_iter().map(|(id, key)| Member {
                resource: child.index,
                id,
                key,
                token: Arc::clone(&member.token),
            }));
        }
        members.extend(
            found
                .into_iter()
                .filter(|member| seen.insert((member.resource, member.id))),
        );
        next += 1;
    }
    Ok(members)
}

impl Restoration {
    /// Runs the restoration. After an error the caller rolls back.
    pub(crate) async fn run(&self, tx: &mut impl Transaction, schema: &Schema) -> Result<()> {
        let root = &schema.resources[self.resource];
        let found = find(tx, root, Scope::Deleted, self.id, self.version).await?;
        let (_, mark) = found.ok_or(Error::Stale)?;
        refuse_without_root(tx, schema, root, self.id, mark.as_deref()).await?;
        let members = taken_along(tx, schema, root, self.id, mark.as_deref()).await?;
        self.restore(tx, root, self.id).await?;
        for (resource, id) in &members {
            let restored = self.restore(tx, resource, *id).await;
            restored.map_err(|err| of_member(resource, err))?;
        }
        // When all are back: they may refer to each other.
        whole(tx, schema, root, self.id).await?;
        for (resource, id) in &members {
            let whole = whole(tx, schema, resource, *id).await;
            whole.map_err(|err| of_member(resource, err))?;
        }
        Ok(())
    }

    async fn restore(&self, tx: &mut impl Transaction, resource: &Resource, id: i64) -> Result<()> {
        let restore = write::restore(tx.dialect(), resource, id);
        tx.write(resource, &restore).await?;
        remember(tx, resource, Action::Restore, id, &self.stamp).await
    }
}

/// What the deletion of a record took along; nothing if it was taken along itself.
async fn taken_along<'s>(
    tx: &mut impl Transaction,
    schema: &'s Schema,
    root: &Resource,
    id: i64,
    mark: Option<&str>,
) -> Result<Vec<(&'s Resource, i64)>> {
    let own = format!("{}/{id}/", root.name);
    let Some(mark) = mark.filter(|mark| mark.starts_with(&own)) else {
        return Ok(Vec::new());
    };
    let mut members = Vec::new();
    for resource in schema
        .resources
        .iter()
        .filter(|resource| resource.delete == Delete::Soft)
    {
        let found = write::deleted_with(tx.dialect(), resource, mark);
        for (member, _) in rows(tx, &found).await? {
            if (resource.index, member) != (root.index, id) {
                members.push((resource, member));
            }
        }
    }
    Ok(members)
}

/// Refuses a record that another's deletion took along while that one is still deleted: its key
/// may have been given to a new record, which this one is not of.
async fn refuse_without_root(
    tx: &mut impl Transaction,
    schema: &Schema,
    resource: &Resource,
    id: i64,
    mark: Option<&str>,
) -> Result<()> {
    let Some(mark) = mark.filter(|mark| !mark.starts_with(&format!("{}/{id}/", resource.name)))
    else {
        return Ok(());
    };
    let mut parts = mark.split('/');
    let root = parts.next().and_then(|name| schema.resource(name));
    let root_id = parts.next().and_then(|id| id.parse::<i64>().ok());
    let root = root.filter(|root| root.delete == Delete::Soft);
    let (Some(root), Some(root_id)) = (root, root_id) else {
        return Ok(());
    };
    let deleted = rows(tx, &write::deleted_with(tx.dialect(), root, mark)).await?;
    if !deleted.iter().any(|(id, _)| *id == root_id) {
        return Ok(());
    }
    let leads_to_root = |field: &Field| match &field.kind {
        Kind::Reference(reference) => reference.index == root.index,
        _ => false,
    };
    let refers = |field: &Field| matches!(field.kind, Kind::Reference(_));
    let field = resource.fields.iter().position(leads_to_root);
    let field = field.or_else(|| resource.fields.iter().position(refers));
    match field {
        Some(field) => Err(Error::ParentDeleted { field }),
        None => Ok(()),
    }
}

/// Refuses where a reference of a row leads to none that is live.
async fn whole(
    tx: &mut impl Transaction,
    schema: &Schema,
    resource: &Resource,
    id: i64,
) -> Result<()> {
    for (position, field) in resource.fields.iter().enumerate() {
        if let Kind::Reference(reference) = &field.kind {
            let target = &schema.resources[reference.index];
            let statement = write::dangling(tx.dialect(), resource, position, target, id);
            if !tx.rows(&statement).await?.is_empty() {
                return Err(Error::ParentDeleted { field: position });
            }
        }
    }
    Ok(())
}

fn of_member(resource: &Resource, err: Error) -> Error {
    match err {
        Error::Taken { .. } | Error::KeyTaken | Error::ParentDeleted { .. } => Error::Member {
            resource: resource.index,
            cause: Box::new(err),
        },
        other => other,
    }
}

async fn remember(
    tx: &mut impl Transaction,
    resource: &Resource,
    action: Action,
    id: i64,
    stamp: &Stamp,
) -> Result<()> {
    if resource.history {
        let history = write::history(tx.dialect(), resource, action, id, stamp);
        tx.run(&history).await?;
    }
    Ok(())
}

/// The key of a row, and the mark of its deletion.
async fn find(
    tx: &mut impl Transaction,
    resource: &Resource,
    scope: Scope,
    id: i64,
    version: i64,
) -> Result<Option<(Key, Option<String>)>> {
    let found = write::find(tx.dialect(), resource, scope, id, version);
    let row = tx.rows(&found).await?.into_iter().next();
    Ok(row.map(|row| {
        let mark = match row.get(2) {
            Some(Value::Text(mark)) => Some(mark.clone()),
            _ => None,
        };
        (key(&row[1]), mark)
    }))
}

/// Rows of id and key.
async fn rows(tx: &mut impl Transaction, statement: &Statement) -> Result<Vec<(i64, Key)>> {
    let rows = tx.rows(statement).await?;
    let pair = |row: &Vec<Value>| match row[0] {
        Value::Integer(id) => (id, key(&row[1])),
        // Ids are whole numbers.
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) => (0, key(&row[1])),
    };
    Ok(rows.iter().map(pair).collect())
}

fn key(value: &Value) -> Key {
    match value {
        Value::Integer(id) => Key::Integer(*id),
        Value::Text(text) => Key::Text(text.clone()),
        // A key column has no nulls, and is a whole number or text.
        Value::Null | Value::Boolean(_) | Value::Number(_) => Key::Integer(0),
    }
}
