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

use super::{Fail, pattern_names};

/// Longest pattern, in bytes.
const LONGEST: usize = 1_024;
/// Largest compiled pattern, in bytes; time to compile and time to match grow with it.
const COMPILED: usize = 256 * 1024;
/// How deep the crate may go: it counts several levels for one group.
const NESTED: u32 = 1_000;
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
    let built = RegexBuilder::new(&translated(pattern)?)
        .size_limit(COMPILED)
        .dfa_size_limit(COMPILED)
        .nest_limit(NESTED)
        .build();
    let regex = Rc::new(built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => Fail::Limit("a pattern that compiles to at most 256 KiB"),
        error if error.to_string().contains("duplicate capture group name") => {
            Fail::Limit("groups with a name of their own")
        }
        _ => Fail::Limit("a pattern that the engine knows too"),
    })?);
    COMPILED_HERE.with_borrow_mut(|kept| {
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(pattern.to_owned(), Rc::clone(&regex));
    });
    Ok(regex)
}

/// The same pattern in the dialect of the crate; an error where RE2, as Go has it, takes it for none.
fn translated(pattern: &str) -> Result<String, Fail> {
    let mut scan =
        Scan { rest: pattern.chars().peekable(), out: String::new(), item: Item::Nothing, groups: vec![1] };
    scan.pattern()?;
    Ok(scan.out)
}

/// What a repetition would repeat, with the product of the repetitions in it.
#[derive(Clone, Copy)]
enum Item {
    /// The begin of a pattern, of a group, or of an alternative.
    Nothing,
    Once(usize),
    Repeated(usize),
    /// Flags, or an empty quote: RE2 repeats what stands before it, the crate nothing.
    Unclear,
}

struct Scan<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
    item: Item,
    /// The largest product in each open group; the first is the pattern's own.
    groups: Vec<usize>,
}

/// Most repetitions in RE2, those of nested ones multiplied.
const REPEATS: usize = 1_000;
/// Most open groups.
const GROUPS: usize = 100;

impl Scan<'_> {
    fn pattern(&mut self) -> Result<(), Fail> {
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => self.backslash()?,
                '[' => self.class()?,
                '(' => self.open()?,
                ')' => {
                    self.begin(Item::Nothing);
                    let product = self.groups.pop().unwrap_or(1);
                    if self.groups.is_empty() {
                        return Err(Fail::Argument(
                            "takes a pattern with as many opening as closing parentheses",
                        ));
                    }
                    self.out.push(')');
                    self.item = Item::Once(product);
                }
                '|' => {
                    self.begin(Item::Nothing);
                    self.out.push('|');
                }
                '*' | '+' | '?' => self.repeat(&c.to_string(), 1, false)?,
                '{' => match braces(self.rest.clone()) {
                    Some((written, least, most)) => {
                        (0..written.len()).for_each(|_| skip(&mut self.rest));
                        let size = most.unwrap_or(least);
                        if least > REPEATS || size > REPEATS || least > size {
                            return Err(Fail::Argument("takes a pattern with at most 1000 repetitions"));
                        }
                        self.repeat(&format!("{{{written}"), size, least >= 2 || size >= 2)?;
                        // RE2 keeps the groups of what is left out, the crate does not.
                        if most == Some(0) {
                            return Err(Fail::Limit("repetitions of at least one"));
                        }
                        if most.is_none() && least == 0 {
                            self.item = Item::Repeated(self.product());
                        }
                    }
                    None => self.literal('{'),
                },
                '^' | '$' | '.' => {
                    self.begin(Item::Once(1));
                    self.out.push(c);
                }
                c => self.literal(c),
            }
        }
        if self.groups.len() > 1 {
            return Err(Fail::Argument("takes a pattern with as many opening as closing parentheses"));
        }
        Ok(())
    }

    fn product(&self) -> usize {
        match self.item {
            Item::Once(product) | Item::Repeated(product) => product,
            Item::Nothing | Item::Unclear => 1,
        }
    }

    /// The item before is complete.
    fn begin(&mut self, item: Item) {
        let product = self.product();
        if let Some(group) = self.groups.last_mut() {
            *group = product.max(*group);
        }
        self.item = item;
    }

    fn literal(&mut self, c: char) {
        self.begin(Item::Once(1));
        self.out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }

    fn repeat(&mut self, written: &str, times: usize, counted: bool) -> Result<(), Fail> {
        let product = match self.item {
            Item::Once(product) => product * times.max(1),
            Item::Nothing => {
                return Err(Fail::Argument("takes a pattern with something before each repetition"));
            }
            Item::Repeated(_) => {
                return Err(Fail::Argument("takes a pattern with one repetition of the same"));
            }
            Item::Unclear => return Err(Fail::Limit("a pattern without a repetition behind flags")),
        };
        // What is repeated no time counts for itself alone.
        if counted && product > REPEATS {
            return Err(Fail::Argument("takes a pattern with at most 1000 repetitions"));
        }
        self.item = Item::Repeated(product);
        self.out.push_str(written);
        if self.rest.next_if_eq(&'?').is_some() {
            self.out.push('?');
        }
        Ok(())
    }

    fn backslash(&mut self) -> Result<(), Fail> {
        if self.rest.next_if_eq(&'Q').is_some() {
            // Up to `\E` or the end, every character stands for itself.
            let mut any = false;
            while let Some(c) = self.rest.next() {
                if c == '\\' && self.rest.next_if_eq(&'E').is_some() {
                    break;
                }
                any = true;
                self.literal(c);
            }
            if !any {
                self.begin(Item::Unclear);
            }
            return Ok(());
        }
        let written = match self.rest.peek() {
            Some('b') => "(?-u:\\b)",
            Some('B') => "(?-u:\\B)",
            Some('A') => "\\A",
            Some('z') => "\\z",
            _ => {
                self.begin(Item::Once(1));
                let written = match set(&mut self.rest)? {
                    Some(set) => set,
                    None => hex(escaped(&mut self.rest)?),
                };
                self.out.push_str(&written);
                return Ok(());
            }
        };
        self.rest.next();
        self.begin(Item::Once(1));
        self.out.push_str(written);
        Ok(())
    }

    /// What stands in brackets, the opening one read. Brackets, `&` and `~` inside are plain characters in RE2.
    fn class(&mut self) -> Result<(), Fail> {
        self.begin(Item::Once(1));
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let c = self.rest.next().ok_or(UNCLOSED)?;
            if c == ']' && !first {
                self.out.push(']');
                return Ok(());
            }
            first = false;
            if c == '[' && self.rest.peek() == Some(&':') {
                let inside: String = self.rest.clone().skip(1).collect();
                if let Some((name, _)) = inside.split_once(":]") {
                    if !NAMED.contains(&name.strip_prefix('^').unwrap_or(name)) {
                        return Err(Fail::Argument("takes a pattern with the named classes of RE2"));
                    }
                    self.out.extend(["[[:", name, ":]]"]);
                    (0..name.len() + 3).for_each(|_| skip(&mut self.rest));
                    continue;
                }
            }
            if c == '\\'
                && let Some(set) = set(&mut self.rest)?
            {
                self.out.push_str(&set);
                continue;
            }
            let from = if c == '\\' { escaped(&mut self.rest)? } else { c };
            self.out.push_str(&hex(from));
            let mut ahead = self.rest.clone();
            if ahead.next() == Some('-') && ahead.peek().is_some_and(|c| *c != ']') {
                self.rest.next();
                let c = self.rest.next().ok_or(UNCLOSED)?;
                let to = if c == '\\' { escaped(&mut self.rest)? } else { c };
                if to < from {
                    return Err(Fail::Argument("takes a pattern with ranges from the lesser to the greater"));
                }
                self.out.push('-');
                self.out.push_str(&hex(to));
            }
        }
    }

    /// A group or flags, the parenthesis read.
    fn open(&mut self) -> Result<(), Fail> {
        if self.rest.next_if_eq(&'?').is_none() {
            return self.group("(");
        }
        let inside: String = self.rest.clone().collect();
        if let Some(named) = inside.strip_prefix("P<").or_else(|| inside.strip_prefix('<')) {
            let name = named.split_once('>').map_or("", |(name, _)| name);
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(Fail::Argument("takes groups whose names are letters, digits and _"));
            }
            if name.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(Fail::Limit("a group whose name does not begin with a digit"));
            }
            (0..=inside.len() - named.len() + name.len()).for_each(|_| skip(&mut self.rest));
            return self.group(&format!("(?P<{name}>"));
        }
        let (mut on, mut off, mut minus, mut any) = (String::new(), String::new(), false, true);
        loop {
            match self.rest.next() {
                Some(c @ ('i' | 'm' | 's' | 'U')) => {
                    on.retain(|other| other != c);
                    off.retain(|other| other != c);
                    if minus {
                        off.push(c);
                    } else {
                        on.push(c);
                    }
                    any = true;
                }
                Some('-') if !minus => (minus, any) = (true, false),
                Some(end @ (':' | ')')) if any => {
                    let minus = if off.is_empty() { "" } else { "-" };
                    let written = format!("(?{on}{minus}{off}");
                    if end == ':' {
                        return self.group(&(written + ":"));
                    }
                    if written.len() > 2 {
                        self.out.push_str(&(written + ")"));
                    }
                    self.begin(Item::Unclear);
                    return Ok(());
                }
                Some('=' | '!' | '<') => return Err(Fail::Argument("takes a pattern of RE2")),
                _ => return Err(Fail::Argument("takes the flags i, m, s and U")),
            }
        }
    }

    fn group(&mut self, written: &str) -> Result<(), Fail> {
        self.begin(Item::Nothing);
        self.out.push_str(written);
        self.groups.push(1);
        if self.groups.len() > GROUPS {
            Err(Fail::Limit("a pattern with at most 99 nested groups"))
        } else {
            Ok(())
        }
    }
}

const UNCLOSED: Fail = Fail::Argument("takes a pattern with closed brackets");
const NAMED: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// `2}`, `2,}` or `2,3}` as it is written, with its numbers; none where the brace before it stands for itself.
fn braces(rest: Peekable<Chars<'_>>) -> Option<(String, usize, Option<usize>)> {
    let rest: String = rest.collect();
    let written = rest.split_once('}')?.0;
    let number = |digits: &str| {
        let plain = digits.bytes().all(|c| c.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
        // Too many digits for a number are too many repetitions.
        (plain && !digits.is_empty()).then(|| digits.parse().unwrap_or(usize::MAX))
    };
    let (least, most) = match written.split_once(',') {
        None => (number(written)?, Some(number(written)?)),
        Some((least, "")) => (number(least)?, None),
        Some((least, most)) => (number(least)?, Some(number(most)?)),
    };
    Some((format!("{written}}}"), least, most))
}

/// `\d`, `\pL` and their like, the backslash read; none where it is another.
fn set(rest: &mut Peekable<Chars<'_>>) -> Result<Option<String>, Fail> {
    let written = match rest.peek() {
        Some('d') => "[0-9]",
        Some('D') => "[^0-9]",
        Some('w') => "[0-9A-Za-z_]",
        Some('W') => "[^0-9A-Za-z_]",
        Some('s') => "[\\t\\n\\f\\r ]",
        Some('S') => "[^\\t\\n\\f\\r ]",
        Some('p' | 'P') => {
            const UNNAMED: Fail = Fail::Argument("takes a pattern with the class names of OPA");
            let mut not = rest.next() == Some('P');
            let mut name = String::from(rest.next().ok_or(UNNAMED)?);
            if name == "{" {
                let inside: String = rest.clone().collect();
                inside.split_once('}').ok_or(UNNAMED)?.0.clone_into(&mut name);
                (0..=name.chars().count()).for_each(|_| skip(rest));
                not ^= name.starts_with('^');
            }
            let name = name.strip_prefix('^').unwrap_or(&name);
            if !pattern_names::known(name) {
                return Err(UNNAMED);
            }
            return Ok(Some(format!("\\{}{{{name}}}", if not { 'P' } else { 'p' })));
        }
        _ => return Ok(None),
    };
    rest.next();
    Ok(Some(written.to_owned()))
}

/// The one character that is meant, the backslash read.
fn escaped(rest: &mut Peekable<Chars<'_>>) -> Result<char, Fail> {
    const UNKNOWN: Fail = Fail::Argument("takes a pattern with the escapes of RE2");
    let c = rest.next().ok_or(UNKNOWN)?;
    let (digits, base): (String, u32) = match c {
        '1'..='7' if !rest.peek().is_some_and(|c| matches!(c, '0'..='7')) => return Err(UNKNOWN),
        '0'..='7' => {
            let mut digits = String::from(c);
            while let Some(c) = rest.next_if(|c| digits.len() < 3 && matches!(c, '0'..='7')) {
                digits.push(c);
            }
            (digits, 8)
        }
        'x' if rest.next_if_eq(&'{').is_some() => {
            let mut digits = String::new();
            loop {
                match rest.next() {
                    Some('}') => break,
                    Some(c) if c.is_ascii_hexdigit() => digits.push(c),
                    _ => return Err(UNKNOWN),
                }
            }
            (digits, 16)
        }
        'x' => {
            let digits: String = rest.by_ref().take(2).collect();
            if digits.chars().count() < 2 {
                return Err(UNKNOWN);
            }
            (digits, 16)
        }
        'a' => return Ok('\u{7}'),
        'f' => return Ok('\u{c}'),
        'n' => return Ok('\n'),
        'r' => return Ok('\r'),
        't' => return Ok('\t'),
        'v' => return Ok('\u{b}'),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => return Ok(c),
        _ => return Err(UNKNOWN),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return Err(UNKNOWN);
    }
    let number = u32::from_str_radix(&digits, base).map_err(|_| UNKNOWN)?;
    match char::from_u32(number) {
        Some(c) => Ok(c),
        None if number < 0x0011_0000 => Err(Fail::Limit("a pattern without halves of surrogate pairs")),
        None => Err(UNKNOWN),
    }
}

fn skip(rest: &mut Peekable<Chars<'_>>) {
    rest.next();
}

fn hex(c: char) -> String {
    format!("\\x{{{:x}}}", u32::from(c))
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
        for pattern in [
            "(?x)a b",
            "(?u)a",
            "(?R)a",
            "[a--b]",
            "(?=a)",
            "a\\",
            "[a",
            r"\1",
            "a**",
            "a{2}{3}",
            "(a{40}){40}|b",
            "[[:w:]]",
        ] {
            assert!(matches!(compiled(pattern), Err(Fail::Argument(_))), "{pattern}");
        }
        assert!(matches!(compiled(r"\pL{1000}"), Err(Fail::Limit(_))));
    }
}
