//! The body of an answer: whole, or in chunks as they are made.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::sync::mpsc;

/// What an answer carries.
#[derive(Debug)]
pub enum Content {
    Whole(Full<Bytes>),
    /// Of unknown length. Whoever makes the chunks waits while the client does not take them,
    /// and stops when nobody wants them any more.
    Chunks(mpsc::Receiver<Chunk>),
}

/// The next part of an answer, or that it ends here though it is not complete.
pub type Chunk = Result<Bytes, Incomplete>;

/// An answer broke off; its client sees that the connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer could not be made to its end")]
pub struct Incomplete;

/// Chunks that wait for the client.
const CHUNKS_MAX: usize = 2;

impl Content {
    /// Content in chunks, and where they are sent.
    #[must_use]
    pub fn channel() -> (mpsc::Sender<Chunk>, Self) {
        let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
        (sender, Content::Chunks(receiver))
    }
}

impl Default for Content {
    fn default() -> Self {
        Content::Whole(Full::default())
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Content::Whole(Full::new(bytes))
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Incomplete;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Incomplete>>> {
        match self.get_mut() {
            Content::Whole(full) => Pin::new(full)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Content::Chunks(chunks) => chunks
                .poll_recv(cx)
                .map(|chunk| chunk.map(|chunk| chunk.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Content::Whole(full) => full.is_end_stream(),
            Content::Chunks(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Content::Whole(full) => full.size_hint(),
            Content::Chunks(_) => SizeHint::default(),
        }
    }
}
