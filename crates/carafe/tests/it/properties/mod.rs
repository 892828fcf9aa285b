//! Laws that hold for whatever is sent.

mod any_bytes;
mod model;
