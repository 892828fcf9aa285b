//! The operations of one resource under one prefix.

use carafe_model::deprecation::Deprecation;
use carafe_model::document::Members;
use carafe_model::field::Field;
use carafe_model::key::KeyKind;
use carafe_model::kind::OnDelete;
use carafe_model::resource::{
    Delete, Deleted, Lists, Method, Pagination, Put, Reply, Resource, Strictness,
};
use carafe_model::schema::Schema;

use super::name::Names;
use super::parameter;
use super::response::{self, Header, json, media, refusal, reply};
use super::schema::{self, reference, typed};
use super::tree::Object;
use crate::api::{document, field};

/// Refusals that any request can meet, whatever it asks for.
pub(super) const ALWAYS: [u16; 6] = [400, 414, 431, 500, 501, 503];

/// A resource at one of its places.
pub(super) struct Place<'a> {
    pub(super) schema: &'a Schema,
    pub(super) resource: &'a Resource,
    pub(super) names: &'a [Names],
    /// The API's prefix.
    pub(super) prefix: &'a str,
    /// Stands behind operation ids, so that those of several prefixes differ.
    pub(super) suffix: String,
}

/// Paths in order, each with its operations.
pub(super) type Paths = Vec<(String, Object)>;

impl Place<'_> {
    /// All paths of the resource.
    #[must_use]
    pub(super) fn paths(&self) -> Paths {
        let collection = self.collection_path();
        let item = format!("{collection}/{{{}}}", self.resource.key.field);
        let mut paths = vec![(collection.clone(), self.collection())];
        if !self.resource.search.is_empty() {
            paths.push((format!("{collection}/search"), self.search()));
        }
        paths.push((item.clone(), self.item()));
        if self.resource.history {
            paths.push((format!("{item}/history"), self.history()));
        }
        match &self.resource.members {
            Some(members) => {
                let path = format!("{item}/{{{MEMBER}}}");
                paths.push((path, self.member(members)));
            }
            None => {
                for (position, field) in self.resource.fields.iter().enumerate() {
                    if field::is_addressed(self.resource, position) {
                        let path = format!("{item}/{}", field.name);
                        paths.push((path, self.field(position, field)));
                    }
                }
            }
        }
        paths.retain(|(_, operations)| operations.iter().any(|(name, _)| name != "parameters"));
        paths
    }

    fn names(&self) -> &Names {
        &self.names[self.resource.index]
    }

    fn parent(&self) -> Option<(&Resource, String)> {
        let parent = self.resource.parent.as_ref()?;
        let field = &self.resource.fields[parent.field].name;
        Some((&self.schema.resources[parent.index], field.to_string()))
    }

    fn collection_path(&self) -> String {
        match self.parent() {
            Some((parent, name)) => {
                let prefix = self.prefix;
                format!("{prefix}/{}/{{{name}}}/{}", parent.name, self.resource.name)
            }
            None => format!("{}/{}", self.prefix, self.resource.name),
        }
    }

    /// The parameters of the path of the collection.
    fn of_collection(&self) -> Vec<Object> {
        let parent = self.parent().map(|(parent, name)| {
            let words = format!("The {} of the {}", parent.key.field, parent.label);
            parameter::path(&name, schema::key_of_path(parent), words)
        });
        parent.into_iter().collect()
    }

    fn of_item(&self) -> Vec<Object> {
        let mut parameters = self.of_collection();
        let key = &self.resource.key.field;
        let words = format!("The {key} of the {}", self.resource.label);
        let schema = schema::key_of_path(self.resource);
        parameters.push(parameter::path(key.as_str(), schema, words));
        parameters
    }

    /// An operation with what all have: an id, a tag, a summary, and refusals.
    fn operation(&self, id: String, summary: String, statuses: &[u16]) -> Operation {
        let mut refusals = ALWAYS.to_vec();
        if self.resource.parent.is_some() {
            refusals.push(404);
        }
        refusals.extend(statuses);
        // Of writes the disk can be full, and of nothing else.
        let is_write = statuses.contains(&507);
        let limits = &self.schema.limits;
        let counted = limits.rate.is_some() || (is_write && limits.write_rate.is_some());
        if counted {
            refusals.push(429);
        }
        Operation {
            id: format!("{id}{}", self.suffix),
            summary,
            description: None,
            tag: self.resource.label_plural.clone(),
            parameters: Vec::new(),
            body: None,
            replies: Vec::new(),
            refusals,
            counted,
            deprecated: self.deprecated(),
        }
    }

    /// What is said of the resource, or of the prefix, that clients are to leave.
    fn deprecated(&self) -> Option<Deprecation> {
        let of_resource = self.resource.deprecated.as_ref();
        let found = of_resource.or_else(|| self.schema.deprecation_of(self.prefix));
        found.cloned()
    }

    fn component(&self) -> String {
        self.names().component.clone()
    }

    /// A record as it is answered whole.
    fn whole(&self) -> Object {
        reference(&self.component())
    }

    /// A record as it is answered where `fields` may choose its members.
    fn chosen(&self) -> Object {
        match self.resource.members {
            Some(_) => self.whole(),
            None => reference(&format!("{}Fields", self.component())),
        }
    }

    fn per_page_max(&self) -> u64 {
        self.schema.limits.per_page_max as u64
    }

    // Collections

    fn collection(&self) -> Object {
        let mut item = path_item(self.of_collection());
        for method in Method::ALL {
            if !self.resource.methods.collection.contains(&method) {
                continue;
            }
            let operation = match method {
                Method::Get => self.list(),
                Method::Post => self.create(false),
                Method::Delete => self.delete_all(),
                Method::Put | Method::Patch => continue,
            };
            item.set(verb(method), operation.object());
        }
        item
    }

    fn list(&self) -> Operation {
        let resource = self.resource;
        let many = &resource.label_plural;
        let mut operation = self.operation(
            format!("list_{}", self.names().many),
            format!("List {many}"),
            &[406, 412],
        );
        let parameters = &mut operation.parameters;
        match resource.members {
            Some(_) => {
                let max = self.schema.limits.documents_max as u64;
                parameters.extend(parameter::paging(resource, max, max));
            }
            None => {
                let per_page = match resource.lists {
                    Lists::Page => 10,
                    Lists::Array => self.per_page_max(),
                };
                parameters.extend(parameter::paging(resource, per_page, self.per_page_max()));
            }
        }
        parameters.extend(parameter::fields(resource));
        parameters.extend(parameter::search(resource, false));
        parameters.extend(parameter::deleted(resource, false));
        parameters.extend(parameter::filters(resource, resource.input));
        parameters.push(parameter::if_none_match());
        let list = match resource.members {
            Some(_) => self.map(),
            None => reference(&format!("{}List", self.component())),
        };
        operation.replies.push((
            200,
            reply(
                format!("{many}, a page of them"),
                self.list_headers(),
                Some(json(list)),
            ),
        ));
        operation.replies.push((304, not_modified()));
        operation
    }

    fn list_headers(&self) -> &'static [Header] {
        match self.resource.pagination {
            Pagination::Page => &[Header::Etag, Header::Link, Header::Total],
            Pagination::Cursor => &[Header::Etag, Header::Link],
        }
    }

    /// Documents under their names, or deleted ones in a list.
    fn map(&self) -> Object {
        let map = Object::new()
            .with("type", "object")
            .with("additionalProperties", self.whole());
        if self.resource.delete == Delete::Hard {
            return map;
        }
        let deleted = reference(&format!("Deleted{}List", self.component()));
        Object::new().with("anyOf", vec![map, deleted])
    }

    fn search(&self) -> Object {
        let resource = self.resource;
        let mut operation = self.operation(
            format!("search_{}", self.names().many),
            format!("Search {}", resource.label_plural),
            &[406, 412],
        );
        let parameters = &mut operation.parameters;
        parameters.extend(parameter::search(resource, true));
        parameters.extend(parameter::paging(
            resource,
            self.per_page_max(),
            self.per_page_max(),
        ));
        parameters.extend(parameter::fields(resource));
        parameters.extend(parameter::deleted(resource, false));
        parameters.extend(parameter::filters(resource, resource.input));
        parameters.push(parameter::if_none_match());
        let found = match resource.pagination {
            Pagination::Page => self.found(),
            Pagination::Cursor => reference(&format!("{}List", self.component())),
        };
        operation.replies.push((
            200,
            reply("What was found", self.list_headers(), Some(json(found))),
        ));
        operation.replies.push((304, not_modified()));
        path_item(self.of_collection()).with("get", operation.object())
    }

    fn found(&self) -> Object {
        let count = typed("integer", false)
            .with("minimum", 0_i64)
            .with("description", "How many match");
        let members = vec![
            ("query".to_owned(), typed("string", false)),
            (self.resource.name.to_string(), self.records()),
            ("count".to_owned(), count),
        ];
        schema::object_with(members, vec![schema::not_exact("count_is_exact")])
    }

    /// The records of a list, which are deleted ones where those are asked for.
    fn records(&self) -> Object {
        let record = self.chosen();
        let items = match self.resource.delete {
            Delete::Hard => record,
            Delete::Soft => {
                let deleted = reference(&format!("Deleted{}", self.component()));
                Object::new().with("anyOf", vec![record, deleted])
            }
        };
        Object::new().with("type", "array").with("items", items)
    }

    fn delete_all(&self) -> Operation {
        let resource = self.resource;
        let mut statuses = vec![412, 507];
        statuses.extend(self.delete_refusals());
        if resource.require_if_match {
            statuses.push(428);
        }
        let many = &resource.label_plural;
        let mut operation = self.operation(
            format!("delete_{}", self.names().many),
            format!("Delete all {many} that match"),
            &statuses,
        );
        operation.description =
            Some("Without a filter, all that the caller may delete.".to_owned());
        let parameters = &mut operation.parameters;
        parameters.extend(parameter::search(resource, false));
        parameters.extend(parameter::filters(resource, Strictness::Strict));
        if resource.require_if_match {
            parameters.push(parameter::if_match(true));
        }
        operation.replies = match &resource.reply.deleted {
            Deleted::Nothing | Deleted::Record => vec![(204, reply("Deleted", &[], None))],
            Deleted::Message(text) => vec![(200, said(text))],
        };
        operation
    }

    fn delete_refusals(&self) -> Vec<u16> {
        let restricts =
            |referrer: &carafe_model::resource::Referrer| referrer.on_delete == OnDelete::Restrict;
        // What is deleted along may be restricted too.
        let refers = self.resource.referrers.iter().any(restricts)
            || self
                .resource
                .referrers
                .iter()
                .any(|referrer| referrer.on_delete == OnDelete::Cascade);
        if refers { vec![409] } else { Vec::new() }
    }

    /// Whether a write can meet a value or a key that is taken, and with which status.
    fn taken(&self, method: Method) -> Vec<u16> {
        let creates = crate::api::record::creates(self.resource, method)
            || (method == Method::Post && self.resource.key.kind == KeyKind::String);
        let can_be = !self.resource.unique.is_empty() || creates;
        let status = self.resource.errors.taken_status.unwrap_or(409);
        if can_be { vec![status] } else { Vec::new() }
    }

    /// POST, at the collection or, for a document, at its own address.
    fn create(&self, at_item: bool) -> Operation {
        let resource = self.resource;
        let mut statuses = vec![408, 413, 415, 507];
        statuses.extend(self.taken(Method::Post));
        let one = &resource.label;
        let mut operation = self.operation(
            format!("create_{}", self.names().one),
            format!("Create {}", with_article(one)),
            &statuses,
        );
        operation
            .parameters
            .extend([parameter::idempotency_key(), parameter::prefer()]);
        let body = match resource.members {
            Some(_) => self.whole(),
            None => reference(&format!("New{}", self.component())),
        };
        operation.body = Some(json(body));
        let created = created_reply(self.either(), &resource.reply, self.whole(), one);
        operation
            .replies
            .push((201, self.with_links(created, at_item)));
        operation
    }

    /// Links (OpenAPI) from a new record to what can be done with it.
    fn with_links(&self, created: Object, at_item: bool) -> Object {
        let resource = self.resource;
        let key = resource.key.field.to_string();
        let value = match (at_item, &resource.reply.created) {
            (true, _) => format!("$request.path.{key}"),
            (false, None) => format!("$response.body#/{key}"),
            // The body is a sentence.
            (false, Some(_)) => return created,
        };
        let parent = self.parent().map(|(_, name)| {
            let value = format!("$request.path.{name}");
            (name, value)
        });
        let parameters: Object = parent.into_iter().chain([(key, value.clone())]).collect();
        let mut links = Object::new();
        let mut link = |name: String, parameters: &Object| {
            let target = Object::new()
                .with("operationId", format!("{name}{}", self.suffix))
                .with("parameters", parameters.clone());
            links.set(name, target);
        };
        let one = &self.names().one;
        for method in &resource.methods.item {
            match method {
                Method::Get => link(format!("get_{one}"), &parameters),
                Method::Put => link(format!("replace_{one}"), &parameters),
                Method::Patch => link(format!("update_{one}"), &parameters),
                Method::Delete => link(format!("delete_{one}"), &parameters),
                Method::Post => {}
            }
        }
        if resource.history {
            link(format!("get_{one}_history"), &parameters);
        }
        for child in &self.schema.resources {
            let Some(parent) = child.parent.as_ref().filter(|p| p.index == resource.index) else {
                continue;
            };
            let name = child.fields[parent.field].name.to_string();
            let parameters = Object::new().with(name, value.clone());
            let names = &self.names[child.index];
            for (method, id) in [
                (Method::Get, format!("list_{}", names.many)),
                (Method::Post, format!("create_{}", names.one)),
            ] {
                if child.methods.collection.contains(&method) {
                    link(id, &parameters);
                }
            }
        }
        match links.is_empty() {
            true => created,
            false => created.with("links", links),
        }
    }

    // Items

    fn item(&self) -> Object {
        let mut item = path_item(self.of_item());
        for method in Method::ALL {
            if !self.resource.methods.item.contains(&method) {
                continue;
            }
            let operation = match method {
                Method::Get => self.show(),
                Method::Post => self.create(true),
                Method::Put => self.put(),
                Method::Patch => self.patch(),
                Method::Delete => self.delete(),
            };
            item.set(verb(method), operation.object());
        }
        item
    }

    fn show(&self) -> Operation {
        let one = &self.resource.label;
        let mut operation = self.operation(
            format!("get_{}", self.names().one),
            format!("Get {}", with_article(one)),
            &[404, 406, 412],
        );
        let parameters = &mut operation.parameters;
        parameters.extend(parameter::fields(self.resource));
        parameters.extend(parameter::deleted(self.resource, true));
        parameters.push(parameter::if_none_match());
        let content = match self.resource.delete {
            Delete::Hard => self.chosen(),
            Delete::Soft => {
                let deleted = reference(&format!("Deleted{}", self.component()));
                Object::new().with("anyOf", vec![self.chosen(), deleted])
            }
        };
        operation.replies.push((
            200,
            reply(one.clone(), &[Header::Etag], Some(json(content))),
        ));
        operation.replies.push((304, not_modified()));
        operation
    }

    /// What a write of a record that is there can meet.
    fn write_refusals(&self, method: Method) -> Vec<u16> {
        let mut statuses = vec![404, 412, 507];
        if method != Method::Delete {
            statuses.extend([408, 413, 415]);
            statuses.extend(self.taken(method));
        }
        if self.resource.require_if_match {
            statuses.push(428);
        }
        if self.resource.delete == Delete::Soft && method != Method::Patch {
            statuses.push(405);
        }
        statuses
    }

    fn put(&self) -> Operation {
        let resource = self.resource;
        let one = with_article(&resource.label);
        let summary = match resource.put {
            Put::Replace => format!("Replace {one}"),
            Put::Upsert => format!("Replace {one}, or create it"),
            Put::Merge => format!("Change {one}: only the fields that are sent"),
        };
        let mut operation = self.operation(
            format!("replace_{}", self.names().one),
            summary,
            &self.write_refusals(Method::Put),
        );
        operation.parameters.extend(self.write_parameters());
        let body = match resource.members {
            Some(_) if resource.put == Put::Merge => {
                reference(&format!("{}Patch", self.component()))
            }
            Some(_) => self.whole(),
            None => reference(&format!("{}Input", self.component())),
        };
        operation.body = Some(json(body));
        operation.replies =
            self.written(Method::Put, &resource.reply, &resource.label, self.whole());
        operation
    }

    fn write_parameters(&self) -> [Object; 2] {
        [
            parameter::if_match(self.resource.require_if_match),
            parameter::prefer(),
        ]
    }

    /// How a sentence or a body are told apart: a record is never taken for a sentence, while a
    /// document may look like one.
    fn either(&self) -> &'static str {
        match self.resource.members {
            Some(_) => "anyOf",
            None => "oneOf",
        }
    }

    /// The replies to a PUT or a PATCH, which creates what is not there with `put = "upsert"`.
    fn written(
        &self,
        method: Method,
        texts: &Reply,
        label: &str,
        content: Object,
    ) -> Vec<(u16, Object)> {
        let headers = &[Header::Etag, Header::PreferenceApplied];
        let text = match method {
            Method::Patch => texts.updated.as_deref(),
            _ => texts.replaced.as_deref(),
        };
        let mut replies = Vec::new();
        if self.resource.put == Put::Upsert {
            let created = created_reply(self.either(), texts, content.clone(), label);
            replies.push((201, created));
        }
        let body = or_message(self.either(), text, content);
        replies.push((200, reply("Changed", headers, Some(json(body)))));
        let minimal = reply("Changed, as `Prefer: return=minimal` asked", headers, None);
        replies.push((204, minimal));
        replies
    }

    fn patch(&self) -> Operation {
        let resource = self.resource;
        let mut statuses = self.write_refusals(Method::Patch);
        statuses.push(409);
        let mut operation = self.operation(
            format!("update_{}", self.names().one),
            format!("Change {}", with_article(&resource.label)),
            &statuses,
        );
        operation.description = Some(
            "A merge patch (RFC 7396): what is not sent stays, null removes. Or a JSON Patch (RFC 6902), all of it or nothing."
                .to_owned(),
        );
        operation.parameters.extend(self.write_parameters());
        operation
            .parameters
            .extend(parameter::deleted(resource, true));
        let patch = reference(&format!("{}Patch", self.component()));
        let merge = match resource.delete {
            Delete::Hard => patch,
            Delete::Soft => {
                let restoration = reference(&format!("{}Restoration", self.component()));
                Object::new().with("anyOf", vec![patch, restoration])
            }
        };
        let json_patch = reference(&format!("{}JsonPatch", self.component()));
        let mut body = media("application/merge-patch+json", merge.clone());
        body.set("application/json", Object::new().with("schema", merge));
        body.set(
            "application/json-patch+json",
            Object::new().with("schema", json_patch),
        );
        operation.body = Some(body);
        operation.replies = self.written(
            Method::Patch,
            &resource.reply,
            &resource.label,
            self.whole(),
        );
        operation
    }

    fn delete(&self) -> Operation {
        let resource = self.resource;
        let mut statuses = self.write_refusals(Method::Delete);
        statuses.extend(self.delete_refusals());
        let mut operation = self.operation(
            format!("delete_{}", self.names().one),
            format!("Delete {}", with_article(&resource.label)),
            &statuses,
        );
        operation.parameters.extend(self.write_parameters());
        operation.replies = deleted_replies(self.either(), &resource.reply.deleted, self.whole());
        operation
    }

    fn history(&self) -> Object {
        let one = &self.names().one;
        let mut operation = self.operation(
            format!("get_{one}_history"),
            format!("Get the versions of {}", with_article(&self.resource.label)),
            &[404, 406, 412],
        );
        operation.parameters.push(parameter::if_none_match());
        let history = reference(&format!("{}History", self.component()));
        operation.replies.push((
            200,
            reply(
                "The versions, the newest first",
                &[Header::Etag],
                Some(json(history)),
            ),
        ));
        operation.replies.push((304, not_modified()));
        path_item(self.of_item()).with("get", operation.object())
    }

    // Parts of records

    fn field(&self, position: usize, field: &Field) -> Object {
        let mut item = path_item(self.of_item());
        let one = &self.names().one;
        let label = &field.label;
        let of = format!("{label} of {}", with_article(&self.resource.label));
        let value = || json(schema::answered(field));
        let content = |schema: Object| json(schema);
        for method in field::methods(self.resource, position) {
            let (id, summary, statuses) = match method {
                Method::Get => ("get", format!("Get {of}"), vec![404, 406, 412]),
                Method::Put => ("set", format!("Set {of}"), self.write_refusals(Method::Put)),
                _ => ("clear", format!("Clear {of}"), {
                    let mut statuses = self.write_refusals(Method::Delete);
                    statuses.extend(self.taken(Method::Post));
                    statuses
                }),
            };
            let mut operation =
                self.operation(format!("{id}_{one}_{}", field.name), summary, &statuses);
            match method {
                Method::Get => {
                    operation.parameters.push(parameter::if_none_match());
                    let reply = reply(label.clone(), &[Header::Etag], Some(value()));
                    operation.replies = vec![(200, reply), (304, not_modified())];
                }
                Method::Put => {
                    operation
                        .parameters
                        .push(parameter::if_match(self.resource.require_if_match));
                    let nullable = field.optional || field.default.is_some();
                    operation.body = Some(content(schema::sent(field, nullable)));
                    operation.replies = vec![(200, reply("Changed", &[], Some(value())))];
                }
                _ => {
                    operation
                        .parameters
                        .push(parameter::if_match(self.resource.require_if_match));
                    operation.replies = vec![(204, reply("Cleared", &[], None))];
                }
            }
            item.set(verb(method), operation.object());
        }
        item
    }

    fn member(&self, members: &Members) -> Object {
        let resource = self.resource;
        let mut parameters = self.of_item();
        let name = typed("string", false).with("pattern", super::text::member(resource));
        let words = format!("The name of the {}", members.label);
        parameters.push(parameter::path(MEMBER, name, words));
        let mut item = path_item(parameters);
        let one = format!("{}_member", self.names().one);
        let of = format!(
            "{} of {}",
            with_article(&members.label),
            with_article(&resource.label)
        );
        let value = reference(&format!("{}Value", self.component()));
        for method in document::methods(resource) {
            let (id, summary, statuses) = match method {
                Method::Get => ("get", format!("Get {of}"), vec![404, 406, 412]),
                Method::Put => ("set", format!("Set {of}"), self.write_refusals(method)),
                Method::Patch => (
                    "update",
                    format!("Change {of}"),
                    self.write_refusals(method),
                ),
                _ => (
                    "delete",
                    format!("Delete {of}"),
                    self.write_refusals(Method::Delete),
                ),
            };
            let mut operation = self.operation(format!("{id}_{one}"), summary, &statuses);
            match method {
                Method::Get => {
                    operation.parameters.push(parameter::if_none_match());
                    let reply = reply(
                        members.label.clone(),
                        &[Header::Etag],
                        Some(json(value.clone())),
                    );
                    operation.replies = vec![(200, reply), (304, not_modified())];
                }
                Method::Put | Method::Patch => {
                    operation.parameters.extend(self.write_parameters());
                    let mut body = json(value.clone());
                    if method == Method::Patch {
                        body.set(
                            "application/merge-patch+json",
                            Object::new().with("schema", value.clone()),
                        );
                    }
                    operation.body = Some(body);
                    operation.replies =
                        self.written(method, &members.reply, &members.label, value.clone());
                }
                _ => {
                    operation.parameters.extend(self.write_parameters());
                    operation.replies =
                        deleted_replies(self.either(), &members.reply.deleted, value.clone());
                }
            }
            item.set(verb(method), operation.object());
        }
        item
    }
}

/// The segment of the path that names a member of a document.
const MEMBER: &str = "member";

/// What one method does at a path.
struct Operation {
    id: String,
    summary: String,
    description: Option<String>,
    tag: String,
    parameters: Vec<Object>,
    /// By media type.
    body: Option<Object>,
    replies: Vec<(u16, Object)>,
    refusals: Vec<u16>,
    /// There is a limit of how many requests a client sends.
    counted: bool,
    deprecated: Option<Deprecation>,
}

impl Operation {
    fn object(mut self) -> Object {
        let body = self.body.map(|content| {
            Object::new()
                .with("required", true)
                .with("content", content)
        });
        self.refusals.sort_unstable();
        self.refusals.dedup();
        let mut replies: Vec<(u16, Object)> = self.replies;
        replies.extend(
            self.refusals
                .into_iter()
                .map(|status| (status, refusal(status))),
        );
        replies.sort_by_key(|(status, _)| *status);
        let deprecated = self.deprecated.as_ref();
        let replies: Object = replies
            .into_iter()
            .map(|(status, reply)| {
                let reply = match self.counted {
                    true => response::of_counted(reply),
                    false => reply,
                };
                let reply = match deprecated {
                    Some(deprecation) => response::of_deprecated(status, reply, deprecation),
                    None => reply,
                };
                (status.to_string(), reply)
            })
            .collect();
        let deprecated = deprecated.map(|_| true);
        let description = self
            .description
            .unwrap_or_else(|| format!("{}.", self.summary));
        Object::new()
            .with("operationId", self.id)
            .with("summary", self.summary)
            .with("description", description)
            .with("tags", vec![self.tag])
            .with_some("deprecated", deprecated)
            .with("parameters", self.parameters)
            .with_some("requestBody", body)
            .with("responses", replies)
    }
}

fn path_item(parameters: Vec<Object>) -> Object {
    match parameters.is_empty() {
        true => Object::new(),
        false => Object::new().with("parameters", parameters),
    }
}

fn verb(method: Method) -> &'static str {
    match method {
        Method::Get => "get",
        Method::Post => "post",
        Method::Put => "put",
        Method::Patch => "patch",
        Method::Delete => "delete",
    }
}

fn not_modified() -> Object {
    reply("What the client has is still right", &[Header::Etag], None)
}

fn said(text: &str) -> Object {
    reply(text.to_owned(), &[], Some(json(reference("Message"))))
}

/// The content, or the declaration's sentence in its place where the client does not prefer it.
fn or_message(either: &'static str, text: Option<&str>, content: Object) -> Object {
    match text {
        None => content,
        Some(_) => Object::new().with(either, vec![reference("Message"), content]),
    }
}

fn created_reply(either: &'static str, texts: &Reply, content: Object, label: &str) -> Object {
    let headers = &[Header::Etag, Header::Location, Header::PreferenceApplied];
    let body = or_message(either, texts.created.as_deref(), content);
    reply(format!("{label} is created"), headers, Some(json(body)))
}

fn deleted_replies(either: &'static str, deleted: &Deleted, content: Object) -> Vec<(u16, Object)> {
    let headers = &[Header::PreferenceApplied];
    let (body, words) = match deleted {
        Deleted::Nothing | Deleted::Record => (content, "Deleted; what was there"),
        Deleted::Message(text) => (or_message(either, Some(text), content), "Deleted"),
    };
    vec![
        (200, reply(words, headers, Some(json(body)))),
        (204, reply("Deleted", headers, None)),
    ]
}

/// `a note`, `an E-mail`.
fn with_article(label: &str) -> String {
    let vowel = label
        .chars()
        .next()
        .is_some_and(|first| "aeiouAEIOU".contains(first));
    format!("{} {label}", if vowel { "an" } else { "a" })
}
