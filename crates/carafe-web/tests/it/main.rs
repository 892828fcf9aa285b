//! The server on the wire: raw sockets against a trivial handler.

#![expect(
    clippy::unwrap_used,
    reason = "clippy does not see that helpers outside test functions are tests too"
)]

mod client;
mod http1;
mod http2;
mod limits;
mod stop;
