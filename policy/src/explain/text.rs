//! The text of an expression or a statement. The engine's spans leave the quotes of a text out at either end, and
//! those of references and objects begin too late.

use regorus::unstable::{Expr, LiteralStmt, Ref, RuleAssign, Span};

use crate::translate::Translated;

/// From where to where something stands in the text that the engine read, in bytes.
pub(crate) type Stretch = (u32, u32);

fn quote(span: &Span, at: u32) -> bool {
    matches!(span.source.get_contents().as_bytes().get(at as usize), Some(b'"' | b'`'))
}

/// Where something ends, its closing quote included.
fn end(span: &Span) -> u32 {
    if quote(span, span.end) { span.end + 1 } else { span.end }
}

/// A statement whole.
pub(crate) fn statement(span: &Span) -> Stretch {
    let from = if span.start > 0 && quote(span, span.start - 1) { span.start - 1 } else { span.start };
    (from, end(span))
}

/// Where what a statement of ours asks before its time is written: the name that the statement gives it stands in its
/// place.
pub(super) fn taken_out(read: &Translated, stmt: &LiteralStmt) -> Option<Stretch> {
    let span = read.given(stmt)?;
    let name = span.text();
    let text = span.source.get_contents();
    let whole = |at: &usize| {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        !text.get(..*at).is_some_and(|before| before.ends_with(word))
            && !text.get(at + name.len()..).is_some_and(|behind| behind.starts_with(word))
    };
    let places = text.match_indices(name).map(|(at, _)| at).filter(whole);
    let at = places.map(length).find(|at| *at != span.start)?;
    Some((at, at + length(name.len())))
}

/// The words of an expression outside its texts, without the names of members behind a dot.
pub(crate) fn words(text: &str) -> Vec<&str> {
    let (mut words, mut from, mut quote, mut escaped) = (Vec::new(), 0, None, false);
    let mut word = |from: usize, to: usize| {
        let word = text.get(from..to).unwrap_or_default();
        if !word.is_empty() && !text.get(..from).is_some_and(|before| before.ends_with('.')) {
            words.push(word);
        }
    };
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(one), c) if c == one => (quote, from) = (None, at + c.len_utf8()),
            (Some(_), _) => {}
            (None, c) if c.is_alphanumeric() || c == '_' => {}
            (None, c) => {
                word(from, at);
                from = at + c.len_utf8();
                quote = Some(c).filter(|c| matches!(c, '"' | '`'));
            }
        }
    }
    if quote.is_none() {
        word(from, text.len());
    }
    words
}

/// What a head assigns, behind its `:=` or `=`.
pub(super) fn assigned(assign: &RuleAssign) -> Stretch {
    let (from, to) = (assign.span.start, end(&assign.span));
    let all = of(&assign.span, (from, to));
    let value = all.trim_start_matches(':').trim_start_matches('=').trim_start();
    (from + length(all.len() - value.len()), to)
}

/// What stands between the end of a name and the end of this expression, behind that word.
pub(super) fn behind(name: &Expr, word: &str, expr: &Expr) -> Option<Stretch> {
    let span = expr.span();
    let (from, to) = (end(name.span()), end(span));
    let all = of(span, (from, to));
    let rest = all.trim_start().strip_prefix(word)?.trim_start();
    Some((from + length(all.len() - rest.len()), to))
}

/// The arguments behind a name.
pub(super) fn arguments(name: &Expr, arguments: &[Ref<Expr>]) -> Vec<Stretch> {
    let mut found = Vec::new();
    let mut before = (end(name.span()), '(');
    for argument in arguments {
        let span = argument.span();
        let to = end(span);
        let all = of(span, (before.0, to));
        let rest = all.trim_start().strip_prefix(before.1).map_or("", str::trim_start);
        found.push((before.0 + length(all.len() - rest.len()), to));
        before = (to, ',');
    }
    found
}

/// The text of a stretch.
pub(crate) fn of(span: &Span, (from, to): Stretch) -> &str {
    span.source.get_contents().get(from as usize..to as usize).unwrap_or_default()
}

fn length(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
