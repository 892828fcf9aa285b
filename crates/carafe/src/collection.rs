//! The records of one resource for code: JSON in, JSON out, over the verbs that the API and the
//! pages call.

use anyhow::{Result as Setup, anyhow};
use carafe_model::actor::Actor;
use carafe_model::draft::Input;
use carafe_model::key::Key;
use carafe_model::query::{Defaults, Query, Total};
use carafe_model::record::Record;
use carafe_model::resource::{Method, Pagination, Resource, Strictness};
use carafe_service::access::Action;
use carafe_service::error::Error;
use carafe_service::record::{Change, Guard, refuse_empty};
use carafe_service::service::Service;
use carafe_web::error::{Kind, Problem};
use carafe_web::json::{Encoder, read_input, read_patch};
use serde_json::Value;

use crate::refusal::Refusal;

/// The records of a resource; a cheap clone. Records are JSON as the API has them, keys the text
/// that stands in their address.
#[derive(Clone)]
pub struct Collection {
    service: Service,
    position: usize,
    actor: Actor,
}

/// What a verb gives, or why it was not carried out.
type Result<T> = std::result::Result<T, Refusal>;

impl Collection {
    /// The records of the resource called `name`. What is done to them is done by the operator
    /// of the application.
    ///
    /// # Errors
    ///
    /// Where the declaration has no such resource.
    pub fn of(service: &Service, name: &str) -> Setup<Self> {
        let resource = service.schema().resource(name);
        let position = resource.map(|resource| resource.index);
        Ok(Self {
            service: service.clone(),
            position: position.ok_or_else(|| anyhow!("there is no resource {name:?}"))?,
            actor: Actor::Operator,
        })
    }

    fn resource(&self) -> &Resource {
        &self.service.schema().resources[self.position]
    }

    /// One record.
    ///
    /// # Errors
    ///
    /// 404 where there is none.
    pub async fn get(&self, key: &str) -> Result<Value> {
        let record = self.find(Action::Read, Method::Get, key).await?;
        Ok(self.show(&record))
    }

    /// A page of records by the parameters of a list, such as `[("sort", "-age"), ("page",
    /// "2")]`, and how many match. Without `per_page` it has as many as a page can have.
    ///
    /// # Errors
    ///
    /// 400 with every unknown or malformed parameter.
    pub async fn list(&self, parameters: &[(&str, &str)]) -> Result<(Vec<Value>, Total)> {
        let resource = self.resource();
        let per_page_max = self.service.schema().limits.per_page_max as u64;
        let defaults = Defaults {
            order: &resource.order,
            per_page: per_page_max,
            per_page_max,
            pagination: Pagination::Page,
            strictness: Strictness::Strict,
        };
        let pairs = parameters
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        let query = Query::parse(resource, &defaults, pairs)
            .map_err(|faults| Refusal::new(Problem::invalid(Kind::BadParameter, faults)))?;
        let mut records = Vec::new();
        let mut each = |row: &dyn carafe_model::value::Row| {
            records.push(Record::from_row(resource, row));
        };
        let listed = self.service.list(&self.actor, resource, &query, &mut each);
        let total = listed.await.map_err(self.refuse(Method::Get))?;
        let shown = records.iter().map(|record| self.show(record)).collect();
        Ok((shown, total))
    }

    /// Creates a record and gives it as stored. A key that clients name stands among the
    /// members.
    ///
    /// # Errors
    ///
    /// 400 with every fault, 409 for values that are taken.
    pub async fn create(&self, record: &Value) -> Result<Value> {
        let input = self.read(record)?;
        let created = self
            .service
            .create(&self.actor, self.resource(), None, input)
            .await;
        let created = created.map_err(self.refuse(Method::Post))?;
        Ok(self.show(&created))
    }

    /// Replaces the whole record: what is missing takes its default.
    ///
    /// # Errors
    ///
    /// 404 where there is none, then as [`create`](Self::create).
    pub async fn replace(&self, key: &str, record: &Value) -> Result<Value> {
        let current = self.find(Action::Update, Method::Put, key).await?;
        let change = Change::Replace(self.read(record)?);
        self.update(Method::Put, current, change).await
    }

    /// Merges a patch into the record (RFC 7396): members that are not given stay, null clears.
    ///
    /// # Errors
    ///
    /// As [`replace`](Self::replace).
    pub async fn merge(&self, key: &str, patch: &Value) -> Result<Value> {
        let current = self.find(Action::Update, Method::Patch, key).await?;
        let depth_max = self.service.schema().limits.json_depth_max;
        let input = read_patch(self.resource(), patch.to_string().as_bytes(), depth_max)
            .map_err(Refusal::new)?;
        self.update(Method::Patch, current, Change::Patch(input))
            .await
    }

    /// Deletes a record, softly or for good as its resource says, and gives it as it was.
    ///
    /// # Errors
    ///
    /// 404 where there is none, 409 while others refer to it.
    pub async fn delete(&self, key: &str) -> Result<Value> {
        let current = self.find(Action::Delete, Method::Delete, key).await?;
        let service = &self.service;
        let deleted = service.delete(&self.actor, self.resource(), current, Guard::Latest);
        let deleted = deleted.await.map_err(self.refuse(Method::Delete))?;
        Ok(self.show(&deleted))
    }

    async fn update(&self, method: Method, current: Record, change: Change<'_>) -> Result<Value> {
        let service = &self.service;
        let updated = service
            .update(
                &self.actor,
                self.resource(),
                current,
                Guard::Latest,
                &change,
            )
            .await;
        let updated = updated.map_err(self.refuse(method))?;
        Ok(self.show(&updated))
    }

    async fn find(&self, action: Action, method: Method, key: &str) -> Result<Record> {
        let resource = self.resource();
        let no_record = || Refusal::new(Problem::no_record(resource, method));
        let key: Key = resource.key.kind.parse(key).ok_or_else(no_record)?;
        let found = self.service.find(&self.actor, action, resource, &key).await;
        found.map_err(self.refuse(method))
    }

    fn read(&self, record: &Value) -> Result<Input> {
        let depth_max = self.service.schema().limits.json_depth_max;
        let text = record.to_string();
        let input =
            read_input(self.resource(), text.as_bytes(), depth_max).map_err(Refusal::new)?;
        refuse_empty(self.resource(), &input).map_err(self.refuse(Method::Post))?;
        Ok(input)
    }

    fn refuse(&self, method: Method) -> impl Fn(Error) -> Refusal + '_ {
        move |error| Refusal::from_service(error, self.resource(), method)
    }

    fn show(&self, record: &Record) -> Value {
        let mut bytes = Vec::new();
        Encoder::new(self.resource()).write(&mut bytes, record, None);
        serde_json::from_slice(&bytes).expect("records are written as JSON")
    }
}
