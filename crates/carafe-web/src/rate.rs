//! How many requests a client may send: the generic cell rate algorithm (ITU-T I.371), which lets
//! a client use its whole quota at once and gives it back evenly, with one number a client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use carafe_model::schema::{Limits, Rate};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::error::{Kind, Problem};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Clients that are remembered, in 7 MB. Further ones are not counted while there are so
/// many that have sent a request within the time of the rate.
pub const CLIENTS_MAX: usize = 200_000;

/// The rates of an application. Every process counts for itself.
#[derive(Debug, Default)]
pub struct Rates {
    requests: Option<Limiter>,
    writes: Option<Limiter>,
    /// `RateLimit-Policy` of every answer.
    policy: Option<HeaderValue>,
}

impl Rates {
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let policies = [("requests", limits.rate), ("writes", limits.write_rate)];
        let policies = policies.into_iter().filter_map(|(name, rate)| {
            let Rate { requests, period } = rate?;
            Some(format!("\"{name}\";q={requests};w={}", period.as_secs()))
        });
        let policies: Vec<String> = policies.collect();
        Self {
            requests: limits.rate.map(Limiter::new),
            writes: limits.write_rate.map(Limiter::new),
            policy: (!policies.is_empty()).then(|| value(&policies.join(", "))),
        }
    }

    /// Counts a request of a client, if it is known. A write counts as a request, too.
    #[must_use]
    pub fn admit(&self, client: Option<IpAddr>, method: &Method) -> Admission {
        let (Some(client), Some(_)) = (client, &self.policy) else {
            return Admission::default();
        };
        let count = |limiter: &Limiter| limiter.admit(client, limiter.started.elapsed());
        let mut standings = Standings {
            requests: self.requests.as_ref().map(count),
            writes: None,
        };
        let is_write = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        if is_write && standings.refused().is_none() {
            standings.writes = self.writes.as_ref().map(count);
        }
        Admission(Some(Box::new(standings)))
    }

    /// Tells a client where it stands (draft-ietf-httpapi-ratelimit-headers-10).
    pub fn set(&self, admission: &Admission, headers: &mut HeaderMap) {
        let Some(policy) = &self.policy else { return };
        headers.insert(RATE_LIMIT_POLICY, policy.clone());
        let standings = admission.0.as_ref();
        if let Some(text) = standings.and_then(|standings| standings.to_field()) {
            headers.insert(RATE_LIMIT, value(&text));
        }
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("names and numbers")
}

/// What became of a request that was counted. Boxed: where nothing is, the state of a request is
/// no larger for it.
#[derive(Debug, Default)]
pub struct Admission(Option<Box<Standings>>);

/// Where a client stands after a request, by each rate that holds for it.
#[derive(Debug)]
struct Standings {
    requests: Option<Standing>,
    writes: Option<Standing>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Admitted {
        remaining: u32,
        /// Until the whole quota is there again.
        seconds: u32,
    },
    Refused {
        /// Until one more request is admitted.
        seconds: u32,
    },
}

impl Admission {
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.seconds().is_some()
    }

    /// What is said of a refusal.
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        let seconds = self.seconds().unwrap_or(0);
        let unit = if seconds == 1 { "second" } else { "seconds" };
        let problem = Problem::new(
            Kind::RateLimited,
            StatusCode::TOO_MANY_REQUESTS,
            "Too many requests",
        );
        let problem = problem.detail(format!("Too many requests; try again in {seconds} {unit}"));
        problem.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Until one more request is admitted, where this one is not.
    fn seconds(&self) -> Option<u32> {
        let refused = self.0.as_ref()?.refused();
        refused.map(|(_, seconds)| seconds)
    }
}

impl Standings {
    /// The rate that refuses, and the seconds until it does not.
    fn refused(&self) -> Option<(&'static str, u32)> {
        self.standings()
            .find_map(|(name, standing)| match standing {
                Standing::Refused { seconds } => Some((name, seconds)),
                Standing::Admitted { .. } => None,
            })
    }

    fn standings(&self) -> impl Iterator<Item = (&'static str, Standing)> {
        let all = [("requests", self.requests), ("writes", self.writes)];
        all.into_iter()
            .filter_map(|(name, standing)| Some((name, standing?)))
    }

    /// Of a refusal only the rate that refuses: `Retry-After` is not to be earlier than a reset
    /// that is named beside it.
    fn to_field(&self) -> Option<String> {
        if let Some((name, seconds)) = self.refused() {
            return Some(format!("\"{name}\";r=0;t={seconds}"));
        }
        let items = self.standings().map(|(name, standing)| match standing {
            Standing::Admitted { remaining, seconds } => {
                format!("\"{name}\";r={remaining};t={seconds}")
            }
            Standing::Refused { seconds } => format!("\"{name}\";r=0;t={seconds}"),
        });
        let items: Vec<String> = items.collect();
        (!items.is_empty()).then(|| items.join(", "))
    }
}

/// One rate, and how much of it each client has used.
#[derive(Debug)]
struct Limiter {
    started: Instant,
    /// Nanoseconds after which a request is given back.
    step: u64,
    /// Nanoseconds after which all are.
    window: u64,
    clients: Mutex<Clients>,
}

/// When the whole quota of each client is there again, in nanoseconds since the start.
#[derive(Debug, Default)]
struct Clients {
    full_at: HashMap<u128, u64>,
    /// So many are looked through for those that can be forgotten.
    sweep_at: usize,
    /// When that was done last.
    swept: u64,
}

impl Limiter {
    fn new(rate: Rate) -> Self {
        let period = nanoseconds(rate.period);
        let step = (period / u64::from(rate.requests)).max(1);
        Self {
            started: Instant::now(),
            step,
            window: step * u64::from(rate.requests),
            clients: Mutex::default(),
        }
    }

    /// Counts a request at a time since the start, unless it is refused.
    fn admit(&self, client: IpAddr, now: std::time::Duration) -> Standing {
        let now = nanoseconds(now);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(full_at) = clients.of(client, now) else {
            return self.standing(self.step);
        };
        let used = full_at.saturating_sub(now) + self.step;
        if used > self.window {
            return Standing::Refused {
                seconds: seconds(used - self.window),
            };
        }
        *full_at = now + used;
        self.standing(used)
    }

    fn standing(&self, used: u64) -> Standing {
        let remaining = (self.window - used) / self.step;
        Standing::Admitted {
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            seconds: seconds(used),
        }
    }
}

impl Clients {
    const SWEEP_MIN: usize = 1000;

    /// Nanoseconds between two looks at as many as can be.
    const SWEEP_INTERVAL: u64 = 1_000_000_000;

    /// What is known of a client; `None` where it is new and there are too many.
    fn of(&mut self, client: IpAddr, now: u64) -> Option<&mut u64> {
        let key = key(client);
        let rested = now.saturating_sub(self.swept) >= Self::SWEEP_INTERVAL;
        let sweep_at = self.sweep_at.max(Self::SWEEP_MIN);
        if self.full_at.len() >= sweep_at || (rested && self.full_at.len() >= CLIENTS_MAX) {
            // Who has the whole quota again is as good as new.
            self.full_at.retain(|_, full_at| *full_at > now);
            self.full_at.shrink_to(Self::SWEEP_MIN);
            (self.sweep_at, self.swept) = (self.full_at.len() * 2, now);
        }
        if self.full_at.len() >= CLIENTS_MAX && !self.full_at.contains_key(&key) {
            return None;
        }
        Some(self.full_at.entry(key).or_insert(now))
    }
}

/// An address of IPv4, or the network of one of IPv6: a client has 64 bits for itself.
fn key(client: IpAddr) -> u128 {
    match client.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

fn nanoseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Rounded up: who waits so long has waited long enough.
fn seconds(nanoseconds: u64) -> u32 {
    u32::try_from(nanoseconds.div_ceil(1_000_000_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limiter(requests: u32, seconds: u64) -> Limiter {
        Limiter::new(Rate {
            requests,
            period: Duration::from_secs(seconds),
        })
    }

    fn admitted(remaining: u32, seconds: u32) -> Standing {
        Standing::Admitted { remaining, seconds }
    }

    #[test]
    fn a_quota_can_be_used_at_once_and_comes_back_evenly() {
        let limiter = limiter(3, 60);
        let ann = "192.0.2.1".parse().unwrap();
        let bob = "192.0.2.2".parse().unwrap();
        for (client, milliseconds, expected) in [
            (ann, 0, admitted(2, 20)),
            (ann, 0, admitted(1, 40)),
            (ann, 0, admitted(0, 60)),
            (ann, 1, Standing::Refused { seconds: 20 }),
            (ann, 19_001, Standing::Refused { seconds: 1 }),
            // A refusal costs nothing.
            (ann, 20_000, admitted(0, 60)),
            (bob, 20_000, admitted(2, 20)),
            (ann, 20_000, Standing::Refused { seconds: 20 }),
            (ann, 60_000, admitted(1, 40)),
            (ann, 200_000, admitted(2, 20)),
        ] {
            let standing = limiter.admit(client, Duration::from_millis(milliseconds));
            assert_eq!(standing, expected, "{client} at {milliseconds} ms");
        }
    }

    #[test]
    fn who_waits_as_told_is_admitted() {
        for (requests, period) in [(1, 1), (7, 60), (1_000_000, 1), (3, 3600), (999_983, 3600)] {
            let limiter = limiter(requests, period);
            let client = "::1".parse().unwrap();
            let mut sent = 0;
            let wait = loop {
                match limiter.admit(client, Duration::ZERO) {
                    Standing::Admitted { .. } => sent += 1,
                    Standing::Refused { seconds } => break seconds,
                }
            };
            assert_eq!(sent, requests, "{requests} in {period} s");
            assert!(wait >= 1);
            let later = limiter.admit(client, Duration::from_secs(wait.into()));
            assert!(matches!(later, Standing::Admitted { .. }), "{later:?}");
        }
    }

    #[test]
    fn a_network_of_64_bits_is_one_client() {
        let cases = [
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("0.0.0.1", "::1", false),
        ];
        for (one, other, expected) in cases {
            let [one, other] = [one, other].map(|text| key(text.parse().unwrap()));
            assert_eq!(one == other, expected, "{one:x} {other:x}");
        }
    }

    #[test]
    fn clients_are_forgotten_and_their_number_has_a_limit() {
        let limiter = limiter(1, 60);
        let client = |number: u32| IpAddr::from(number.to_be_bytes());
        let known = || limiter.clients.lock().unwrap().full_at.len();
        for number in 0..CLIENTS_MAX as u32 + 10 {
            limiter.admit(client(number), Duration::ZERO);
        }
        assert_eq!(known(), CLIENTS_MAX);
        let refused = limiter.admit(client(7), Duration::ZERO);
        assert_eq!(refused, Standing::Refused { seconds: 60 });
        // Newcomers are let in.
        let other = limiter.admit(client(u32::MAX), Duration::ZERO);
        assert_eq!(other, admitted(0, 60));
        for number in 0..CLIENTS_MAX as u32 {
            limiter.admit(client(number), Duration::from_secs(60 + u64::from(number)));
        }
        assert!(known() <= 2 * Clients::SWEEP_MIN, "{}", known());
    }

    #[test]
    fn a_write_counts_twice_and_its_refusal_names_one_rate() {
        let rates = Rates::new(&Limits {
            rate: Some(Rate {
                requests: 100,
                period: Duration::from_secs(60),
            }),
            write_rate: Some(Rate {
                requests: 1,
                period: Duration::from_secs(3600),
            }),
            ..Limits::default()
        });
        let client = Some("192.0.2.1".parse().unwrap());
        let mut fields = HeaderMap::new();
        let mut send = |method: Method| {
            let admission = rates.admit(client, &method);
            rates.set(&admission, &mut fields);
            let text = fields[RATE_LIMIT].to_str().unwrap().to_owned();
            let refusal = admission
                .is_refused()
                .then(|| admission.to_problem().headers);
            (refusal, text)
        };
        assert_eq!(
            send(Method::GET),
            (None, "\"requests\";r=99;t=1".to_owned())
        );
        let (refused, text) = send(Method::POST);
        assert_eq!(refused, None);
        assert_eq!(text, "\"requests\";r=98;t=2, \"writes\";r=0;t=3600");
        let (refused, text) = send(Method::DELETE);
        let retry = vec![(RETRY_AFTER, HeaderValue::from(3600))];
        assert_eq!(refused, Some(retry));
        assert_eq!(text, "\"writes\";r=0;t=3600");
        assert_eq!(
            fields[RATE_LIMIT_POLICY],
            "\"requests\";q=100;w=60, \"writes\";q=1;w=3600"
        );
    }

    #[test]
    fn without_a_rate_nothing_is_said() {
        let rates = Rates::new(&Limits::default());
        let mut fields = HeaderMap::new();
        let admission = rates.admit(Some("::1".parse().unwrap()), &Method::POST);
        rates.set(&admission, &mut fields);
        assert!(!admission.is_refused() && fields.is_empty());
    }
}
