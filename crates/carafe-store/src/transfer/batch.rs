//! Reading a table batch by batch, in bounded memory.

use carafe_model::value::Value;

use crate::error::Result;
use crate::transaction::Transaction;

use super::sheet::Sheet;

/// The most rows of a batch.
const ROWS_MAX: u32 = 2000;

/// Rows of the first batch: how large they are is not known yet.
const ROWS_FIRST: u32 = 64;

/// Bytes of text at which a batch ends.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// The rows of a table in the order of their key.
pub(super) struct Batches<'s> {
    sheet: &'s Sheet<'s>,
    /// The key of the last row that was read.
    after: Option<Vec<Value>>,
    rows: u32,
}

impl<'s> Batches<'s> {
    pub(super) fn new(sheet: &'s Sheet<'s>) -> Self {
        Self {
            sheet,
            after: None,
            rows: ROWS_FIRST,
        }
    }

    /// The next rows; none at the end.
    pub(super) async fn next(&mut self, tx: &mut impl Transaction) -> Result<Vec<Vec<Value>>> {
        let select = self.sheet.select(self.after.as_deref(), self.rows);
        let rows = tx.rows_up_to(&select, BYTES_MAX).await?;
        if let Some(last) = rows.last() {
            self.after = Some(last[..self.sheet.key].to_vec());
        }
        let bytes: usize = rows.iter().flatten().map(Value::text_bytes).sum();
        // What is asked for beyond the limit is made and sent in vain.
        self.rows = match bytes {
            bytes if bytes >= BYTES_MAX => u32::try_from(rows.len()).unwrap_or(ROWS_MAX).max(1),
            bytes if bytes < BYTES_MAX / 4 => (self.rows * 2).min(ROWS_MAX),
            _ => self.rows,
        };
        Ok(rows)
    }
}
