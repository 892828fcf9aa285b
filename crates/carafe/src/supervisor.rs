//! What systemd, or who speaks like it, gives to the processes that it starts, and what it wants
//! to know of them.

use std::net::TcpListener;

use anyhow::{Context, Result, bail};

/// The sockets that were opened for this process, which listen already: `LISTEN_FDS` and
/// `LISTEN_PID`, sd_listen_fds(3). None where it was started by hand.
///
/// # Errors
///
/// Where one is no socket of TCP.
pub(crate) fn sockets() -> Result<Vec<TcpListener>> {
    let mut given = listenfd::ListenFd::from_env();
    let mut sockets = Vec::with_capacity(given.len());
    for position in 0..given.len() {
        let socket = given
            .take_tcp_listener(position)
            .with_context(|| format!("use socket {position} of LISTEN_FDS"))?;
        match socket {
            Some(socket) => sockets.push(socket),
            None => bail!("socket {position} of LISTEN_FDS is not there"),
        }
    }
    Ok(sockets)
}

/// Tells the supervisor of a state, such as `READY=1`, where it wants to know: `NOTIFY_SOCKET`,
/// sd_notify(3).
#[cfg(target_os = "linux")]
pub(crate) fn tell(state: &str) {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    #[expect(
        clippy::disallowed_methods,
        reason = "it is no setting: systemd sets it"
    )]
    let Ok(place) = std::env::var("NOTIFY_SOCKET") else {
        return;
    };
    let address = match place.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&place),
    };
    let told = address
        .and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = told {
        tracing::warn!(%error, state, "Could not tell the supervisor");
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn tell(_: &str) {}
