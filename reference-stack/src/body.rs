//! Bodies of responses: at hand, passed through from the tier below, or paced by a link.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::link::Paced;
use crate::peer::Answer;

#[derive(Debug)]
pub enum Body {
    Full(Full<Bytes>),
    Through(Answer),
    Paced(Box<Paced>),
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Full(Full::new(bytes))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::Full(Full::default())
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Full(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|never| match never {}))),
            Self::Through(body) => Pin::new(body).poll_frame(cx),
            Self::Paced(body) => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(body) => body.is_end_stream(),
            Self::Through(body) => body.is_end_stream(),
            Self::Paced(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(body) => body.size_hint(),
            Self::Through(body) => body.size_hint(),
            Self::Paced(body) => body.size_hint(),
        }
    }
}
