//! What is known of one builtin, in one row: it stands in the file that answers it.

use regorus::Value;

use super::Fail;
use super::signatures::{ANY, Kinds, Signature};

/// One builtin.
#[derive(Clone, Copy)]
pub(super) struct Builtin {
    pub(super) name: &'static str,
    /// The kinds of its arguments.
    takes: &'static [Kinds],
    /// The kinds of its result.
    gives: Kinds,
    pub(super) by: By,
    /// What is asked at load of a constant that stands in the place of an argument, counted from 0.
    pub(super) constants: &'static [(usize, Wrong)],
    /// What messages call it.
    pub(super) said: &'static str,
}

/// What is wrong with a constant with which every call fails, and what to write instead.
pub(super) type Wrong = fn(&str) -> Option<(Fail, &'static str)>;

type Answer = fn(&[Value]) -> Result<Value, Fail>;

/// What stands between a policy and a builtin.
#[derive(Clone, Copy)]
pub(super) enum By {
    /// Nothing: its cost is small whatever its arguments are.
    Engine,
    /// A look at the arguments.
    Guard(fn(&[Value]) -> Result<(), Fail>),
    /// An answer of our own.
    Ours(Answer),
    /// An answer of our own to what OPA has and the engine has not.
    Added(Answer),
    /// The same, but only the translation writes it; an author is refused, with what to write instead.
    Within(Answer, &'static str),
    /// The same, but it is written before the gate looks: the translation refuses an author that calls it.
    Before(Answer),
    /// An answer of our own to what OPA does not have, and what the reference says of it.
    Own(Answer, &'static Page),
    /// The gate, with what to write instead.
    Refused(&'static str),
}

/// What the reference says of a builtin that OPA does not have.
pub(super) struct Page {
    /// Its arguments, with commas between.
    pub(super) arguments: &'static str,
    /// What it answers, and when it is an error, in sentences.
    pub(super) what: &'static str,
    /// Calls and their values in JSON, at 22:28:43 UTC on Saturday, 21 November 2026; a test makes them.
    pub(super) examples: &'static [(&'static str, &'static str)],
}

impl Builtin {
    pub(super) const fn new(name: &'static str, takes: &'static [Kinds], gives: Kinds, by: By) -> Self {
        Self { name, takes, gives, by, constants: &[], said: name }
    }

    pub(super) const fn refused(name: &'static str, instead: &'static str) -> Self {
        Self::new(name, &[], ANY, By::Refused(instead))
    }

    /// With what is asked of constants.
    pub(super) const fn constants(self, constants: &'static [(usize, Wrong)]) -> Self {
        Self { constants, ..self }
    }

    /// With another name in messages, for what authors do not write by its name.
    pub(super) const fn said(self, said: &'static str) -> Self {
        Self { said, ..self }
    }

    /// With how many arguments it is called.
    pub(super) fn arity(&self) -> u8 {
        u8::try_from(self.takes.len()).unwrap_or(u8::MAX)
    }

    /// The engine's name for `&` or `|` between sets, which nobody calls.
    pub(super) fn is_operator(&self) -> bool {
        self.name.starts_with("__")
    }

    /// What it takes and gives; none for what no author may call.
    pub(super) fn signature(&self) -> Option<Signature> {
        let called = !self.is_operator() && !matches!(self.by, By::Within(..) | By::Refused(_));
        called.then_some(Signature { name: self.name, takes: self.takes, gives: self.gives })
    }
}
