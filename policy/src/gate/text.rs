//! The limits of a module's text.

use crate::problem::moves_the_cursor;
use crate::problem::{Problem, Problems};

/// Deepest nesting of brackets and braces. The engine's parser takes four times as long for every two more.
const DEPTH: usize = 10;
/// Most lines of one module.
pub(crate) const LINES: usize = 20_000;
/// Most characters of one line: room for a certificate as one text.
pub(crate) const COLUMNS: u32 = 8_192;

/// Finds the first place of each kind where the text goes beyond its limits.
pub(crate) fn check(name: &str, text: &str, problems: &mut Problems) {
    if text.lines().count() > LINES {
        let why = format!("has more than {LINES} lines");
        problems.push(Problem::of(name, "module", why, "several modules of one package"));
    }
    if let Some((index, _)) =
        text.lines().enumerate().find(|(_, line)| line.chars().count() > COLUMNS as usize)
    {
        let why = format!("is longer than {COLUMNS} characters");
        let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
        problems.push(Problem::of(name, "line", why, "the same on several lines").at(line, 1, text));
    }
    if let Some((index, column, c)) = unseen(text) {
        let why = "is not seen, and may make a reader see another policy";
        let instead = format!("its escape `\\u{:04x}` in a text, or nothing", u32::from(c));
        let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let construct = format!("U+{:04X}", u32::from(c));
        problems.push(Problem::of(name, &construct, why, instead).at(line, column, text));
    }
    if let Some((line, column)) = too_deep(text) {
        let why = format!("stands in more than {DEPTH} brackets and braces");
        let instead = "the inner part as a rule of its own, or as data";
        problems.push(Problem::of(name, "[ {", why, instead).at(line, column, text));
    }
}

/// A text from what is said in it on: without the white space and the comments before that.
pub(crate) fn said(text: &str) -> &str {
    let mut rest = text.trim_start();
    while rest.starts_with('#') {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest.trim_start());
    }
    rest
}

/// Line from 0, column from 1, and the first character that turns the direction of writing or has no width,
/// or is none: OPA takes NUL nowhere.
fn unseen(text: &str) -> Option<(usize, u32, char)> {
    let hidden = |c: char| {
        let turns = moves_the_cursor(c) && !c.is_control();
        turns || matches!(c, '\0' | '\u{200b}' | '\u{2060}' | '\u{feff}')
    };
    text.lines().enumerate().find_map(|(index, line)| {
        let (column, c) = (1..).zip(line.chars()).find(|(_, c)| hidden(*c))?;
        Some((index, column, c))
    })
}

/// Line and column of the first bracket beyond the limit; brackets in text and comments do not count.
fn too_deep(text: &str) -> Option<(u32, u32)> {
    #[derive(PartialEq)]
    enum In {
        Code,
        Comment,
        Text,
        Escape,
        RawText,
    }
    let (mut place, mut depth, mut line, mut column) = (In::Code, 0_usize, 1_u32, 0_u32);
    for c in text.chars() {
        column = column.saturating_add(1);
        if c == '\n' {
            (line, column) = (line.saturating_add(1), 0);
            if place != In::RawText {
                place = In::Code;
            }
            continue;
        }
        place = match (place, c) {
            (In::Code, '#') => In::Comment,
            (In::Code, '`') => In::RawText,
            (In::Text, '\\') => In::Escape,
            (In::Code, '"') | (In::Escape, _) => In::Text,
            (In::Text, '"') | (In::RawText, '`') => In::Code,
            (In::Code, '[' | '{') => {
                depth += 1;
                if depth > DEPTH {
                    return Some((line, column));
                }
                In::Code
            }
            (In::Code, ']' | '}') => {
                depth = depth.saturating_sub(1);
                In::Code
            }
            (place, _) => place,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_counted_in_code_only() {
        let ten = format!("x := {}1{}", "[{".repeat(5), "}]".repeat(5));
        let eleven = format!("# [[\ny := \"\\\"[[[[\"\nx := {}1{}", "[".repeat(11), "]".repeat(11));
        let quoted = "x := `[[[[[[[\n[[[[[[[[[`\ny := \"[[[[[[[[[[[[[[\" # [[[[[[[[[[[[[[[[";

        assert_eq!(too_deep(&ten), None);
        assert_eq!(too_deep(&eleven), Some((3, 16)));
        assert_eq!(too_deep(quoted), None);
    }

    #[test]
    fn an_escaped_quote_does_not_end_text() {
        let text = format!("x := \"\\\\\" # \"\ny := {}", "[".repeat(11));

        assert_eq!(too_deep(&text), Some((2, 16)));
    }

    #[test]
    fn what_is_not_seen_is_named_by_its_number_and_place() {
        for (c, name) in [
            ('\0', "U+0000"),
            ('\u{202e}', "U+202E"),
            ('\u{2066}', "U+2066"),
            ('\u{200b}', "U+200B"),
            ('\u{feff}', "U+FEFF"),
        ] {
            for text in [
                format!("package a\nx := 1 #{c}"),
                format!("package a\ny := `a{c}`"),
                format!("{c}package a"),
            ] {
                let mut problems = Problems::default();
                check("a.rego", &text, &mut problems);
                let told = problems.told(|problem| problem).problems;
                assert_eq!((told.len(), told[0].construct.as_str()), (1, name), "{text:?}");
                assert!(told[0].line > 0 && told[0].column > 0, "{told:?}");
            }
        }
        let mut problems = Problems::default();
        check("a.rego", "package a\nx := \"\\u202e é العربية \u{200d}\"", &mut problems);
        assert!(problems.is_empty());
    }

    #[test]
    fn long_lines_and_long_modules_are_named() {
        let mut problems = Problems::default();
        check("a.rego", &format!("package a\nx := \"{}\"", "a".repeat(9_000)), &mut problems);
        check("b.rego", &"\n".repeat(20_001), &mut problems);

        let told = problems.told(|problem| problem);
        let shown: Vec<_> =
            told.problems.iter().map(|p| (p.file.as_str(), p.line, p.construct.as_str())).collect();
        assert_eq!(shown, [("a.rego", 2, "line"), ("b.rego", 0, "module")]);
    }
}
