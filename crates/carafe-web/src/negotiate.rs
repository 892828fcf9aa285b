//! Which representation a client prefers: media type and content coding (RFC 9110 §12.5).

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderValue};

use crate::field_value;

/// A weight in thousandths: 0 is "not acceptable", 1000 the default.
type Quality = u16;

const QUALITY_MAX: Quality = 1000;

/// How much a client likes each media type that Carafe answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept {
    json: Quality,
    problem: Quality,
    html: Quality,
}

impl Accept {
    const ANYTHING: Accept = Accept {
        json: QUALITY_MAX,
        problem: QUALITY_MAX,
        html: QUALITY_MAX,
    };

    /// Reads the `Accept` field (RFC 9110 §12.5.1). The most specific range that matches a type
    /// gives its weight. What is no media range is skipped; if nothing is left, or the field is
    /// missing, everything is acceptable.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        // Most programs say nothing, or this.
        match headers.get(ACCEPT) {
            None => return Self::ANYTHING,
            Some(line) if line == "*/*" && is_single(headers) => return Self::ANYTHING,
            Some(_) => {}
        }
        let mut json = Best::new(b"application", b"json");
        let mut problem = Best::new(b"application", b"problem+json");
        let mut html = Best::new(b"text", b"html");
        let mut any_range = false;
        for range in field_value::elements(headers, &ACCEPT).filter_map(Range::parse) {
            any_range = true;
            json.consider(&range);
            problem.consider(&range);
            html.consider(&range);
        }
        if !any_range {
            return Self::ANYTHING;
        }
        Self {
            json: json.quality,
            problem: problem.quality,
            html: html.quality,
        }
    }

    /// Whether an answer of the API may be sent. `application/problem+json` counts too:
    /// generated clients send just that where they expect no body.
    #[must_use]
    pub fn allows_json(self) -> bool {
        self.json > 0 || self.problem > 0
    }

    /// Whether a page may be sent.
    #[must_use]
    pub fn allows_html(self) -> bool {
        self.html > 0
    }

    /// Where one path is both API and page: whether the page is wanted. JSON wins ties, so
    /// `*/*` is JSON.
    #[must_use]
    pub fn prefers_html(self) -> bool {
        self.html > self.json.max(self.problem)
    }
}

fn is_single(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().nth(1).is_none()
}

struct Range<'a> {
    main: &'a [u8],
    sub: &'a [u8],
    parameters: Parameters,
    quality: Quality,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Parameters {
    None,
    Utf8,
    Unknown,
}

impl<'a> Range<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let mut parts = field_value::split(text, b';');
        let essence = parts.next()?;
        let (main, sub) = match essence.iter().position(|&byte| byte == b'/') {
            Some(slash) => (&essence[..slash], &essence[slash + 1..]),
            // Java's URLConnection sends `*; q=.2`.
            None if essence == b"*" => (essence, essence),
            None => return None,
        };
        if main.is_empty() || sub.is_empty() || (main == b"*" && sub != b"*") {
            return None;
        }
        let mut range = Range {
            main,
            sub,
            parameters: Parameters::None,
            quality: QUALITY_MAX,
        };
        for part in parts {
            let Some((name, value)) = field_value::parameter(part) else {
                continue;
            };
            if name.eq_ignore_ascii_case(b"q") {
                range.quality = parse_quality(&value)?;
                // What follows are extensions of the field, not parameters of the type.
                break;
            }
            let is_utf8 =
                name.eq_ignore_ascii_case(b"charset") && value.eq_ignore_ascii_case(b"utf-8");
            if !is_utf8 {
                range.parameters = Parameters::Unknown;
            } else if range.parameters == Parameters::None {
                range.parameters = Parameters::Utf8;
            }
        }
        Some(range)
    }

    /// How exactly the range names a type, 0 if not at all. A parameter that our types do not
    /// have (`version=1`) is no reason to refuse the client, but a range without it wins.
    fn specificity(&self, main: &[u8], sub: &[u8]) -> u8 {
        if self.main == b"*" {
            return 1;
        }
        if !self.main.eq_ignore_ascii_case(main) {
            return 0;
        }
        if self.sub == b"*" {
            return 2;
        }
        if !self.sub.eq_ignore_ascii_case(sub) {
            return 0;
        }
        match self.parameters {
            Parameters::Unknown => 3,
            Parameters::None => 4,
            Parameters::Utf8 => 5,
        }
    }
}

struct Best {
    main: &'static [u8],
    sub: &'static [u8],
    specificity: u8,
    quality: Quality,
}

impl Best {
    fn new(main: &'static [u8], sub: &'static [u8]) -> Self {
        Self {
            main,
            sub,
            specificity: 0,
            quality: 0,
        }
    }

    fn consider(&mut self, range: &Range<'_>) {
        let specificity = range.specificity(self.main, self.sub);
        if specificity > self.specificity {
            (self.specificity, self.quality) = (specificity, range.quality);
        } else if specificity == self.specificity && specificity > 0 {
            self.quality = self.quality.max(range.quality);
        }
    }
}

/// A weight of RFC 9110 §12.4.2, also without the leading zero (`.2`) and with more than three
/// digits, of which the rest is cut.
fn parse_quality(text: &[u8]) -> Option<Quality> {
    let point = text.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = text.split_at(point.unwrap_or(text.len()));
    let whole = match whole {
        b"0" => 0,
        b"" if fraction.len() > 1 => 0,
        b"1" => QUALITY_MAX,
        _ => return None,
    };
    let digits = fraction.get(1..).unwrap_or_default();
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let thousandths = (0..3).fold(0, |sum, place| {
        sum * 10
            + digits
                .get(place)
                .map_or(0, |digit| Quality::from(digit - b'0'))
    });
    Some((whole + thousandths).min(QUALITY_MAX))
}

/// A content coding that Carafe can apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    Identity,
    Gzip,
    Brotli,
    Zstd,
}

impl Coding {
    /// The codings that change the bytes, the one we like best first: zstd costs least for
    /// its size, and what every client knows comes last.
    pub const COMPRESSED: [Coding; 3] = [Coding::Zstd, Coding::Brotli, Coding::Gzip];

    /// The registered name, which is also what ends an entity tag.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Coding::Identity => "identity",
            Coding::Gzip => "gzip",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
        }
    }

    /// The value of `Content-Encoding`; identity has none.
    #[must_use]
    pub fn header_value(self) -> Option<HeaderValue> {
        match self {
            Coding::Identity => None,
            coding => Some(HeaderValue::from_static(coding.as_str())),
        }
    }

    fn parse(name: &[u8]) -> Option<Self> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        if is(b"gzip") || is(b"x-gzip") {
            Some(Coding::Gzip)
        } else if is(b"br") {
            Some(Coding::Brotli)
        } else if is(b"zstd") {
            Some(Coding::Zstd)
        } else if is(b"identity") {
            Some(Coding::Identity)
        } else {
            None
        }
    }
}

/// How much a client likes each content coding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptEncoding {
    identity: Option<Quality>,
    gzip: Option<Quality>,
    brotli: Option<Quality>,
    zstd: Option<Quality>,
    others: Option<Quality>,
}

impl AcceptEncoding {
    /// Reads the `Accept-Encoding` field (RFC 9110 §12.5.3). Unknown codings and what is no
    /// coding are skipped.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut accept = Self::default();
        for element in field_value::elements(headers, &ACCEPT_ENCODING) {
            accept.note(element);
        }
        accept
    }

    fn note(&mut self, element: &[u8]) -> Option<()> {
        let mut parts = field_value::split(element, b';');
        let name = parts.next()?;
        let mut quality = QUALITY_MAX;
        for part in parts {
            let (parameter, value) = field_value::parameter(part)?;
            if parameter.eq_ignore_ascii_case(b"q") {
                quality = parse_quality(&value)?;
            }
        }
        let slot = if name == b"*" {
            &mut self.others
        } else {
            match Coding::parse(name)? {
                Coding::Identity => &mut self.identity,
                Coding::Gzip => &mut self.gzip,
                Coding::Brotli => &mut self.brotli,
                Coding::Zstd => &mut self.zstd,
            }
        };
        *slot = Some(slot.map_or(quality, |before| before.max(quality)));
        Some(())
    }

    fn quality(&self, coding: Coding) -> Quality {
        let (own, unsaid) = match coding {
            // Acceptable unless refused, but liked less than anything that is asked for.
            Coding::Identity => (self.identity, 1),
            Coding::Gzip => (self.gzip, 0),
            Coding::Brotli => (self.brotli, 0),
            Coding::Zstd => (self.zstd, 0),
        };
        own.or(self.others).unwrap_or(unsaid)
    }

    /// Whether a response in `coding` may be sent. Identity may always: a client that refuses
    /// it and names nothing that we know gets an answer rather than none.
    #[must_use]
    pub fn allows(&self, coding: Coding) -> bool {
        coding == Coding::Identity || self.quality(coding) > 0
    }

    /// The coding to send.
    #[must_use]
    pub fn best(&self) -> Coding {
        let mut best = (Coding::Identity, 0);
        for coding in Coding::COMPRESSED {
            let quality = self.quality(coding);
            if quality > best.1 {
                best = (coding, quality);
            }
        }
        if self.quality(Coding::Identity) > best.1 {
            return Coding::Identity;
        }
        best.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accept(text: &str) -> Accept {
        Accept::of(&HeaderMap::from_iter([(
            ACCEPT,
            HeaderValue::from_str(text).unwrap(),
        )]))
    }

    fn encoding(text: &str) -> AcceptEncoding {
        AcceptEncoding::of(&HeaderMap::from_iter([(
            ACCEPT_ENCODING,
            HeaderValue::from_str(text).unwrap(),
        )]))
    }

    #[test]
    fn clients_get_what_they_ask_for() {
        // (client, Accept, JSON allowed, page allowed, page preferred)
        let cases = [
            (
                "Chrome",
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,\
                 image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
                true,
                true,
                true,
            ),
            (
                "Firefox",
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                true,
                true,
                true,
            ),
            ("curl, fetch and requests", "*/*", true, true, false),
            (
                "axios",
                "application/json, text/plain, */*",
                true,
                true,
                false,
            ),
            (
                "jQuery",
                "application/json, text/javascript, */*; q=0.01",
                true,
                true,
                false,
            ),
            (
                "Java",
                "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
                true,
                true,
                true,
            ),
            ("httpie", "application/json, */*;q=0.5", true, true, false),
            (
                "htmx",
                "text/html, application/json;q=0.5",
                true,
                true,
                true,
            ),
            (
                "OpenAPI Generator",
                "application/problem+json",
                true,
                false,
                false,
            ),
            ("an image tag", "image/png", false, false, false),
            (
                "Chrome's image tag",
                "image/avif,image/webp,image/*,*/*;q=0.8",
                true,
                true,
                false,
            ),
            ("stylesheet", "text/css,*/*;q=0.1", true, true, false),
            ("tie", "text/html, application/json", true, true, false),
            (
                "order does not count",
                "application/json;q=0.5, text/html",
                true,
                true,
                true,
            ),
            (
                "specific beats general",
                "application/json;q=0, */*",
                true,
                true,
                false,
            ),
            ("JSON refused", "application/*;q=0, */*", false, true, true),
            ("HTML refused", "text/html;q=0, */*", true, false, false),
            ("subtype any", "application/*", true, false, false),
            ("case", "Application/JSON", true, false, false),
            (
                "charset",
                "application/json; charset=utf-8",
                true,
                false,
                false,
            ),
            ("version", "application/json; version=1", true, false, false),
            ("vendor", "application/vnd.api+json", false, false, false),
            ("nonsense", "nonsense", true, true, false),
            ("bad weight", "text/html;q=x", true, true, false),
            ("empty", "", true, true, false),
            ("none at all", "*/*;q=0", false, false, false),
            ("quoted comma", "text/html;a=\"x,y\"", false, true, true),
        ];
        for (client, text, json, html, page) in cases {
            let accept = accept(text);
            assert_eq!(
                (
                    accept.allows_json(),
                    accept.allows_html(),
                    accept.prefers_html()
                ),
                (json, html, page),
                "{client}: {text}"
            );
        }
    }

    #[test]
    fn lines_are_joined_and_none_allows_all() {
        assert_eq!(Accept::of(&HeaderMap::new()), Accept::ANYTHING);
        let headers = HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static("*/*")),
            (ACCEPT, HeaderValue::from_static("application/json;q=0.1")),
        ]);
        let accept = Accept::of(&headers);
        assert_eq!((accept.json, accept.html), (100, 1000));
    }

    #[test]
    fn codings_are_chosen_by_weight_then_by_our_taste() {
        let cases = [
            ("gzip, deflate, br, zstd", Coding::Zstd),
            ("gzip, deflate, br", Coding::Brotli),
            ("gzip, deflate", Coding::Gzip),
            ("x-gzip", Coding::Gzip),
            ("GZIP", Coding::Gzip),
            ("gzip;q=1.0, br;q=0.5", Coding::Gzip),
            ("zstd;q=0, br;q=0.001", Coding::Brotli),
            ("identity", Coding::Identity),
            ("identity;q=0.5, gzip;q=0.2", Coding::Identity),
            ("identity;q=0", Coding::Identity),
            ("identity;q=0, gzip", Coding::Gzip),
            ("*;q=0", Coding::Identity),
            ("*", Coding::Zstd),
            ("*, zstd;q=0", Coding::Brotli),
            ("gzip;q=0, *;q=0", Coding::Identity),
            ("compress, dcb, sdch", Coding::Identity),
            ("gzip;q=2, br;q=x", Coding::Identity),
            ("", Coding::Identity),
            (";;q=1,,", Coding::Identity),
        ];
        for (text, expected) in cases {
            assert_eq!(encoding(text).best(), expected, "coding: {text:?}");
        }
        assert_eq!(
            AcceptEncoding::of(&HeaderMap::new()).best(),
            Coding::Identity
        );
    }

    #[test]
    fn weights_are_thousandths() {
        let cases = [
            ("0", Some(0)),
            ("0.", Some(0)),
            ("0.5", Some(500)),
            (".2", Some(200)),
            ("0.1234", Some(123)),
            ("1", Some(1000)),
            ("1.000", Some(1000)),
            ("1.5", Some(1000)),
            ("2", None),
            (".", None),
            ("", None),
            ("-1", None),
            ("0.x", None),
            ("1e0", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_quality(text.as_bytes()), expected, "weight: {text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_negotiated(text in proptest::collection::vec(32_u8..=255, 0..80)) {
            if let Ok(line) = HeaderValue::from_bytes(&text) {
                let headers = HeaderMap::from_iter([
                    (ACCEPT, line.clone()),
                    (ACCEPT_ENCODING, line),
                ]);
                let _ = Accept::of(&headers);
                let codings = AcceptEncoding::of(&headers);
                prop_assert!(codings.allows(codings.best()));
            }
        }
    }
}
