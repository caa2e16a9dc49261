//! A stream of bytes that is filled by hand: rivals ask for one, and a bench has no socket.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_core::Stream;

/// The end that a rival reads from.
#[derive(Clone, Default)]
pub(crate) struct Feed(Rc<State>);

#[derive(Default)]
struct State {
    chunk: RefCell<Option<Bytes>>,
    closed: Cell<bool>,
}

impl Feed {
    /// Puts in the next chunk.
    pub(crate) fn put(&self, chunk: &Bytes) {
        *self.0.chunk.borrow_mut() = Some(chunk.clone());
    }

    /// The body has ended.
    pub(crate) fn close(&self) {
        self.0.closed.set(true);
    }
}

impl Stream for Feed {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.0.chunk.borrow_mut().take() {
            Some(chunk) => Poll::Ready(Some(Ok(chunk))),
            None if self.0.closed.get() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

/// Takes from `stream` all that is there. False after an error.
pub(crate) fn drain<S, T, E>(stream: &mut S, mut each: impl FnMut(T)) -> bool
where
    S: Stream<Item = Result<T, E>> + Unpin,
{
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match Pin::new(&mut *stream).poll_next(&mut context) {
            Poll::Ready(Some(Ok(item))) => each(item),
            Poll::Ready(Some(Err(_))) => return false,
            Poll::Ready(None) | Poll::Pending => return true,
        }
    }
}
