//! Patterns as OPA writes them (RE2), compiled by a crate with another dialect.
//!
//! RE2 means ASCII by `\d`, `\w`, `\s` and `\b`, quotes with `\Q…\E`, and knows no operators inside brackets. What
//! only the crate knows is refused, so that a pattern never means something else here than it does in OPA.

use std::cell::RefCell;
use std::collections::HashMap;
use std::iter::Peekable;
use std::rc::Rc;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

use super::Fail;

/// Longest pattern, in bytes.
const LONGEST: usize = 1_024;
/// Largest compiled pattern, in bytes; time to compile and time to match grow with it.
const COMPILED: usize = 256 * 1024;
/// Most compiled patterns that a thread keeps.
const KEPT: usize = 256;

thread_local! {
    static COMPILED_HERE: RefCell<HashMap<String, Rc<Regex>>> = RefCell::new(HashMap::new());
}

/// The compiled pattern; kept, since a policy asks the same few again and again.
pub(super) fn compiled(pattern: &str) -> Result<Rc<Regex>, Fail> {
    if pattern.len() > LONGEST {
        return Err(Fail::Limit("a pattern of at most 1024 bytes"));
    }
    if let Some(regex) = COMPILED_HERE.with_borrow(|kept| kept.get(pattern).cloned()) {
        return Ok(regex);
    }
    let built =
        RegexBuilder::new(&translated(pattern)?).size_limit(COMPILED).dfa_size_limit(COMPILED).build();
    let regex = Rc::new(built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => Fail::Limit("a pattern that compiles to at most 256 KiB"),
        _ => Fail::Argument("takes a pattern of RE2"),
    })?);
    COMPILED_HERE.with_borrow_mut(|kept| {
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(pattern.to_owned(), Rc::clone(&regex));
    });
    Ok(regex)
}

/// The same pattern in the dialect of the crate.
fn translated(pattern: &str) -> Result<String, Fail> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some('Q') => quote(&mut rest, &mut out),
                Some('b') => out.push_str("(?-u:\\b)"),
                Some(c) => escape(c, &mut out),
                None => return Err(Fail::Argument("takes a pattern that does not end in a backslash")),
            },
            '[' => class(&mut rest, &mut out)?,
            '(' => {
                out.push('(');
                if rest.peek() == Some(&'?') {
                    flags(rest.clone())?;
                }
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

fn escape(c: char, out: &mut String) {
    match c {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str("[\\t\\n\\f\\r ]"),
        'S' => out.push_str("[^\\t\\n\\f\\r ]"),
        c => out.extend(['\\', c]),
    }
}

/// Up to `\E` or the end, every character stands for itself.
fn quote(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut literal = String::new();
    while let Some(c) = rest.next() {
        if c == '\\' && rest.next_if_eq(&'E').is_some() {
            break;
        }
        literal.push(c);
    }
    out.push_str(&regex::escape(&literal));
}

/// What stands in brackets, the opening one read. Brackets, `&` and `~` inside are plain characters in RE2.
fn class(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), Fail> {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    if rest.next_if_eq(&']').is_some() {
        out.push_str("\\]");
    }
    while let Some(c) = rest.next() {
        match c {
            ']' => {
                out.push(']');
                return Ok(());
            }
            '\\' => escape(rest.next().unwrap_or('\\'), out),
            '[' if rest.peek() == Some(&':') => {
                // A named class, to its end.
                out.push('[');
                while let Some(c) = rest.next_if(|c| *c != ']') {
                    out.push(c);
                }
                out.extend(rest.next());
            }
            '-' if rest.peek() == Some(&'-') => {
                return Err(Fail::Argument("takes brackets with `-` written as \\-"));
            }
            '[' | '&' | '~' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    Err(Fail::Argument("takes a pattern with closed brackets"))
}

/// `(?…`: names as they are; of flags only those that RE2 has.
fn flags(mut rest: Peekable<Chars<'_>>) -> Result<(), Fail> {
    rest.next();
    let unknown =
        rest.by_ref().take_while(|c| c.is_ascii_alphabetic() || *c == '-').find(|c| !"imsUP-".contains(*c));
    if unknown.is_some() { Err(Fail::Argument("takes the flags i, m, s and U")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        compiled(pattern).unwrap_or_else(|fail| panic!("{pattern}: {fail}")).is_match(text)
    }

    #[test]
    fn digits_words_and_blanks_are_ascii_as_in_re2() {
        assert!(matches(r"^\d+$", "123") && !matches(r"^\d+$", "١٢٣"));
        assert!(matches(r"^[\w.]+$", "a_1.b") && !matches(r"^\w+$", "é") && matches(r"^[^\W]$", "a"));
        assert!(matches(r"\s", "\t") && !matches(r"\s", "\u{a0}") && matches(r"^\D\S$", "é."));
        assert!(matches(r"\bfoo\b", "a foo.") && !matches(r"\bfoo\b", "afoo"));
    }

    #[test]
    fn case_and_letters_go_beyond_ascii_as_in_re2() {
        assert!(matches("(?i)straẞe", "STRAßE") && matches("^(?i:FOO)$", "foo"));
        assert!(matches(r"^\pL+$", "éü") && matches(r"^\p{Greek}$", "λ") && !matches(r"^[\p{Lu}]$", "a"));
    }

    #[test]
    fn brackets_hold_characters_and_no_operators() {
        assert!(matches("^[a&&b]+$", "a&b") && matches("^[[]$", "[") && matches("^[a~~]$", "~"));
        assert!(matches("^[]a]$", "]") && matches("^[^]a]$", "b") && matches("^[[:alpha:]x]$", "b"));
        assert!(matches(r"^\Qa.b*\E$", "a.b*") && !matches(r"^\Qa.b\E$", "axb"));
    }

    #[test]
    fn what_re2_does_not_know_is_refused() {
        for pattern in ["(?x)a b", "(?u)a", "(?R)a", "[a--b]", "(?=a)", "a\\", "[a", r"\1"] {
            assert!(matches!(compiled(pattern), Err(Fail::Argument(_))), "{pattern}");
        }
        for pattern in ["((a{100}){100}){100}", r"\pL{1000}"] {
            assert!(matches!(compiled(pattern), Err(Fail::Limit(_))), "{pattern}");
        }
    }
}
