//! The only place where it is decided who may do what.

use carafe_model::actor::Actor;
use carafe_model::resource::Resource;

use crate::error::Result;

/// What somebody wants to do with records of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Read,
    Create,
    Update,
    Delete,
}

/// Decides whether `actor` may do `action` with records of `resource`. A declaration has no
/// access rules yet, so anyone may do all that the resource's methods offer.
///
/// # Errors
///
/// [`Error::Forbidden`](crate::error::Error::Forbidden) when the rule refuses `actor`.
pub(crate) fn authorize(actor: &Actor, action: Action, _resource: &Resource) -> Result<()> {
    match (actor, action) {
        (
            Actor::Anonymous | Actor::Operator,
            Action::Read | Action::Create | Action::Update | Action::Delete,
        ) => Ok(()),
    }
}

/// The name under which `actor` stands in a record's history.
pub(crate) fn signature(actor: &Actor) -> Option<String> {
    match actor {
        Actor::Anonymous => None,
        Actor::Operator => Some("operator".to_owned()),
    }
}
