//! Request bodies, read whole and within limits.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Longer than the limit: 413.
    #[error("the body is longer than {bytes_max} bytes")]
    TooLarge { bytes_max: usize },
    /// Not there in time: 408.
    #[error("the body did not arrive in time")]
    TimedOut,
    /// It ended early, or its framing is wrong: 400.
    #[error("the body is incomplete or malformed")]
    Broken,
}

/// Reads all of `body`, at most `bytes_max` bytes, within `time_max`.
///
/// A length that is declared and too large is refused before anything is read, so a client that
/// sent `Expect: 100-continue` is told before it sends the body: the 100 goes out when a body is
/// first polled. Memory grows with what has arrived, not with what was declared. A body that
/// comes in one piece, as small ones do, is not copied. Trailers are dropped.
///
/// # Errors
///
/// Each [`Error`]. The rest of the body is then dropped unread; the server answers and closes.
pub async fn read<B>(body: B, bytes_max: usize, time_max: Duration) -> Result<Bytes, Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let declared = body.size_hint().lower();
    if usize::try_from(declared).map_or(true, |declared| declared > bytes_max) {
        return Err(Error::TooLarge { bytes_max });
    }
    match tokio::time::timeout(time_max, collect(body, bytes_max)).await {
        Ok(result) => result,
        Err(_) => Err(Error::TimedOut),
    }
}

async fn collect<B>(mut body: B, bytes_max: usize) -> Result<Bytes, Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Error::Broken)?.into_data() else {
            continue;
        };
        if first.len() + joined.len() + data.len() > bytes_max {
            return Err(Error::TooLarge { bytes_max });
        }
        if first.is_empty() && joined.is_empty() {
            first = data;
        } else {
            if joined.is_empty() {
                joined.reserve(first.len() + data.len());
                joined.extend_from_slice(&std::mem::take(&mut first));
            }
            joined.extend_from_slice(&data);
        }
    }
    Ok(if joined.is_empty() {
        first
    } else {
        joined.freeze()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::{Frame, SizeHint};

    use super::*;

    /// Frames, then an end, a fault, or nothing for ever.
    struct Script {
        frames: VecDeque<&'static str>,
        end: End,
        declared: u64,
    }

    #[derive(Clone, Copy)]
    enum End {
        Complete,
        Fault,
        Silence,
    }

    impl Body for Script {
        type Data = Bytes;
        type Error = ();

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, ()>>> {
            match (self.frames.pop_front(), self.end) {
                (Some(text), _) => Poll::Ready(Some(Ok(Frame::data(text.into())))),
                (None, End::Complete) => Poll::Ready(None),
                (None, End::Fault) => Poll::Ready(Some(Err(()))),
                (None, End::Silence) => Poll::Pending,
            }
        }

        fn size_hint(&self) -> SizeHint {
            let mut hint = SizeHint::new();
            hint.set_lower(self.declared);
            hint
        }
    }

    #[tokio::test]
    async fn bodies_are_read_within_their_limit() {
        let too_large = Err(Error::TooLarge { bytes_max: 6 });
        type Case = (
            &'static [&'static str],
            End,
            u64,
            Result<&'static str, Error>,
        );
        let cases: [Case; 9] = [
            (&[], End::Complete, 0, Ok("")),
            (&["abc"], End::Complete, 3, Ok("abc")),
            (&["abc", "", "def"], End::Complete, 0, Ok("abcdef")),
            (&["a", "b", "c"], End::Complete, 0, Ok("abc")),
            (&["abc", "defg"], End::Complete, 0, too_large),
            (&["abcdefg"], End::Silence, 0, too_large),
            (&[], End::Silence, 7, too_large),
            (&["abc"], End::Fault, 0, Err(Error::Broken)),
            (&["abc"], End::Silence, 0, Err(Error::TimedOut)),
        ];
        for (frames, end, declared, expected) in cases {
            let script = Script {
                frames: frames.iter().copied().collect(),
                end,
                declared,
            };
            let read = read(script, 6, Duration::from_millis(1)).await;
            let expected = expected.map(|text| Bytes::from_static(text.as_bytes()));
            assert_eq!(read, expected, "{frames:?}");
        }
    }
}
