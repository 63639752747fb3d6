//! The parts of recent input documents that hang on a caller or an upstream alone, kept to be shared.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use postern_policy::Document;

/// How many are kept; a power of two.
const SEATS: usize = 64;

/// What was built of some values that never change, each found by the value itself and not by what it says. A value
/// that is gone leaves its seat to the next.
pub(super) struct Recent<T> {
    seats: RefCell<Vec<(Weak<T>, Document)>>,
}

impl<T> Recent<T> {
    pub(super) fn new() -> Self {
        Self { seats: RefCell::new(vec![(Weak::new(), Document::null()); SEATS]) }
    }

    /// The document of `of`, built if it is not kept.
    pub(super) fn document(&self, of: &Arc<T>, build: impl FnOnce(&T) -> Document) -> Document {
        let place = Arc::as_ptr(of);
        // Neighbours in memory take different seats.
        let seat = (place.addr() / align_of::<T>() / 8) % SEATS;
        let mut seats = self.seats.borrow_mut();
        let Some((kept, document)) = seats.get_mut(seat) else { return build(of) };
        // A weak pointer keeps its place from being given to another value.
        if !std::ptr::eq(kept.as_ptr(), place) {
            *document = build(of);
            *kept = Arc::downgrade(of);
        }
        document.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_keeps_its_own_document_however_many_come() {
        let recent = Recent::new();
        let values: Vec<Arc<u64>> = (0..1_000).map(Arc::new).collect();
        for _ in 0..2 {
            for value in &values {
                assert_eq!(recent.document(value, |it| Document::number(*it)), Document::number(**value));
            }
        }
    }

    #[test]
    fn what_is_kept_is_not_built_again() {
        let recent = Recent::new();
        let value = Arc::new(7);
        recent.document(&value, |it| Document::number(*it));

        assert_eq!(recent.document(&value, |_| panic!("built again")), Document::number(7));
    }

    #[test]
    fn a_value_that_takes_the_place_of_one_that_is_gone_has_its_own_document() {
        let recent = Recent::new();
        for number in 0..10_000_u64 {
            let value = Arc::new(number);
            assert_eq!(recent.document(&value, |it| Document::number(*it)), Document::number(number));
        }
    }
}
