//! Values by name, as templates see them.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Value};

/// Values under names of ours. They are found by the text of a name, where those of
/// [`Value::from_pairs`] are found by values made of it.
pub(crate) fn named<V: Into<Value>, const COUNT: usize>(
    values: [(&'static str, V); COUNT],
) -> Value {
    let values = values.into_iter().map(|(name, value)| (name, value.into()));
    Named::value(values.collect())
}

/// Values that are few enough to be looked through: most names differ in their length. Of two
/// with one name the later counts.
#[derive(Debug)]
pub(crate) struct Named<N>(Vec<(N, Value)>);

impl<N: Name> Named<N> {
    pub(crate) fn value(values: Vec<(N, Value)>) -> Value {
        Value::from_object(Self(values))
    }
}

/// Whether two names are the same. Those that are not mostly differ in their length or in their
/// first letter, which is quicker to see than to compare them.
fn is_same(name: &str, key: &str) -> bool {
    name.len() == key.len() && name.as_bytes().first() == key.as_bytes().first() && name == key
}

/// What a name is kept as.
pub(crate) trait Name: AsRef<str> + Debug + Send + Sync + 'static {}

impl<N: AsRef<str> + Debug + Send + Sync + 'static> Name for N {}

impl<N: Name> Object for Named<N> {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let mut latest_first = self.0.iter().rev();
        let found = latest_first.find(|(name, _)| is_same(name.as_ref(), key));
        found.map(|(_, value)| value.clone())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.0.is_empty()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names: BTreeSet<&str> = self.0.iter().map(|(name, _)| name.as_ref()).collect();
        Enumerator::Values(names.into_iter().map(Value::from).collect())
    }
}
