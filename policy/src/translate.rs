//! What OPA reads and the engine's parser does not, or reads otherwise, written as what it reads: one file for each, which
//! says what and why. Lines stay lines, and what moved within a line is found again, so that a problem names the place
//! that its author wrote.

pub(crate) mod aliases;
pub(crate) mod annotated;
mod arguments;
pub(crate) mod awaited;
pub(crate) mod clock;
pub(crate) mod collections;
pub(crate) mod computed;
mod declared;
pub(crate) mod every;
mod gathered;
mod given;
pub(crate) mod heads;
mod hoist;
pub(crate) mod imports;
pub(crate) mod keywords;
pub(crate) mod locals;
pub(crate) mod marks;
pub(crate) mod member;
pub(crate) mod members;
mod minus;
mod mocks;
pub(crate) mod negation;
pub(crate) mod ordered;
pub(crate) mod pairs;
pub(crate) mod patterns;
pub(crate) mod prints;
pub(crate) mod repeated;
mod results;
pub(crate) mod settled;
pub(crate) mod shared;
pub(crate) mod sorted;
pub(crate) mod templates;
pub(crate) mod undeclared;
mod unnamed;
mod walked;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Ref, Span};

use crate::gate::names::Names;
use crate::gate::text::said;
use crate::gate::walk::{self, Seen};
use crate::problem::{Problem, Problems};

/// Longest text of one module for the engine, in bytes: what stands once may have to be written many times.
pub(crate) const LONGEST: usize = 4 * 1024 * 1024;

/// A step that writes all modules anew; none where there is nothing to write.
pub(crate) type Step = fn(&[Ref<Module>], &[Translated]) -> Result<Option<Vec<Translated>>, Problems>;

/// What is done once before the gate, in this order.
pub(crate) const ONCE: [Step; 7] = [
    |modules, texts| Ok(minus::subtracted(modules, texts)),
    |modules, texts| Ok(locals::renamed(modules, texts)),
    keywords::moved,
    |modules, texts| Ok(mocks::named(modules, texts)),
    |modules, texts| Ok(gathered::first(modules, texts)),
    hoist::values,
    |modules, texts| Ok(results::first(modules, texts)),
];

/// What is done then until there is nothing left to write: what is to be changed may stand within other such. Of each
/// module the first that has something to write does so.
pub(crate) fn again(modules: &[Ref<Module>], texts: &[Translated], pass: usize) -> Option<Vec<Translated>> {
    let names = Names::of(modules);
    each_text(modules, texts, |module, text| {
        heads::brackets(module, text)
            .or_else(|| arguments::compared(module, text))
            .or_else(|| given::values(module, &names, text))
            .or_else(|| given::comprehensions(module, &names, text))
            .or_else(|| unnamed::keys(module, text))
            .or_else(|| member::calls(module, text))
            .or_else(|| declared::first(module, text))
            .or_else(|| negation::arguments(module, &names, text, pass))
    })
}

/// One place of the new text, and the one of the author's text that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    new: usize,
    old: usize,
    /// The text after it is the author's; else it is ours and stands for that place alone.
    copied: bool,
}

/// Why a text could not be written anew, with the place, in bytes.
#[derive(Clone, Copy, Debug)]
enum Unwritten {
    /// It would have become longer than [`LONGEST`].
    TooLong(usize),
    /// One edit reaches into another.
    Overlap(usize),
}

/// A module as the engine reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Translated {
    pub(crate) text: String,
    /// Which of the author's modules it comes from; one may become several.
    pub(crate) of: usize,
    /// What stands in the text for a keyword.
    pub(crate) stand_ins: keywords::StandIns,
    /// What it should have become and could not: it stays as it was, and is not for the engine.
    unwritten: Option<Unwritten>,
    /// One for each time it was written anew, the first one first; the pieces in order.
    layers: Vec<Vec<Piece>>,
}

impl Translated {
    /// The author's place for a place of the new text, both in bytes.
    fn old(&self, new: usize) -> usize {
        self.layers.iter().rev().fold(new, |new, pieces| {
            let after = pieces.partition_point(|piece| piece.new <= new);
            match after.checked_sub(1).and_then(|at| pieces.get(at)) {
                None => new,
                Some(piece) if piece.copied => piece.old + (new - piece.new),
                Some(piece) => piece.old,
            }
        })
    }

    /// Whether what stands at this offset in bytes was written by a step, and not by the author.
    pub(crate) fn is_ours(&self, offset: u32) -> bool {
        let mut new = usize::try_from(offset).unwrap_or(usize::MAX);
        for pieces in self.layers.iter().rev() {
            let after = pieces.partition_point(|piece| piece.new <= new);
            match after.checked_sub(1).and_then(|at| pieces.get(at)) {
                None => {}
                Some(piece) if piece.copied => new = piece.old + (new - piece.new),
                Some(_) => return true,
            }
        }
        false
    }

    /// The name that a statement of ours gives to what it asks before its time, `not0_0_0__ := f(x)`; an author's name
    /// may look like one.
    pub(crate) fn given<'a>(&self, stmt: &'a LiteralStmt) -> Option<&'a Span> {
        let Literal::Expr { expr, .. } = &stmt.literal else { return None };
        let Expr::AssignExpr { op: AssignOp::ColEq, lhs, .. } = expr.as_ref() else { return None };
        let Expr::Var { span, .. } = lhs.as_ref() else { return None };
        (span.text().ends_with("__") && self.is_ours(span.start)).then_some(span)
    }

    /// Gives a problem its place in the author's text.
    pub(crate) fn restore(&self, author: &str, problem: Problem) -> Problem {
        if problem.line == 0 {
            return problem;
        }
        let (line, column) = self.restored(author, problem.line, problem.column);
        let [construct, why, instead] =
            [&problem.construct, &problem.why, &problem.instead].map(|said| locals::own(said));
        Problem { construct, why, instead, ..problem }.at(line, column, author)
    }

    /// Line and column in the author's text.
    pub(crate) fn restored(&self, author: &str, line: u32, column: u32) -> (u32, u32) {
        if self.layers.is_empty() {
            return (line, column);
        }
        place(author, self.old(self.offset(line, column)))
    }

    /// Where a line and column of the new text are, in bytes.
    fn offset(&self, line: u32, column: u32) -> usize {
        let before = self.text.split_inclusive('\n').take(index(line)).map(str::len).sum::<usize>();
        let rest = self.text.get(before..).unwrap_or_default();
        before + rest.char_indices().nth(index(column)).map_or(rest.len(), |(at, _)| at)
    }

    /// What the author wrote where this stretch of the new text stands; offsets in bytes.
    pub(crate) fn written<'a>(&self, author: &'a str, from: u32, to: u32) -> &'a str {
        let old = |offset: u32| self.old(usize::try_from(offset).unwrap_or(usize::MAX));
        author.get(old(from)..old(to)).unwrap_or_default()
    }

    /// Line and column, in the author's text, of an offset in bytes of this one.
    pub(crate) fn placed(&self, author: &str, offset: u32) -> (u32, u32) {
        place(author, self.old(usize::try_from(offset).unwrap_or(usize::MAX)))
    }

    /// This text with some of it replaced; none where there is nothing to replace. One that would be too long, or where
    /// one edit reaches into another, says so and is not replaced.
    pub(crate) fn edited(&self, mut edits: Vec<Edit>) -> Option<Self> {
        if edits.is_empty() {
            return None;
        }
        edits.sort_by_key(|edit| edit.from);
        let unwritten = |why| Some(Self { unwritten: Some(why), ..self.clone() });
        let (mut bytes, mut reached) = (self.text.len(), 0);
        for edit in &edits {
            if edit.from < reached {
                return unwritten(Unwritten::Overlap(edit.from as usize));
            }
            reached = edit.to;
            bytes = bytes.saturating_add(edit.with.len());
            if bytes > LONGEST {
                return unwritten(Unwritten::TooLong(edit.from as usize));
            }
        }
        let mut writer = Writer::default();
        let mut from = 0;
        for edit in &edits {
            writer.copy(&self.text, from, edit.from as usize);
            match &edit.with {
                With::Text(text) => writer.ours(text, edit.from as usize),
                With::Copy(from, to) => writer.copy(&self.text, *from as usize, *to as usize),
            }
            from = edit.to as usize;
        }
        writer.copy(&self.text, from, self.text.len());
        let written = writer.done();
        let layers = self.layers.iter().cloned().chain(written.layers).collect();
        Some(Self {
            text: written.text,
            layers,
            of: self.of,
            stand_ins: self.stand_ins.clone(),
            unwritten: self.unwritten,
        })
    }

    /// The problem of a text that could not be written, as long as it has its place in this one.
    pub(crate) fn unwritten(&self, name: &str) -> Option<Problem> {
        let (at, why, instead) = match self.unwritten? {
            Unwritten::TooLong(at) => (
                at,
                format!("makes a module of more than {} MiB for the engine", LONGEST >> 20),
                "less in this statement: of several arguments a rule of their own each, of a long `with` the value on a line before, `x := …`, and `with … as x`",
            ),
            Unwritten::Overlap(at) => (
                at,
                "is to be written anew for the engine in two ways at once".to_owned(),
                "the same in statements of their own; it is a fault of Postern's, and not of the policy",
            ),
        };
        let (line, column) = place(&self.text, at);
        let construct =
            self.text.get(at..).and_then(|text| text.split_whitespace().next()).unwrap_or_default();
        Some(Problem::of(name, construct, why, instead).at(line, column, &self.text))
    }
}

/// The texts of all modules, each with its edits; none where there is nothing to write.
pub(crate) fn each<'a>(
    modules: &'a [Ref<Module>],
    texts: &[Translated],
    edits: impl Fn(&'a Module, &Translated) -> Vec<Edit>,
) -> Option<Vec<Translated>> {
    each_text(modules, texts, |module, text| text.edited(edits(module, text)))
}

/// The same, statement by statement, each with whether it stands without braces; not of those within one that is edited.
fn each_statement(
    modules: &[Ref<Module>],
    texts: &[Translated],
    statement: impl Fn(&str, &LiteralStmt, bool) -> Vec<Edit>,
) -> Option<Vec<Translated>> {
    each(modules, texts, |module, text| {
        let (mut edits, mut reached) = (Vec::new(), 0);
        for rule in &module.policy {
            let bare = hoist::bare(rule);
            walk::rule(rule, &mut |seen| {
                let Seen::Opens(stmts) = seen else { return };
                for stmt in stmts {
                    let new = statement(&text.text, stmt, bare.contains(&stmt.span.start));
                    if !new.is_empty() && stmt.span.start >= reached {
                        reached = stmt.span.end;
                        edits.extend(new);
                    }
                }
            });
        }
        edits
    })
}

fn each_text<'a>(
    modules: &'a [Ref<Module>],
    texts: &[Translated],
    step: impl Fn(&'a Module, &Translated) -> Option<Translated>,
) -> Option<Vec<Translated>> {
    let written = |(module, text): (&'a Ref<Module>, &Translated)| step(module, text);
    let written: Vec<_> = modules.iter().zip(texts).map(written).collect();
    let any = written.iter().any(Option::is_some);
    let kept = |(new, text): (Option<Translated>, &Translated)| new.unwrap_or_else(|| text.clone());
    any.then(|| written.into_iter().zip(texts).map(kept).collect())
}

/// Line and column of an offset in bytes.
fn place(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    (number(line), number(column))
}

/// Lines and columns count from 1.
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1)
}

#[derive(Default)]
struct Writer {
    text: String,
    pieces: Vec<Piece>,
}

impl Writer {
    fn copy(&mut self, author: &str, from: usize, to: usize) {
        self.pieces.push(Piece { new: self.text.len(), old: from, copied: true });
        self.text.push_str(author.get(from..to).unwrap_or_default());
    }

    fn ours(&mut self, text: &str, old: usize) {
        self.pieces.push(Piece { new: self.text.len(), old, copied: false });
        self.text.push_str(text);
    }

    fn done(self) -> Translated {
        Translated { text: self.text, layers: vec![self.pieces], ..Translated::default() }
    }
}

/// From where to where an expression is written. The engine begins one of several parts where the first part's text
/// begins: behind its quote, or its parenthesis.
pub(crate) fn reach(text: &str, expr: &Expr) -> (u32, u32) {
    let (mut from, mut to) = (expr.span().start, end(text, expr.span().end));
    // The engine has an empty set go on to the end of what follows it.
    if let Expr::Set { items, .. } = expr
        && items.is_empty()
    {
        let closed = text.get(from as usize..to as usize).and_then(|set| set.find(')'));
        to = closed.and_then(|at| u32::try_from(at + 1).ok()).map_or(to, |length| from + length);
    }
    if first(expr).span().start == from {
        from = match first(expr) {
            Expr::String { .. } | Expr::RawString { .. } => from.saturating_sub(1),
            // The engine says where the last of several members begins.
            Expr::Object { fields, .. } => {
                fields.first().map_or(from, |(_, key, _)| opened(text, reach(text, key).0))
            }
            _ => from,
        };
    }
    let written = |from: u32| text.get(from as usize..to as usize).unwrap_or_default();
    while unclosed(written(from)) < 0 {
        let before = text.get(..from as usize).unwrap_or_default().trim_end();
        let Some(rest) = before.strip_suffix('(') else { break };
        from = u32::try_from(rest.len()).unwrap_or(from);
    }
    (from, to)
}

/// Where the brace stands that has `at` as its first member; parentheses and comments may stand between.
fn opened(text: &str, at: u32) -> u32 {
    let mut before = text.get(..at as usize).unwrap_or_default();
    loop {
        before = before.trim_end_matches(|c: char| c == '(' || c.is_whitespace());
        let line = before.rfind('\n').map_or(0, |end| end + 1);
        let Some(comment) = before.get(line..).and_then(commented) else { break };
        before = before.get(..line + comment).unwrap_or_default();
    }
    let brace = before.strip_suffix('{').and_then(|rest| u32::try_from(rest.len()).ok());
    brace.unwrap_or(at)
}

/// Where the comment of a line begins.
fn commented(line: &str) -> Option<usize> {
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(one), c) if c == one => quote = None,
            (None, '"' | '`') => quote = Some(c),
            (None, '#') => return Some(at),
            _ => {}
        }
    }
    None
}

/// Where a statement begins: to the engine, text begins behind its quote.
fn begin(text: &str, stmt: &LiteralStmt) -> u32 {
    match &stmt.literal {
        Literal::Expr { expr, .. } => reach(text, expr).0.min(stmt.span.start),
        _ => stmt.span.start,
    }
}

/// Behind the parentheses that are closed here: where a value ends that nothing follows.
fn behind_parentheses(text: &str, at: u32) -> u32 {
    let rest = text.get(at as usize..).unwrap_or_default();
    let closed = rest.find(|c: char| c != ')' && !c.is_whitespace()).unwrap_or(rest.len());
    let closed = rest.get(..closed).and_then(|closed| closed.rfind(')')).map_or(0, |last| last + 1);
    u32::try_from(closed).map_or(at, |closed| at + closed)
}

/// What ends a statement that is written anew and ends with a name here, if anything has to: the engine takes a name for called
/// by the parenthesis that the next line begins with.
fn uncalled(text: &str, at: u32) -> &'static str {
    let behind = text.get(at as usize..).unwrap_or_default();
    if said(behind).starts_with('(') { ";" } else { "" }
}

/// Where an operator stands: behind what is on its left there is nothing else but parentheses, blanks and comments.
fn sign(text: &str, from: u32, operator: &str) -> Option<u32> {
    let mut at = from as usize;
    loop {
        let rest = text.get(at..)?;
        if rest.starts_with(operator) {
            return u32::try_from(at).ok();
        }
        at += match rest.chars().next()? {
            '#' => rest.find('\n')?,
            c if c == ')' || c.is_whitespace() => c.len_utf8(),
            _ => return None,
        };
    }
}

/// Where what ends here is written to its end: text ends before its closing quote to the engine.
pub(crate) fn end(text: &str, at: u32) -> u32 {
    let quote = text.get(at as usize..).is_some_and(|rest| rest.starts_with(['"', '`']));
    at + u32::from(quote)
}

/// The leftmost part of an expression.
fn first(expr: &Expr) -> &Expr {
    match expr {
        Expr::BinExpr { lhs, .. }
        | Expr::BoolExpr { lhs, .. }
        | Expr::ArithExpr { lhs, .. }
        | Expr::AssignExpr { lhs, .. } => first(lhs),
        Expr::Membership { key, value, .. } => first(key.as_ref().unwrap_or(value)),
        expr => expr,
    }
}

/// Less than none where a parenthesis is closed that was never opened, by as many as there are.
fn unclosed(text: &str) -> i32 {
    let (mut open, mut least, mut quote, mut escaped) = (0, 0, None, false);
    for c in text.chars() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(one), c) if c == one => quote = None,
            (None, '"' | '`') => quote = Some(c),
            (None, '(') => open += 1,
            (None, ')') => {
                open -= 1;
                least = open.min(least);
            }
            _ => {}
        }
    }
    least
}

/// Text put in the place of other text; offsets in bytes, as the engine counts them.
#[derive(Clone)]
pub(crate) struct Edit {
    from: u32,
    to: u32,
    with: With,
}

#[derive(Clone)]
enum With {
    /// Ours.
    Text(String),
    /// What stands from here to there in the text that is edited: its place stays its author's.
    Copy(u32, u32),
}

impl With {
    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Copy(from, to) => to.saturating_sub(*from) as usize,
        }
    }
}

impl Edit {
    pub(crate) fn new(from: u32, to: u32, text: impl Into<String>) -> Self {
        Self { from, to, with: With::Text(text.into()) }
    }

    /// What stands from here to there, once more at another place.
    pub(crate) const fn copy(at: u32, from: u32, to: u32) -> Self {
        Self { from: at, to: at, with: With::Copy(from, to) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_that_reaches_into_another_is_told_with_its_place_and_nothing_is_written() {
        let text = "package a\nx := f(1)\n";
        let translated = Translated { text: text.to_owned(), ..Translated::default() };
        let edited = |edits: Vec<Edit>| translated.edited(edits).unwrap();

        let beside = edited(vec![Edit::new(15, 15, "g("), Edit::new(15, 16, "h"), Edit::new(19, 19, ")")]);
        let within = edited(vec![Edit::new(15, 19, "2"), Edit::new(17, 18, "3")]);
        // Of two at one place the first comes first.
        let late = edited(vec![Edit::new(15, 16, "h"), Edit::new(15, 15, "g(")]);

        assert_eq!(beside.text, "package a\nx := g(h(1))\n");
        assert!(beside.unwritten("a.rego").is_none() && late.unwritten("a.rego").is_some());
        let problem = within.unwritten("a.rego").unwrap();
        assert_eq!((problem.line, problem.column, within.text.as_str()), (2, 8, text));
        assert!(problem.why.contains("in two ways at once"), "{problem}");
    }
}
