//! The address under which a client knows this server.

use std::net::IpAddr;

use crate::call::Call;
use crate::wire;

/// Scheme and authority for absolute addresses: the public URL, else the connection's scheme
/// with a `Host` that cannot mislead: a loopback name, or the address that was bound. `None`
/// where neither holds; then addresses are paths.
#[must_use]
pub fn of(call: &Call) -> Option<String> {
    if let Some(url) = &call.app.public_url {
        return Some(url.clone());
    }
    let host = wire::host(&call.parts.uri, call.headers())?;
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    let loopback = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    let bound = call.local.is_some_and(|local| match local {
        IpAddr::V4(local) => name == local.to_string(),
        IpAddr::V6(local) => name == format!("[{local}]"),
    });
    let scheme = if call.secure { "https" } else { "http" };
    (loopback || bound).then(|| format!("{scheme}://{host}"))
}
