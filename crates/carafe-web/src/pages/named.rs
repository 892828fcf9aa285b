//! Values by name, as templates see them.

use std::collections::BTreeMap;

use minijinja::value::Value;

/// Values under names of ours. They are found by the text of a name, where those of
/// [`Value::from_pairs`] are found by values made of it.
pub(crate) fn named<V: Into<Value>, const COUNT: usize>(
    values: [(&'static str, V); COUNT],
) -> Value {
    let values = values.into_iter().map(|(name, value)| (name, value.into()));
    Value::from_object(values.collect::<BTreeMap<&'static str, Value>>())
}
