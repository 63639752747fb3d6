//! What one evaluation may use, and what it has used: the purse of the builtins we answer ourselves.
//!
//! The engine runs on one thread from start to end and gives builtins nothing but their arguments, so the purse
//! stands beside the thread.

use std::cell::RefCell;
use std::collections::BTreeSet;

use regorus::Value;

/// Most bytes that the builtins of one evaluation may build together.
const BYTES: usize = 8 * 1024 * 1024;
/// What a line that is printed counts beside its text, in bytes.
const LINE: usize = 64;
/// Most cases of one test.
const CASES: usize = 100_000;

thread_local! {
    static TURN: RefCell<Turn> = const { RefCell::new(Turn::new(None, 0)) };
}

struct Turn {
    now: Option<u64>,
    left: usize,
    excess: Option<Excess>,
    said: Said,
}

impl Turn {
    const fn new(now: Option<u64>, left: usize) -> Self {
        let said = Said { lines: Vec::new(), left: 0, cut: 0, cases: BTreeSet::new() };
        Self { now, left, excess: None, said }
    }
}

/// What an evaluation said beside its value.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// What was printed, each with its place, `main.rego:4`.
    pub(crate) lines: Vec<(String, String)>,
    /// Bytes that might still be printed: none, where nobody reads it.
    pub(crate) left: usize,
    /// How often something was printed that is not kept, or not whole.
    pub(crate) cut: usize,
    /// The keys of the cases that were tried.
    pub(crate) cases: BTreeSet<Vec<Value>>,
}

/// A builtin was asked for more than its cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) builtin: &'static str,
    pub(crate) limit: &'static str,
}

/// Before an evaluation: a full purse, and the time of the request in Unix seconds.
pub(crate) fn begin(now: Option<u64>) {
    TURN.with_borrow_mut(|turn| *turn = Turn::new(now, BYTES));
}

/// After it: the first cap that was hit, which counts even where the engine went on.
pub(crate) fn end() -> Option<Excess> {
    TURN.with_borrow_mut(|turn| turn.excess.take())
}

/// Lets it print so many bytes.
pub(crate) fn let_print(bytes: usize) {
    TURN.with_borrow_mut(|turn| turn.said.left = bytes);
}

/// Whether more than so many bytes may still be printed.
pub(crate) fn may_print(bytes: usize) -> bool {
    TURN.with_borrow(|turn| turn.said.left > bytes)
}

/// Prints a line, as much of it as still may be.
pub(crate) fn print(place: &str, mut line: String, whole: bool) {
    TURN.with_borrow_mut(|turn| {
        let most = turn.said.left.saturating_sub(LINE + place.len());
        turn.said.cut += usize::from(!whole || most == 0 || line.len() > most);
        if line.len() > most {
            let end = (0..=most).rev().find(|end| line.is_char_boundary(*end)).unwrap_or_default();
            line.truncate(end);
        }
        turn.said.left = turn.said.left.saturating_sub(LINE + place.len() + line.len());
        if most > 0 {
            turn.said.lines.push((place.to_owned(), line));
        }
    });
}

/// Notes that a case is tried; false where there are too many.
pub(crate) fn try_case(keys: Vec<Value>) -> bool {
    TURN.with_borrow_mut(|turn| {
        turn.said.cases.insert(keys);
        turn.said.cases.len() <= CASES
    })
}

/// After it: all that was said.
pub(crate) fn said() -> Said {
    TURN.with_borrow_mut(|turn| std::mem::take(&mut turn.said))
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

/// Answers as if the time of the request were this.
pub(crate) fn at<T>(now: u64, answer: impl FnOnce() -> T) -> T {
    let before = TURN.with_borrow_mut(|turn| turn.now.replace(now));
    let answered = answer();
    TURN.with_borrow_mut(|turn| turn.now = before);
    answered
}

/// The time of the request in Unix seconds, where the input has one.
pub(crate) fn now() -> Option<u64> {
    TURN.with_borrow(|turn| turn.now)
}
