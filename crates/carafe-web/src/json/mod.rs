//! JSON, in and out.

mod document;
mod encoder;
mod input;
mod text;

pub use document::{read_value as read_member_value, typed_value, value_to_type, with_changes};
pub use encoder::Encoder;
pub(crate) use input::{depth, give, keeps_digits};
pub use input::{read_input, read_member, read_patch, read_value};
pub use text::{write_escaped, write_string};
