//! What OPA reads and the engine's parser does not, or reads otherwise, written as what it reads: one file for each, which
//! says what and why. Lines stay lines, and what moved within a line is found again, so that a problem names the place
//! that its author wrote.

pub(crate) mod aliases;
pub(crate) mod annotated;
pub(crate) mod arguments;
pub(crate) mod clock;
pub(crate) mod declared;
pub(crate) mod given;
pub(crate) mod heads;
pub(crate) mod hoist;
pub(crate) mod imports;
pub(crate) mod keywords;
pub(crate) mod locals;
pub(crate) mod marks;
pub(crate) mod member;
pub(crate) mod negation;
pub(crate) mod prints;
pub(crate) mod unnamed;
mod walked;

use regorus::unstable::{Expr, Module, Ref};

use crate::builtins::{self, Known};
use crate::gate::names::{self, Names};
use crate::gate::walk::{self, Seen};
use crate::problem::Problem;

/// Deepest nesting of templates in one another.
const NESTED: usize = 4;

/// One place of the new text, and the one of the author's text that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    new: usize,
    old: usize,
    /// The text after it is the author's; else it is ours and stands for that place alone.
    copied: bool,
}

/// A module as the engine reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Translated {
    pub(crate) text: String,
    /// Which of the author's modules it comes from; one may become several.
    pub(crate) of: usize,
    /// What stands in the text for a keyword.
    pub(crate) stand_ins: keywords::StandIns,
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

    /// What the author wrote where so many bytes of the new text stand; none where that is the new text itself.
    pub(crate) fn written_at<'a>(
        &self,
        author: &'a str,
        line: u32,
        column: u32,
        bytes: usize,
    ) -> Option<&'a str> {
        let from = self.offset(line, column);
        let (from, to) = (self.old(from), self.old(from + bytes));
        (!self.layers.is_empty()).then(|| author.get(from..to)).flatten()
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

    /// This text with some of it replaced; none where there is nothing to replace, or one edit reaches into another.
    pub(crate) fn edited(&self, mut edits: Vec<Edit>) -> Option<Self> {
        edits.sort_by_key(|edit| edit.from);
        let apart = edits.windows(2).all(|two| matches!(two, [one, next] if one.to <= next.from));
        if edits.is_empty() || !apart {
            return None;
        }
        let mut writer = Writer::default();
        let mut from = 0;
        for edit in &edits {
            writer.copy(&self.text, from, edit.from as usize);
            writer.ours(&edit.text, edit.from as usize);
            from = edit.to as usize;
        }
        writer.copy(&self.text, from, self.text.len());
        let written = writer.done();
        let layers = self.layers.iter().cloned().chain(written.layers).collect();
        Some(Self { text: written.text, layers, of: self.of, stand_ins: self.stand_ins.clone() })
    }
}

/// The texts of all modules, each with its edits; none where there is nothing to write.
pub(crate) fn each<'a>(
    modules: &'a [Ref<Module>],
    texts: &[Translated],
    edits: impl Fn(&'a Module, &Translated) -> Vec<Edit>,
) -> Option<Vec<Translated>> {
    let written = |(module, text): (&'a Ref<Module>, &Translated)| text.edited(edits(module, text));
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

/// Writes every `$"…"` and ``$`…` `` of a module as a call.
pub(crate) fn templates(name: &str, author: &str) -> Result<Translated, Box<Problem>> {
    if !author.contains("$\"") && !author.contains("$`") {
        return Ok(Translated { text: author.to_owned(), ..Translated::default() });
    }
    let mut scan = Scan { author, at: 0, copied: 0, writer: Writer::default() };
    match scan.code(0) {
        Ok(()) => {
            scan.writer.copy(author, scan.copied, author.len());
            Ok(scan.writer.done())
        }
        Err(why) => {
            let (line, column) = place(author, scan.at);
            Err(Box::new(Problem::of(name, "$\"…\"", why, "sprintf(\"…\", […])").at(line, column, author)))
        }
    }
}

struct Scan<'a> {
    author: &'a str,
    at: usize,
    /// Up to here the author's text is written.
    copied: usize,
    writer: Writer,
}

impl Scan<'_> {
    fn peek(&self) -> Option<char> {
        self.author.get(self.at..).and_then(|rest| rest.chars().next())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Code up to its end; inside a template, up to the brace that closes the expression.
    fn code(&mut self, nested: usize) -> Result<(), &'static str> {
        let mut open = 0_usize;
        while let Some(c) = self.peek() {
            if nested > 0 && c == '}' && open == 0 {
                return Ok(());
            }
            self.next();
            match c {
                '#' if nested > 0 => return Err("has a comment in an expression"),
                '#' => while self.peek().is_some_and(|c| c != '\n') && self.next().is_some() {},
                '"' | '`' => self.plain(c),
                '$' if matches!(self.peek(), Some('"' | '`')) => self.template(nested + 1)?,
                '{' => open += 1,
                '}' => open = open.saturating_sub(1),
                _ => {}
            }
        }
        if nested > 0 { Err("has an expression without its closing brace") } else { Ok(()) }
    }

    /// Over plain text, its first quote read. That it does not end, the engine's parser says.
    fn plain(&mut self, quote: char) {
        while let Some(c) = self.next() {
            match c {
                '\\' if quote == '"' => drop(self.next()),
                c if c == quote => return,
                _ => {}
            }
        }
    }

    /// A template, its `$` read.
    fn template(&mut self, nested: usize) -> Result<(), &'static str> {
        if nested > NESTED {
            return Err("has templates nested more than 4 deep");
        }
        let dollar = self.at - 1;
        let Some(quote) = self.next() else { return Ok(()) };
        self.writer.copy(self.author, self.copied, dollar);
        let opening = (self.writer.text.len(), self.writer.pieces.len());
        self.writer.ours(&format!("{CALL}[{quote}"), dollar);
        self.copied = self.at;
        let mut expressions = 0;
        loop {
            let here = self.at;
            match self.next().ok_or("has no closing quote")? {
                '\\' if self.peek() == Some('{') => {
                    self.writer.copy(self.author, self.copied, here);
                    self.copied = self.at;
                    self.next();
                }
                '\\' if quote == '"' => drop(self.next()),
                '\n' if quote == '"' => return Err("has no closing quote on its line"),
                '{' => {
                    expressions += 1;
                    self.expression(here, quote, nested)?;
                }
                c if c == quote => break,
                _ => {}
            }
        }
        self.writer.copy(self.author, self.copied, self.at);
        self.copied = self.at;
        if expressions > 0 {
            self.writer.ours("])", self.at);
        } else {
            self.without_call(opening, dollar, quote);
        }
        Ok(())
    }

    /// `{x}`, its brace at `brace` read: what is undefined must not undo the whole text, so each is a set of its own.
    fn expression(&mut self, brace: usize, quote: char, nested: usize) -> Result<(), &'static str> {
        self.writer.copy(self.author, self.copied, brace);
        self.writer.ours(&format!("{quote}, {{part{nested}__ | part{nested}__ := "), brace);
        self.copied = self.at;
        let begin = self.at;
        self.code(nested)?;
        if self.author.get(begin..self.at).is_none_or(|inside| inside.trim().is_empty()) {
            return Err("has an empty expression");
        }
        self.writer.copy(self.author, self.copied, self.at);
        self.writer.ours(&format!("}}, {quote}"), self.at);
        self.next();
        self.copied = self.at;
        Ok(())
    }

    /// Without an expression the template is plain text.
    fn without_call(&mut self, (text, pieces): (usize, usize), dollar: usize, quote: char) {
        let call = text + CALL.len() + 1;
        self.writer.text.replace_range(text..call, "");
        for piece in self.writer.pieces.iter_mut().skip(pieces + 1) {
            piece.new -= CALL.len() + 1;
        }
        if let Some(piece) = self.writer.pieces.get_mut(pieces) {
            *piece = Piece { new: text, old: dollar, copied: false };
        }
        debug_assert!(self.writer.text.get(text..).is_some_and(|rest| rest.starts_with(quote)));
    }
}

/// From where to where an expression is written. The engine begins one of several parts where the first part's text
/// begins: behind its quote, or its parenthesis.
pub(crate) fn reach(text: &str, expr: &Expr) -> (u32, u32) {
    let (mut from, to) = (expr.span().start, end(text, expr.span().end));
    let text_first = matches!(first(expr), Expr::String { .. } | Expr::RawString { .. });
    if text_first && first(expr).span().start == from {
        from = from.saturating_sub(1);
    }
    let written = |from: u32| text.get(from as usize..to as usize).unwrap_or_default();
    while unclosed(written(from)) < 0 {
        let before = text.get(..from as usize).unwrap_or_default().trim_end();
        let Some(rest) = before.strip_suffix('(') else { break };
        from = u32::try_from(rest.len()).unwrap_or(from);
    }
    (from, to)
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

const CALL: &str = "internal.template_string(";

/// Text put in the place of other text; offsets in bytes, as the engine counts them.
#[derive(Clone)]
pub(crate) struct Edit {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) text: String,
}

/// Writes each statement `f(x, y)` of a parsed module as `y = f(x)`, where `f` is one of our builtins and takes one
/// argument, and what `walk` gives likewise. The engine does so for its own alone. None when there is nothing to write.
pub(crate) fn results(module: &Module, names: &Names, translated: &Translated) -> Option<Translated> {
    let mut edits = Vec::new();
    let own_walk = names.function(module, &["walk".to_owned()]).is_some();
    for rule in &module.policy {
        let bare = hoist::bare(rule);
        walk::rule(rule, &mut |seen| {
            if let Seen::Opens(stmts) = seen {
                let here = stmts.iter().filter(|_| !own_walk);
                edits.extend(here.filter_map(|stmt| walked::statement(&translated.text, stmt, &bare)));
            } else if let Seen::Call { span, fcn, params, alone: true } = seen {
                let added = names::path(fcn).filter(|called| names.function(module, called).is_none());
                let arity = added.and_then(|called| match builtins::known(&called.join(".")) {
                    Some(Known::Added(arity)) => Some(usize::from(arity)),
                    _ => None,
                });
                if arity.is_some_and(|arity| params.len() == arity + 1) {
                    edits.extend(result_first(&translated.text, span.start, params).into_iter().flatten());
                }
            }
        });
    }
    translated.edited(edits)
}

/// The result before the call, and not after the last argument.
fn result_first(text: &str, start: u32, params: &[Ref<Expr>]) -> Option<[Edit; 2]> {
    let result = params.last()?;
    if matches!(result.as_ref(), Expr::String { .. } | Expr::RawString { .. }) {
        return None;
    }
    let span = result.span();
    let (from, to) = (span.start as usize, span.end as usize);
    let written = text.get(from..to)?;
    // What is written on one line now: a comment would take the rest of it, and a raw text has lost its lines.
    if written.contains('#') || (written.contains('`') && written.contains('\n')) {
        return None;
    }
    let comma =
        text.get(..from)?.trim_end().len().checked_sub(1).filter(|at| text.get(*at..*at + 1) == Some(","))?;
    let lines = text.get(comma..to)?.matches('\n').count();
    let first = format!("{} = ", written.replace('\n', " "));
    let comma = u32::try_from(comma).ok()?;
    let after = Edit { from: comma, to: span.end, text: "\n".repeat(lines) };
    Some([Edit { from: start, to: start, text: first }, after])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(author: &str) -> String {
        templates("a.rego", author).unwrap().text
    }

    #[test]
    fn a_template_becomes_a_call_and_one_without_expressions_plain_text() {
        assert_eq!(
            written("x := $\"a {b.c} d\""),
            "x := internal.template_string([\"a \", {part1__ | part1__ := b.c}, \" d\"])"
        );
        assert_eq!(written("x := $`a \\{b} \\n`"), "x := `a {b} \\n`");
        assert_eq!(written("x := $\"\\\" \\{b}\" # $\"{\""), "x := \"\\\" {b}\" # $\"{\"");
        assert_eq!(written("x := \"$\" \"{a}\""), "x := \"$\" \"{a}\"");
    }

    #[test]
    fn an_expression_may_hold_braces_texts_and_templates() {
        assert_eq!(
            written("$\"{{\"}\": $`{a}`}}\""),
            "internal.template_string([\"\", {part1__ | part1__ := {\"}\": internal.template_string([`, \
             {part2__ | part2__ := a}, `])}}, \"\"])"
                .replace("([`, ", "([``, ")
                .replace(", `])", ", ``])")
        );
    }

    #[test]
    fn what_walk_gives_is_written_as_a_statement_of_its_own() {
        let rewritten = |body: &str| {
            let text = format!("package a\nx if {{\n{body}\n}}\n");
            let mut engine = regorus::Engine::new();
            engine.add_policy("a.rego".to_owned(), text.clone()).unwrap();
            let modules = engine.get_modules();
            results(&modules[0], &Names::of(modules), &Translated { text, ..Translated::default() })
                .map(|written| written.text.lines().nth(2).unwrap().to_owned())
        };
        assert_eq!(rewritten("[p, v] := walk(input)").unwrap(), "some p, v; walk(input, [p, v])");
        assert_eq!(rewritten("[_, v] := walk(input.a)").unwrap(), "some v; walk(input.a, [_, v])");
        for other in ["[v, v] := walk(input)", "[p, v] := walk(v)", "v := walk(input)", "[p, v] := f(input)"]
        {
            assert_eq!(rewritten(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_template_says_where() {
        for (author, column) in [("$\"{}\"", 4), ("$\"{a\"", 6), ("$\"a\nb\"", 1), ("$`a", 4)] {
            let problem = templates("a.rego", author).unwrap_err();
            assert_eq!((problem.line, problem.column), (1 + u32::from(column == 1), column), "{author:?}");
        }
    }

    #[test]
    fn a_place_after_a_template_is_the_authors_again() {
        let author = "package a\nx := [$\"{b}\", c, $`{d}\n`, e]\n";
        let translated = templates("a.rego", author).unwrap();
        for name in ["b", "c", "d", "e"] {
            let find = |text: &str| {
                let at = text.rfind(name).unwrap();
                let before = text.get(..at).unwrap();
                let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
                (u32::try_from(before.matches('\n').count() + 1).unwrap(), u32::try_from(column).unwrap())
            };
            let (line, column) = find(&translated.text);
            let problem = Problem::of("a.rego", name, "", "").at(line, column, &translated.text);
            let restored = translated.restore(author, problem);
            assert_eq!((restored.line, restored.column), find(author), "{name}");
        }
    }
}
