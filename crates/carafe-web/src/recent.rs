//! First pages of lists, kept for those who ask again before anything is written.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use carafe_model::query::Total;
use carafe_service::record::State;

use crate::condition::EntityTag;

/// Pages at once, of all lists together. With one more all begin anew.
const PAGES_MAX: usize = 64;

/// The longest that is kept, with its query.
const PAGE_BYTES_MAX: usize = 64 * 1024;

/// Pages of lists, all read from one state of the database. Whoever looks for one knows the
/// state that the database is in, so that no commit, of whatever process, is missed.
#[derive(Debug)]
pub struct Recent<S = State>(Mutex<Known<S>>);

#[derive(Debug)]
struct Known<S> {
    state: Option<S>,
    pages: Vec<(usize, String, Page)>,
}

/// A page as it is sent; a cheap clone.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) body: Bytes,
    pub(crate) total: Total,
    pub(crate) tag: EntityTag,
}

impl<S> Default for Recent<S> {
    fn default() -> Self {
        Self(Mutex::new(Known {
            state: None,
            pages: Vec::new(),
        }))
    }
}

impl<S: Copy + PartialEq> Recent<S> {
    /// The page of the resource at a position that `query` asks for, if it was read from `state`.
    pub(crate) fn get(&self, resource: usize, query: &str, state: S) -> Option<Page> {
        let known = self.lock();
        if known.state != Some(state) {
            return None;
        }
        known.find(resource, query).cloned()
    }

    /// Keeps a page that was read from `state` or a later one, in place of those of another.
    pub(crate) fn put(&self, resource: usize, query: &str, state: S, page: &Page) {
        if page.body.len() + query.len() > PAGE_BYTES_MAX {
            return;
        }
        // Without the room that it had to grow.
        let body = Bytes::copy_from_slice(&page.body);
        let page = Page {
            body,
            ..page.clone()
        };
        let mut known = self.lock();
        if known.state != Some(state) || known.pages.len() >= PAGES_MAX {
            known.pages.clear();
            known.state = Some(state);
        }
        if known.find(resource, query).is_none() {
            known.pages.push((resource, query.to_owned(), page));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Known<S> {
    fn find(&self, resource: usize, query: &str) -> Option<&Page> {
        let mut pages = self.pages.iter();
        let found = pages.find(|(of, known, _)| *of == resource && known == query);
        found.map(|(_, _, page)| page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(body: &[u8]) -> Page {
        Page {
            body: Bytes::copy_from_slice(body),
            total: Total::exact(1),
            tag: EntityTag::of_list(body, 1),
        }
    }

    fn found(recent: &Recent<u8>, query: &str, state: u8) -> Option<Bytes> {
        recent.get(0, query, state).map(|page| page.body)
    }

    #[test]
    fn a_page_is_there_in_its_state_only() {
        let recent = Recent::<u8>::default();
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
        let recent = Recent::<u8>::default();
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
