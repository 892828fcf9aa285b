//! What proxies say of a client's connection, and which of them are believed.

use std::net::IpAddr;
use std::str::FromStr;

use http::{HeaderMap, HeaderName};

use crate::layers::Connection;
use crate::server::Peer;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Addresses of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. Those of
/// everybody else are not looked at, and `Forwarded` (RFC 7239) of nobody: most proxies pass on
/// what a client writes there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<Network>);

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    start: IpAddr,
    bits: u32,
}

impl Proxies {
    /// The connection of the client behind `peer`. `secure` says that it is encrypted whoever
    /// asks.
    #[must_use]
    pub fn connection(&self, peer: Peer, headers: &HeaderMap, secure: bool) -> Connection {
        let near = peer.remote.ip().to_canonical();
        let is_proxy = self.has(near);
        Connection {
            secure: secure || peer.is_encrypted || (is_proxy && says_https(headers)),
            local: Some(peer.local.ip()),
            client: Some(match is_proxy {
                true => self.client(near, headers),
                false => near,
            }),
        }
    }

    /// The last address in `X-Forwarded-For` that is no proxy's: what stands before it may be
    /// written by the client itself. Where something else stands there, that is as far as one
    /// can see.
    fn client(&self, near: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = near;
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        for element in lines.flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b',')) {
            let text = std::str::from_utf8(element).unwrap_or_default();
            let Some(address) = address(text.trim()) else {
                return client;
            };
            client = address;
            if !self.has(client) {
                return client;
            }
        }
        client
    }

    fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.has(address))
    }
}

/// Whether the proxy next to us says that it was spoken to by https.
fn says_https(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(FORWARDED_PROTO).iter();
    let last = lines.next_back().map_or(&b""[..], |line| line.as_bytes());
    let last = last.rsplit(|&byte| byte == b',').next().unwrap_or_default();
    last.trim_ascii().eq_ignore_ascii_case(b"https")
}

/// An address, also with a port: `192.0.2.1:80`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.split(']').next());
    let with_port = || text.parse().map(|socket: std::net::SocketAddr| socket.ip());
    let address = bare.unwrap_or(text).parse().or_else(|_| with_port());
    address.ok().map(|address: IpAddr| address.to_canonical())
}

impl FromStr for Proxies {
    type Err = String;

    /// Addresses and networks, with commas between: `127.0.0.1, 10.0.0.0/8, fd00::/8`.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no address or network, such as 127.0.0.1 or 10.0.0.0/8");
        let (start, bits) = match text.split_once('/') {
            Some((start, bits)) => (start, Some(bits)),
            None => (text, None),
        };
        let start: IpAddr = start.parse().map_err(|_| wrong())?;
        let bits_max = width(start);
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= bits_max),
            None => Some(bits_max),
        };
        let network = Self {
            start,
            bits: bits.ok_or_else(wrong)?,
        };
        let host = number(start).checked_shl(network.bits_before_host());
        match host {
            None | Some(0) => Ok(network),
            Some(_) => Err(format!(
                "{text:?} has bits behind the first {}",
                network.bits
            )),
        }
    }
}

impl Network {
    fn has(self, address: IpAddr) -> bool {
        let shift = 128 - self.bits_before_host();
        let start = |address| number(address).checked_shr(shift).unwrap_or(0);
        width(address) == width(self.start) && start(address) == start(self.start)
    }

    /// The bits of the network in [`number`].
    fn bits_before_host(self) -> u32 {
        128 - width(self.start) + self.bits
    }
}

fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn proxies() -> Proxies {
        "127.0.0.1, 10.0.0.0/8,::1,fd00::/8".parse().unwrap()
    }

    #[test]
    fn networks_are_addresses_that_begin_alike() {
        let cases = [
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("::1", true),
            ("fdff::1", true),
            ("fe00::1", false),
            ("::7f00:1", false),
        ];
        for (text, expected) in cases {
            assert_eq!(proxies().has(text.parse().unwrap()), expected, "{text}");
        }
        let all: Proxies = "0.0.0.0/0".parse().unwrap();
        assert!(all.has("192.0.2.1".parse().unwrap()));
        assert!(!all.has("::1".parse().unwrap()));
        let all: Proxies = "::/0".parse().unwrap();
        assert!(all.has("ff00::1".parse().unwrap()));
        assert_eq!("".parse(), Ok(Proxies::default()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0",
            "proxy",
            "::/129",
            "/8",
            "10.0.0.0/-1",
        ] {
            let error = text.parse::<Proxies>().unwrap_err();
            assert!(error.contains("no address or network"), "{text}: {error}");
        }
        for text in ["10.0.0.1/8", "fd00::1/64", "10.0.0.128/24"] {
            let error = text.parse::<Proxies>().unwrap_err();
            assert!(error.contains("has bits behind"), "{text}: {error}");
        }
    }

    fn connection(remote: &str, fields: &[(HeaderName, &str)]) -> Connection {
        let peer = Peer {
            remote: (remote.parse::<IpAddr>().unwrap(), 1000).into(),
            local: ([127, 0, 0, 1], 80).into(),
            is_encrypted: false,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        proxies().connection(peer, &headers, false)
    }

    #[test]
    fn the_client_is_the_last_that_no_proxy_is() {
        let cases: [(&str, &[&str], &str); 13] = [
            // Not a proxy: whatever it says.
            ("192.0.2.9", &["198.51.100.1"], "192.0.2.9"),
            ("::ffff:192.0.2.9", &["198.51.100.1"], "192.0.2.9"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            // Forged by the client, then the client, then a proxy.
            (
                "127.0.0.1",
                &["1.1.1.1, 198.51.100.1,10.0.0.7"],
                "198.51.100.1",
            ),
            (
                "127.0.0.1",
                &["1.1.1.1", "198.51.100.1", "10.0.0.7"],
                "198.51.100.1",
            ),
            ("127.0.0.1", &["10.0.0.3, 10.0.0.7"], "10.0.0.3"),
            ("127.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("127.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("127.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            // As far as one can see.
            (
                "127.0.0.1",
                &["198.51.100.1, unknown, 10.0.0.7"],
                "10.0.0.7",
            ),
            ("127.0.0.1", &["\"', "], "127.0.0.1"),
        ];
        for (remote, lines, expected) in cases {
            let fields: Vec<_> = lines.iter().map(|line| (FORWARDED_FOR, *line)).collect();
            let client = connection(remote, &fields).client;
            assert_eq!(
                client,
                Some(expected.parse().unwrap()),
                "{remote} {lines:?}"
            );
        }
    }

    #[test]
    fn https_is_believed_from_proxies_only() {
        let cases = [
            ("127.0.0.1", "https", true),
            ("127.0.0.1", "HTTPS", true),
            ("127.0.0.1", "https, http", false),
            ("127.0.0.1", "http", false),
            ("192.0.2.9", "https", false),
        ];
        for (remote, value, expected) in cases {
            let secure = connection(remote, &[(FORWARDED_PROTO, value)]).secure;
            assert_eq!(secure, expected, "{remote} {value}");
        }
        assert!(!connection("127.0.0.1", &[]).secure);
    }
}
