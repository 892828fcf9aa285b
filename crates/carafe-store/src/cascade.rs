//! Deleting what others refer to, and bringing back what a deletion took along. Which rows
//! those are is known only in the transaction, so these run on the writer's thread.
//!
//! A record deleted softly keeps what it refers to, also where that is gone for good later: it
//! is hidden then, and cannot be restored.

use std::collections::HashSet;
use std::rc::Rc;

use carafe_model::field::Field;
use carafe_model::key::Key;
use carafe_model::kind::{Kind, OnDelete};
use carafe_model::resource::{Delete, Resource};
use carafe_model::schema::Schema;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::error::{Error, Result};
use crate::sqlite::connection::{prepared, run};
use crate::sqlite::failure;
use crate::sqlite::row::valid;
use crate::statement::Statement;
use crate::store::{Scope, Stamp};
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
    token: Rc<str>,
}

/// The mark of a deletion: that of record 7 of notes in version 3 is `notes/7/3`. All that it
/// takes along carries it, so that restoring brings back exactly those.
pub(crate) fn token(resource: &Resource, id: i64, version: i64) -> String {
    format!("{}/{id}/{version}", resource.name)
}

impl Deletion {
    /// Runs the deletion. After an error the caller rolls back.
    pub(crate) fn run(&self, connection: &Connection, schema: &Schema) -> Result<()> {
        let root = &schema.resources[self.resource];
        let mut roots = Vec::with_capacity(self.records.len());
        for &(id, version) in &self.records {
            let found = find(connection, root, Scope::Live, id, version)?;
            let (key, _) = found.ok_or(Error::Stale)?;
            let token = Rc::from(token(root, id, version));
            roots.push(Member {
                resource: root.index,
                id,
                key,
                token,
            });
        }
        let members = closure(connection, schema, roots)?;
        let ids: HashSet<_> = members
            .iter()
            .map(|member| (member.resource, member.id))
            .collect();
        refuse(connection, schema, &members, &ids)?;
        self.clear(connection, schema, &members, &ids)?;
        self.remove(connection, schema, &members)
    }

    /// Makes the references null that are declared so.
    fn clear(
        &self,
        connection: &Connection,
        schema: &Schema,
        members: &[Member],
        ids: &HashSet<(usize, i64)>,
    ) -> Result<()> {
        for_each_referrer(
            connection,
            schema,
            members,
            OnDelete::SetNull,
            |child, field, id| {
                if ids.contains(&(child.index, id)) {
                    return Ok(());
                }
                run(connection, &write::clear(child, field, id))?;
                remember(connection, child, Action::Update, id, &self.stamp)
            },
        )
    }

    fn remove(&self, connection: &Connection, schema: &Schema, members: &[Member]) -> Result<()> {
        for member in members {
            let resource = &schema.resources[member.resource];
            let delete = write::delete_by_id(resource, member.id, &self.stamp, &member.token);
            // A row that is kept has its version of the deletion in the history, one that goes
            // for good the one before it.
            if resource.delete == Delete::Hard {
                remember(connection, resource, Action::Delete, member.id, &self.stamp)?;
            }
            run(connection, &delete)?;
            if resource.delete == Delete::Soft {
                remember(connection, resource, Action::Delete, member.id, &self.stamp)?;
            }
        }
        Ok(())
    }
}

/// Refuses where a live record that stays refers to one that goes; the first is enough.
fn refuse(
    connection: &Connection,
    schema: &Schema,
    members: &[Member],
    ids: &HashSet<(usize, i64)>,
) -> Result<()> {
    for member in members {
        let referrers = &schema.resources[member.resource].referrers;
        for referrer in referrers
            .iter()
            .filter(|referrer| referrer.on_delete == OnDelete::Restrict)
        {
            let child = &schema.resources[referrer.resource];
            let statement = write::referrers(child, referrer.field, &member.key);
            let mut statement = prepared(connection, &statement)?;
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                if !ids.contains(&(child.index, row.get(0)?)) {
                    return Err(Error::Referenced {
                        resource: child.index,
                    });
                }
            }
        }
    }
    Ok(())
}

/// Records, and all that is deleted with them.
fn closure(connection: &Connection, schema: &Schema, roots: Vec<Member>) -> Result<Vec<Member>> {
    let mut seen: HashSet<_> = roots.iter().map(|root| (root.resource, root.id)).collect();
    let mut members = roots;
    let mut next = 0;
    while next < members.len() {
        let member = &members[next];
        let mut found = Vec::new();
        for referrer in &schema.resources[member.resource].referrers {
            if referrer.on_delete == OnDelete::Cascade {
                let child = &schema.resources[referrer.resource];
                let rows = rows(
                    connection,
                    &write::referrers(child, referrer.field, &member.key),
                )?;
                found.extend(rows.into_iter().map(|(id, key)| Member {
                    resource: child.index,
                    id,
                    key,
                    token: Rc::clone(&member.token),
                }));
            }
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

fn for_each_referrer(
    connection: &Connection,
    schema: &Schema,
    members: &[Member],
    on_delete: OnDelete,
    mut each: impl FnMut(&Resource, usize, i64) -> Result<()>,
) -> Result<()> {
    for member in members {
        let referrers = &schema.resources[member.resource].referrers;
        for referrer in referrers
            .iter()
            .filter(|referrer| referrer.on_delete == on_delete)
        {
            let child = &schema.resources[referrer.resource];
            let statement = write::referrers(child, referrer.field, &member.key);
            for (id, _) in rows(connection, &statement)? {
                each(child, referrer.field, id)?;
            }
        }
    }
    Ok(())
}

impl Restoration {
    /// Runs the restoration. After an error the caller rolls back.
    pub(crate) fn run(&self, connection: &Connection, schema: &Schema) -> Result<()> {
        let root = &schema.resources[self.resource];
        let found = find(connection, root, Scope::Deleted, self.id, self.version)?;
        let (_, mark) = found.ok_or(Error::Stale)?;
        refuse_without_root(connection, schema, root, self.id, mark.as_deref())?;
        let members = taken_along(connection, schema, root, self.id, mark.as_deref())?;
        let restore = |resource: &Resource, id: i64| {
            run(connection, &write::restore(resource, id))
                .map_err(|err| failure::of_write(resource, err))?;
            remember(connection, resource, Action::Restore, id, &self.stamp)
        };
        restore(root, self.id)?;
        for (resource, id) in &members {
            restore(resource, *id).map_err(|err| of_member(resource, err))?;
        }
        // When all are back: they may refer to each other.
        whole(connection, schema, root, self.id)?;
        for (resource, id) in &members {
            whole(connection, schema, resource, *id).map_err(|err| of_member(resource, err))?;
        }
        Ok(())
    }
}

/// What the deletion of a record took along; nothing if it was taken along itself.
fn taken_along<'s>(
    connection: &Connection,
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
        for (member, _) in rows(connection, &write::deleted_with(resource, mark))? {
            if (resource.index, member) != (root.index, id) {
                members.push((resource, member));
            }
        }
    }
    Ok(members)
}

/// Refuses a record that another's deletion took along while that one is still deleted: its key
/// may have been given to a new record, which this one is not of.
fn refuse_without_root(
    connection: &Connection,
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
    let deleted = rows(connection, &write::deleted_with(root, mark))?;
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
fn whole(connection: &Connection, schema: &Schema, resource: &Resource, id: i64) -> Result<()> {
    for (position, field) in resource.fields.iter().enumerate() {
        if let Kind::Reference(reference) = &field.kind {
            let target = &schema.resources[reference.index];
            let statement = write::dangling(resource, position, target, id);
            if prepared(connection, &statement)?
                .raw_query()
                .next()?
                .is_some()
            {
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

fn remember(
    connection: &Connection,
    resource: &Resource,
    action: Action,
    id: i64,
    stamp: &Stamp,
) -> Result<()> {
    if resource.history {
        run(connection, &write::history(resource, action, id, stamp))?;
    }
    Ok(())
}

/// The key of a row, and the mark of its deletion.
fn find(
    connection: &Connection,
    resource: &Resource,
    scope: Scope,
    id: i64,
    version: i64,
) -> Result<Option<(Key, Option<String>)>> {
    let mut statement = prepared(connection, &write::find(resource, scope, id, version))?;
    let mut rows = statement.raw_query();
    Ok(match rows.next()? {
        Some(row) => Some((key(row.get_ref(1)?), row.get(2)?)),
        None => None,
    })
}

/// Rows of id and key.
fn rows(connection: &Connection, statement: &Statement) -> Result<Vec<(i64, Key)>> {
    let mut statement = prepared(connection, statement)?;
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, key(row.get_ref(1)?)));
    }
    Ok(found)
}

fn key(value: ValueRef<'_>) -> Key {
    match value {
        ValueRef::Integer(id) => Key::Integer(id),
        ValueRef::Text(text) => Key::Text(valid(text).to_owned()),
        // Key columns are NOT NULL, and INTEGER or TEXT of a STRICT table.
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => Key::Integer(0),
    }
}
