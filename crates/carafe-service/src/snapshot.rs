//! Values as JSON and back, each as it was: for what is kept of them outside of their table.

use carafe_model::value::Value;
use serde_json::{Value as Json, json};

/// Values as a JSON array. Floats are their bits, so that no digit is lost and none is taken for
/// an integer.
#[must_use]
pub fn to_json(values: &[Value]) -> Json {
    let value = |value: &Value| match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => json!(value),
        Value::Integer(value) => json!(value),
        Value::Number(value) => json!([value.to_bits()]),
        Value::Text(value) => json!(value),
    };
    values.iter().map(value).collect()
}

/// The values that [`to_json`] made an array of; `None` where it made none of it.
#[must_use]
pub fn from_json(array: &Json) -> Option<Vec<Value>> {
    let value = |value: &Json| {
        Some(match value {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Boolean(*value),
            Json::Number(number) => Value::Integer(number.as_i64()?),
            Json::Array(bits) => Value::Number(f64::from_bits(bits.first()?.as_u64()?)),
            Json::String(text) => Value::Text(text.clone()),
            Json::Object(_) => return None,
        })
    };
    array.as_array()?.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        let values = vec![
            Value::Null,
            Value::Boolean(true),
            Value::Integer(i64::MIN),
            Value::Number(1.0),
            Value::Number(0.1 + 0.2),
            Value::Text("é\"\n".to_owned()),
        ];
        let text = to_json(&values).to_string();
        let back = serde_json::from_str(&text)
            .ok()
            .and_then(|json| from_json(&json));
        assert_eq!(back, Some(values));
        assert_eq!(from_json(&json!([{}])), None);
        assert_eq!(from_json(&json!(5)), None);
    }
}
