//! What one evaluation may use, and what it has used: the purse of the builtins we answer ourselves.
//!
//! The engine runs on one thread from start to end and gives builtins nothing but their arguments, so the purse
//! stands beside the thread.

use std::cell::RefCell;

/// Most bytes that the builtins of one evaluation may build together.
const BYTES: usize = 8 * 1024 * 1024;

thread_local! {
    static TURN: RefCell<Turn> = const { RefCell::new(Turn { now: None, left: 0, excess: None }) };
}

struct Turn {
    now: Option<u64>,
    left: usize,
    excess: Option<Excess>,
}

/// A builtin was asked for more than its cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) builtin: &'static str,
    pub(crate) limit: &'static str,
}

/// Before an evaluation: a full purse, and the time of the request in Unix seconds.
pub(crate) fn begin(now: Option<u64>) {
    TURN.with_borrow_mut(|turn| *turn = Turn { now, left: BYTES, excess: None });
}

/// After it: the first cap that was hit, which counts even where the engine went on.
pub(crate) fn end() -> Option<Excess> {
    TURN.with_borrow_mut(|turn| turn.excess.take())
}

/// Notes that a builtin was asked for too much.
pub(crate) fn exceed(builtin: &'static str, limit: &'static str) {
    TURN.with_borrow_mut(|turn| {
        turn.excess.get_or_insert(Excess { builtin, limit });
    });
}

/// Takes bytes out of the purse before they are built.
#[must_use]
pub(crate) fn spend(bytes: usize) -> bool {
    TURN.with_borrow_mut(|turn| match turn.left.checked_sub(bytes) {
        Some(left) => {
            turn.left = left;
            true
        }
        None => false,
    })
}

/// The time of the request in Unix seconds, where the input has one.
pub(crate) fn now() -> Option<u64> {
    TURN.with_borrow(|turn| turn.now)
}
