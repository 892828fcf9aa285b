//! First pages, kept for those who ask again before anything is written.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use carafe_model::query::Total;
use carafe_service::record::State;

use crate::condition::EntityTag;

/// Pages at once, of all lists together. With one more all begin anew.
const PAGES_MAX: usize = 64;

/// The longest that is kept, with its query.
const PAGE_BYTES_MAX: usize = 64 * 1024;

/// Pages, all read from one state of the database. Whoever looks for one knows the state that
/// the database is in, so that no commit, of whatever process, is missed.
#[derive(Debug)]
pub struct Recent<P, S = State>(Mutex<Known<P, S>>);

#[derive(Debug)]
struct Known<P, S> {
    state: Option<S>,
    pages: Vec<(usize, String, P)>,
}

/// What can be kept: a cheap clone, but for its body.
pub trait Page: Clone {
    fn body(&mut self) -> &mut Bytes;
}

/// A page of a list as it is sent.
#[derive(Clone, Debug)]
pub struct List {
    pub(crate) body: Bytes,
    pub(crate) total: Total,
    pub(crate) tag: EntityTag,
}

impl Page for List {
    fn body(&mut self) -> &mut Bytes {
        &mut self.body
    }
}

/// A page for people.
impl Page for Bytes {
    fn body(&mut self) -> &mut Bytes {
        self
    }
}

impl<P, S> Default for Recent<P, S> {
    fn default() -> Self {
        Self(Mutex::new(Known {
            state: None,
            pages: Vec::new(),
        }))
    }
}

impl<P: Page, S: Copy + PartialEq> Recent<P, S> {
    /// The page of the resource at a position that `query` asks for, if it was read from `state`.
    pub(crate) fn get(&self, resource: usize, query: &str, state: S) -> Option<P> {
        let known = self.lock();
        if known.state != Some(state) {
            return None;
        }
        known.find(resource, query).cloned()
    }

    /// Keeps a page that was read from `state` or a later one, in place of those of another.
    pub(crate) fn put(&self, resource: usize, query: &str, state: S, page: &P) {
        let mut page = page.clone();
        let body = page.body();
        if body.len() + query.len() > PAGE_BYTES_MAX {
            return;
        }
        // Without the room that it had to grow.
        *body = Bytes::copy_from_slice(body);
        let mut known = self.lock();
        if known.state != Some(state) || known.pages.len() >= PAGES_MAX {
            known.pages.clear();
            known.state = Some(state);
        }
        if known.find(resource, query).is_none() {
            known.pages.push((resource, query.to_owned(), page));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known<P, S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P, S> Known<P, S> {
    fn find(&self, resource: usize, query: &str) -> Option<&P> {
        let mut pages = self.pages.iter();
        let found = pages.find(|(of, known, _)| *of == resource && known == query);
        found.map(|(_, _, page)| page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pages = Recent<Bytes, u8>;

    fn page(body: &[u8]) -> Bytes {
        Bytes::copy_from_slice(body)
    }

    fn found(recent: &Pages, query: &str, state: u8) -> Option<Bytes> {
        recent.get(0, query, state)
    }

    #[test]
    fn a_page_is_there_in_its_state_only() {
        let recent = Pages::default();
        assert_eq!(found(&recent, "", 1), None);
        recent.put(0, "", 1, &page(b"one"));
        recent.put(0, "sort=-id", 1, &page(b"two"));
        recent.put(0, "", 1, &page(b"the same again"));
        assert_eq!(found(&recent, "", 1).as_deref(), Some(&b"one"[..]));
        assert_eq!(found(&recent, "sort=-id", 1).as_deref(), Some(&b"two"[..]));
        assert_eq!(found(&recent, "sort=id", 1), None);
        assert!(recent.get(1, "", 1).is_none());
        assert_eq!(found(&recent, "", 2), None);
        recent.put(0, "sort=id", 2, &page(b"three"));
        assert_eq!(found(&recent, "", 2), None);
        assert_eq!(found(&recent, "", 1), None);
        assert_eq!(found(&recent, "sort=id", 2).as_deref(), Some(&b"three"[..]));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let recent = Pages::default();
        recent.put(0, "long", 1, &page(&vec![b'x'; PAGE_BYTES_MAX + 1]));
        assert_eq!(found(&recent, "long", 1), None);
        let query = "x".repeat(PAGE_BYTES_MAX);
        recent.put(0, &query, 1, &page(b"x"));
        assert_eq!(found(&recent, &query, 1), None);
        for number in 0..100 {
            recent.put(
                0,
                &number.to_string(),
                1,
                &page(&vec![b'x'; PAGE_BYTES_MAX - 2]),
            );
            assert!(recent.lock().pages.len() <= PAGES_MAX);
            assert!(found(&recent, &number.to_string(), 1).is_some());
        }
    }
}
