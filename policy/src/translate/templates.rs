//! `$"…{x}…"`, which OPA itself takes for a call of `internal.template_string`.

use super::{Piece, Translated, Writer, place};
use crate::problem::Problem;

/// Deepest nesting of templates in one another.
const NESTED: usize = 4;

const CALL: &str = "internal.template_string(";

/// Writes every `$"…"` and ``$`…` `` of a module as a call.
pub(crate) fn calls(name: &str, author: &str) -> Result<Translated, Box<Problem>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn written(author: &str) -> String {
        calls("a.rego", author).unwrap().text
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
    fn what_is_no_template_says_where() {
        for (author, column) in [("$\"{}\"", 4), ("$\"{a\"", 6), ("$\"a\nb\"", 1), ("$`a", 4)] {
            let problem = calls("a.rego", author).unwrap_err();
            assert_eq!((problem.line, problem.column), (1 + u32::from(column == 1), column), "{author:?}");
        }
    }

    #[test]
    fn a_place_after_a_template_is_the_authors_again() {
        let author = "package a\nx := [$\"{b}\", c, $`{d}\n`, e]\n";
        let translated = calls("a.rego", author).unwrap();
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
