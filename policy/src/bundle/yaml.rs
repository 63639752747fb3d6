//! Data in YAML, as far as this reader and OPA's take it for the same value. What they take for two is refused, by its
//! line and with what to write instead.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;
use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, Span, StructureStyle, Tag};

/// YAML as JSON, its plain words read as OPA reads them: `yes` is text, `0777` is 511.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let value = parse(text)?;
    match Reader::default().read(text)? {
        Some(text) => parse(&text),
        None => Ok(value),
    }
}

fn parse(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! { strict_booleans: true, legacy_octal_numbers: true };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| format!("not YAML: {}", error.without_snippet().to_string().replace(OPTION, "")))
}

/// What the reader advises its callers.
const OPTION: &str = ", set DuplicateKeyPolicy in Options if acceptable";

/// Whether OPA, which leaves out every `_`, reads a plain word as a number.
pub(crate) fn is_number(word: &str) -> bool {
    static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let real = "(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)(?:[eE][-+]?[0-9]+)?";
        Regex::new(&format!("^[-+]?(?:{real}|0[bB][-+]?[01]+|0[oO][-+]?[0-7]+|0[xX][0-9a-fA-F]+)$")).ok()
    });
    let number = |plain: &str| NUMBER.as_ref().is_none_or(|number| number.is_match(plain));
    !word.starts_with('_') && number(&word.replace('_', ""))
}

/// A plain word that is neither a number nor text.
fn is_constant(word: &str) -> bool {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    matches!(word, "" | "~" | "null" | "Null" | "NULL" | ".nan" | ".NaN" | ".NAN")
        || matches!(word, "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
        || matches!(unsigned, ".inf" | ".Inf" | ".INF")
}

/// Whether a number with `_` in it is one to this reader too.
fn is_underlined_alike(word: &str) -> bool {
    static ALIKE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let digits = |first: &str, digit: &str| format!("{first}{digit}*(?:_{digit}+)*");
        let [ten, two, eight, sixteen] = [
            digits("[1-9]", "[0-9]"),
            digits("0[bB][01]", "[01]"),
            digits("0[oO]?[0-7]", "[0-7]"),
            digits("0[xX][0-9a-fA-F]", "[0-9a-fA-F]"),
        ];
        Regex::new(&format!("^[-+]?(?:{ten}|{two}|{eight}|0(?:_[0-7]+)+|{sixteen})$")).ok()
    });
    ALIKE.as_ref().is_some_and(|alike| alike.is_match(word))
}

/// Whether OPA, which reads a plain name first and then writes what it read, comes back to its letters.
fn is_kept(name: &str) -> bool {
    if !is_number(name) {
        return !is_constant(name) || matches!(name, "true" | "false" | ".inf" | "-.inf" | ".nan");
    }
    if name.contains(['_', 'e', 'E', '+']) || name == "-0" {
        return false;
    }
    if let Ok(whole) = name.parse::<i128>() {
        let range = i128::from(i64::MIN)..=i128::from(u64::MAX);
        return range.contains(&whole) && whole.to_string() == name;
    }
    // A fraction is written with 32 bits, and with an exponent where it is large or small.
    let Ok(fraction) = name.parse::<f32>() else { return false };
    (1e-4..1e6).contains(&fraction.abs()) && fraction.to_string() == name
}

/// What a collection's next member is.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Item,
    Name,
    Value,
    /// Of the name `<<`.
    Merged,
}

/// Goes through a text for what OPA reads otherwise.
#[derive(Default)]
struct Reader {
    /// The collections that are open: whether each stands in brackets, and what comes next in it.
    open: Vec<(bool, Next)>,
    /// The anchors of plain words that OPA writes otherwise as names.
    changed: BTreeSet<usize>,
}

impl Reader {
    /// The text to be read in this one's place, if one is.
    fn read(mut self, text: &str) -> Result<Option<String>, String> {
        if let Some((before, _)) = text.split_once(['\u{85}', '\u{2028}', '\u{2029}']) {
            let why = "a line ends with U+0085, U+2028 or U+2029, which OPA reads otherwise: write it as an escape, \"\\u2028\"";
            return Err(at(before.matches('\n').count() + 1, why));
        }
        let options = granit_parser::options! { emit_anchor_events: true, emit_comments: false };
        let mut instead = None;
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(|error| format!("not YAML: {error}"))?;
            self.event(&event, &span, text).map_err(|why| at(span.start.line(), &why))?;
            if let Event::Scalar(value, ScalarStyle::Literal | ScalarStyle::Folded, ..) = &event
                && span.byte_range().is_some_and(|range| range.end == text.len())
            {
                instead = without_an_end(text, value, &span).map_err(|why| at(span.start.line(), &why))?;
            }
        }
        Ok(instead)
    }

    fn event(&mut self, event: &Event<'_>, span: &Span, text: &str) -> Result<(), String> {
        match event {
            Event::DocumentStart(_, Some(version)) if (version.major, version.minor) != (1, 1) => {
                return Err("OPA reads YAML 1.1: leave the line `%YAML` out".to_owned());
            }
            Event::Anchor(_, name)
                if !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) =>
            {
                return Err(format!("OPA takes no anchor &{}: name it with a-z, 0-9, - and _", short(name)));
            }
            Event::Alias(anchor) => {
                let is = self.next(false);
                if is == Next::Name && self.changed.contains(anchor) {
                    return Err(
                        "a name by its anchor, which OPA writes otherwise: write it out in quotes".to_owned()
                    );
                }
            }
            Event::Scalar(value, style, anchor, tag) => {
                self.scalar(value, *style, *anchor, tag.as_deref(), span.slice(text).unwrap_or_default())?;
                let behind = span.byte_range().and_then(|range| text.get(range.end..)).unwrap_or_default();
                let in_brackets = self.open.last().is_some_and(|(in_brackets, _)| *in_brackets);
                let glued =
                    behind.strip_prefix(':').is_some_and(|rest| rest.starts_with([',', '[', ']', '{', '}']));
                if *style == ScalarStyle::Plain && !span.is_empty() && in_brackets && glued {
                    return Err(format!(
                        "OPA takes the colon for a part of {}: put a blank behind it",
                        short(value)
                    ));
                }
            }
            Event::SequenceStart(style, ..) => {
                self.next(false);
                self.open.push((*style == StructureStyle::Flow, Next::Item));
            }
            Event::MappingStart(style, ..) => {
                self.next(false);
                self.open.push((*style == StructureStyle::Flow, Next::Name));
            }
            Event::SequenceEnd | Event::MappingEnd => drop(self.open.pop()),
            _ => {}
        }
        Ok(())
    }

    /// What a node is, of the collection that it stands in; `merges` where it is the name `<<`.
    fn next(&mut self, merges: bool) -> Next {
        let Some((_, next)) = self.open.last_mut() else { return Next::Item };
        let is = *next;
        *next = match is {
            Next::Item => Next::Item,
            Next::Name if merges => Next::Merged,
            Next::Name => Next::Value,
            Next::Value | Next::Merged => Next::Name,
        };
        is
    }

    fn scalar(
        &mut self,
        value: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        written: &str,
    ) -> Result<(), String> {
        let plain = style == ScalarStyle::Plain;
        let kind = tag.and_then(|tag| tag.suffix_in_namespace("tag:yaml.org,2002:")).unwrap_or_default();
        let known =
            matches!(&*kind, "str" | "int" | "float" | "bool" | "null" | "binary" | "timestamp" | "merge");
        let own = tag.is_some() && !known;
        let is = self.next(plain && value == "<<" && (tag.is_none() || kind == "merge"));
        let shown = short(value);
        if is == Next::Merged {
            return Err("`<<` takes a mapping".to_owned());
        }
        if style == ScalarStyle::DoubleQuoted && has_escape_of_json(written) {
            return Err(
                "OPA takes no `\\/` and no half of a character, `\\ud83d`: write the character".to_owned()
            );
        }
        if kind == "null" && !(plain && is_constant(value)) {
            return Err(format!("{shown} is not null"));
        }
        if is == Next::Name && kind == "binary" {
            return Err(format!("OPA takes the name {shown} for base64: write what it stands for"));
        }
        if !plain || kind == "str" {
            return Ok(());
        }
        if own && (is_number(value) || is_constant(value)) {
            return Err(format!("{shown} has a tag: leave the tag out, or put {shown} in quotes"));
        }
        if is != Next::Name && value.contains('_') && is_number(value) && !is_underlined_alike(value) {
            return Err(format!("OPA takes {shown} for a number: write it without `_`, or in quotes"));
        }
        if is_kept(value) {
            return Ok(());
        }
        if anchor != 0 {
            self.changed.insert(anchor);
        }
        if is == Next::Name {
            return Err(format!("OPA takes the name {shown} for a number or a constant: put it in quotes"));
        }
        Ok(())
    }
}

/// The file with a `-` at the text of several lines that ends it, whose last line does not end: OPA gives it no end
/// either, this reader one, but where the `-` says otherwise. None where both give the same.
fn without_an_end(text: &str, value: &str, span: &Span) -> Result<Option<String>, String> {
    let Some(begin) = span.byte_range().map(|range| range.start) else { return Ok(None) };
    let last = text.rsplit(['\n', '\r']).next().unwrap_or_default();
    let is_blank = last.chars().all(|c| c == ' ' || c == '\t');
    // Blanks that are no more than the indentation are none of the text.
    let is_outside = is_blank && !last.contains('\t') && Some(last.len()) <= span.indent;
    if last.is_empty() || value.is_empty() || is_outside && !value.trim_end_matches('\n').is_empty() {
        return Ok(None);
    }
    let refused = Err("a text of several lines at the end of the file: end its last line".to_owned());
    let (before, lines) = text.split_at(begin);
    let header = before.trim_end();
    let Some(mark) = header.rfind(['|', '>']).filter(|_| !is_blank) else { return refused };
    let (before, behind) = header.split_at(mark + 1);
    // Another such mark in that line may be in a name or a comment.
    if before.rsplit(['\n', '\r']).next().is_none_or(|line| line.matches(['|', '>']).count() != 1) {
        return refused;
    }
    let signs =
        behind.len() - behind.trim_start_matches(|c: char| "+-".contains(c) || c.is_ascii_digit()).len();
    let (signs, comment) = behind.split_at(signs);
    let indentation = signs.replace(['+', '-'], "");
    let blanks = text.get(header.len()..begin).unwrap_or_default();
    Ok(Some(format!("{before}-{indentation}{comment}{blanks}{lines}")))
}

/// Whether a text in quotes has an escape that only JSON has: of a slash, or of one half of a character.
fn has_escape_of_json(written: &str) -> bool {
    let mut rest = written;
    while let Some((_, escape)) = rest.split_once('\\') {
        let digits = escape.strip_prefix('u').unwrap_or_default();
        if escape.starts_with('/')
            || digits.starts_with(['d', 'D']) && digits.get(1..2).is_some_and(|c| c >= "8")
        {
            return true;
        }
        let mut behind = escape.chars();
        behind.next();
        rest = behind.as_str();
    }
    false
}

fn at(line: usize, why: &str) -> String {
    format!("line {line}: {why}")
}

/// The beginning of a word.
fn short(word: &str) -> String {
    word.chars().take(40).collect()
}
