//! JSON, in and out.

mod document;
mod encoder;
mod input;

pub use document::{read_value as read_member_value, typed_value, value_to_type, with_changes};
pub use encoder::{Encoder, write_string};
pub(crate) use input::{depth, give, keeps_digits};
pub use input::{read_input, read_member, read_patch, read_value};
