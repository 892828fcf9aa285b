//! Header fields that say of an address that clients are to leave it: `Deprecation` (RFC 9745),
//! `Sunset` (RFC 8594), and `Link` to where that is explained.

use carafe_model::deprecation::Deprecation;
use carafe_model::resource::Resource;
use carafe_model::schema::Schema;
use http::header::LINK;
use http::{HeaderMap, HeaderName, HeaderValue};

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// The fields of one deprecation; none of what is not deprecated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(HeaderName, HeaderValue)>);

impl Fields {
    /// Those of a resource under a prefix: its own, else the prefix's.
    #[must_use]
    pub fn of(schema: &Schema, prefix: &str, resource: Option<&Resource>) -> Self {
        let of_resource = resource.and_then(|resource| resource.deprecated.as_ref());
        let deprecation = of_resource.or_else(|| schema.deprecation_of(prefix));
        deprecation.map(Self::new).unwrap_or_default()
    }

    fn new(deprecation: &Deprecation) -> Self {
        let mut fields = vec![(DEPRECATION, value(&format!("@{}", deprecation.since)))];
        let sunset = deprecation.sunset.and_then(http_date);
        let link = |relation| {
            let target = deprecation.link.as_ref()?;
            Some((LINK, value(&format!("<{target}>; rel=\"{relation}\""))))
        };
        fields.extend(link("deprecation"));
        if let Some(sunset) = sunset {
            fields.push((SUNSET, value(&sunset)));
            fields.extend(link("sunset"));
        }
        Self(fields)
    }

    /// Adds them to an answer. What is linked to already stays.
    pub fn add(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            headers.append(name, value.clone());
        }
    }
}

/// RFC 9110, section 5.6.7.
fn http_date(seconds: i64) -> Option<String> {
    let moment = jiff::Timestamp::from_second(seconds).ok()?;
    Some(moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("dates, and links that the declaration checks")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_their_own_forms_of_dates() {
        let deprecation = Deprecation {
            since: 1_767_225_600,
            sunset: Some(1_798_761_599),
            link: Some("https://example.org/v2".to_owned()),
        };
        let mut headers = HeaderMap::new();
        Fields::new(&deprecation).add(&mut headers);
        assert_eq!(headers["deprecation"], "@1767225600");
        assert_eq!(headers["sunset"], "Thu, 31 Dec 2026 23:59:59 GMT");
        let links: Vec<_> = headers.get_all(LINK).iter().collect();
        assert_eq!(
            links,
            [
                "<https://example.org/v2>; rel=\"deprecation\"",
                "<https://example.org/v2>; rel=\"sunset\""
            ]
        );
    }
}
