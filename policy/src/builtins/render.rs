//! `strings.render_template(template, values)`: of Go's `text/template`, what has one meaning here and there.
//!
//! `{{.a.b}}`, `{{$x.a}}`, `{{len …}}` and `{{not …}}`, `{{if}}` with `{{else if}}` and `{{else}}`, `{{with}}`, and
//! `{{range}}` with or without its variables; `{{-` and `-}}` take the blanks beside them. All else is an error.

use std::collections::BTreeMap;

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{OBJECT, TEXT};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] =
    &[Builtin::new("strings.render_template", &[TEXT, OBJECT], TEXT, By::Added(render_template))];

/// Longest template, and most bytes that come out.
const LONGEST: (usize, usize) = (64 * 1024, 256 * 1024);
/// Deepest nesting of `if`, `with` and `range`.
const DEEPEST: usize = 16;
/// Most parts that are gone through in one call.
const STEPS: usize = 20_000;

const WANT: Fail = Fail::Argument(
    "takes a template of {{.name}}, {{len …}}, {{not …}}, {{if}}, {{with}} and {{range}}, each with its {{end}}",
);
const WANT_VALUES: Fail =
    Fail::Argument("takes an object of names and values, without sets and numbers that are not whole");
const UNFIT: Fail = Fail::Argument("asks something of a value that the value does not have");
/// What stands for nothing, before OPA writes it anew in all that came out.
const NOTHING: &str = "<no value>";

/// The template with its values put in.
fn render_template(args: &[Value]) -> Result<Value, Fail> {
    let [template, values] = args else { return Err(Fail::Argument("takes a template and an object")) };
    weigh::deep(args)?;
    if !matches!(values, Value::Object(_)) || !plain(values) {
        return Err(WANT_VALUES);
    }
    let template = text(template)?;
    if template.len() > LONGEST.0 {
        return Err(Fail::Limit("a template of at most 64 KiB"));
    }
    let pieces = pieces(template)?;
    let mut parser = Parser { pieces: pieces.into_iter(), variables: Vec::new() };
    let (parts, Stop::All) = parser.block(0)? else { return Err(WANT) };
    let mut writer = Writer { root: values, variables: Vec::new(), steps: STEPS, out: String::new() };
    writer.block(&parts, Given::Value(values))?;
    let out = writer.out.replace(NOTHING, "<undefined>");
    weigh::pay(out.len())?;
    Ok(Value::from(out))
}

/// Whether OPA takes the value, and writes its numbers in one way alone.
fn plain(value: &Value) -> bool {
    match value {
        Value::Set(_) | Value::Undefined => false,
        Value::Number(number) => number.as_i64().is_some(),
        Value::Array(items) => items.iter().all(plain),
        Value::Object(members) => members.iter().all(|(name, value)| text(name).is_ok() && plain(value)),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

enum Piece<'a> {
    Text(&'a str),
    Action(&'a str),
}

/// Text and what stands in braces, by turns.
fn pieces(template: &str) -> Result<Vec<Piece<'_>>, Fail> {
    const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];
    let (mut pieces, mut rest, mut trim) = (Vec::new(), template, false);
    loop {
        let (before, after) = match rest.split_once("{{") {
            Some((before, after)) => (before, Some(after)),
            None => (rest, None),
        };
        let before = if trim { before.trim_start_matches(BLANKS) } else { before };
        let Some(after) = after else {
            pieces.push(Piece::Text(before));
            return Ok(pieces);
        };
        let (mut action, after) = after.split_once("}}").ok_or(WANT)?;
        let left = action.strip_prefix("- ");
        action = left.unwrap_or(action);
        let right = action.strip_suffix(" -");
        action = right.unwrap_or(action);
        let known = |c: char| c.is_ascii_alphanumeric() || " _.$,:=".contains(c);
        if !action.chars().all(known) {
            return Err(WANT);
        }
        pieces.push(Piece::Text(if left.is_some() { before.trim_end_matches(BLANKS) } else { before }));
        pieces.push(Piece::Action(action.trim()));
        (rest, trim) = (after, right.is_some());
    }
}

/// Where a value is found: its variable, or none for what is there, and the members below it.
struct Place<'a> {
    variable: Option<&'a str>,
    members: Vec<&'a str>,
}

enum Asked<'a> {
    Place(Place<'a>),
    Len(Place<'a>),
    Not(Place<'a>),
}

enum Part<'a> {
    Text(&'a str),
    Show(Asked<'a>),
    /// Whether what is asked takes the place of `.`, and what is written else.
    If {
        asked: Asked<'a>,
        with: bool,
        then: Vec<Part<'a>>,
        or: Vec<Part<'a>>,
    },
    Range {
        names: Vec<&'a str>,
        over: Asked<'a>,
        each: Vec<Part<'a>>,
        or: Vec<Part<'a>>,
    },
}

/// What ends a block.
enum Stop<'a> {
    All,
    End,
    Else,
    ElseIf(&'a str),
}

struct Parser<'a> {
    pieces: std::vec::IntoIter<Piece<'a>>,
    variables: Vec<&'a str>,
}

impl<'a> Parser<'a> {
    fn block(&mut self, depth: usize) -> Result<(Vec<Part<'a>>, Stop<'a>), Fail> {
        if depth > DEEPEST {
            return Err(Fail::Limit("a template that is at most 16 deep"));
        }
        let mut parts = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let action = match piece {
                Piece::Text(text) => {
                    parts.push(Part::Text(text));
                    continue;
                }
                Piece::Action(action) => action,
            };
            let (word, rest) = action.split_once(' ').unwrap_or((action, ""));
            let rest = rest.trim();
            match (word, rest) {
                ("end", "") => return Ok((parts, Stop::End)),
                ("else", "") => return Ok((parts, Stop::Else)),
                ("else", rest) => {
                    let asked = rest.strip_prefix("if ").ok_or(WANT)?;
                    return Ok((parts, Stop::ElseIf(asked.trim())));
                }
                ("if", asked) => parts.push(self.choice(asked, false, depth)?),
                ("with", asked) => parts.push(self.choice(asked, true, depth)?),
                ("range", over) => parts.push(self.range(over, depth)?),
                _ => parts.push(Part::Show(self.asked(action)?)),
            }
        }
        Ok((parts, Stop::All))
    }

    fn choice(&mut self, asked: &'a str, with: bool, depth: usize) -> Result<Part<'a>, Fail> {
        let asked = self.asked(asked)?;
        let (then, stop) = self.block(depth + 1)?;
        let or = match stop {
            Stop::ElseIf(asked) if !with => vec![self.choice(asked, false, depth + 1)?],
            stop => self.otherwise(&stop, depth)?,
        };
        Ok(Part::If { asked, with, then, or })
    }

    fn range(&mut self, written: &'a str, depth: usize) -> Result<Part<'a>, Fail> {
        let (names, over) = written.split_once(":=").unwrap_or(("", written));
        let name = |name: &'a str| name.trim().strip_prefix('$').filter(|name| is_name(name)).ok_or(WANT);
        let names: Vec<&str> = if names.is_empty() {
            Vec::new()
        } else {
            names.split(',').map(name).collect::<Result<_, _>>()?
        };
        if names.len() > 2 {
            return Err(WANT);
        }
        let over = self.asked(over.trim())?;
        let before = self.variables.len();
        self.variables.extend(&names);
        let (each, stop) = self.block(depth + 1)?;
        self.variables.truncate(before);
        let or = self.otherwise(&stop, depth)?;
        Ok(Part::Range { names, over, each, or })
    }

    fn otherwise(&mut self, stop: &Stop<'a>, depth: usize) -> Result<Vec<Part<'a>>, Fail> {
        match stop {
            Stop::End => Ok(Vec::new()),
            Stop::Else => match self.block(depth + 1)? {
                (or, Stop::End) => Ok(or),
                _ => Err(WANT),
            },
            Stop::All | Stop::ElseIf(_) => Err(WANT),
        }
    }

    fn asked(&self, written: &'a str) -> Result<Asked<'a>, Fail> {
        match written.split_once(' ') {
            Some(("len", of)) => self.place(of.trim()).map(Asked::Len),
            Some(("not", of)) => self.place(of.trim()).map(Asked::Not),
            _ => self.place(written).map(Asked::Place),
        }
    }

    fn place(&self, written: &'a str) -> Result<Place<'a>, Fail> {
        if written == "." {
            return Ok(Place { variable: None, members: Vec::new() });
        }
        let (first, rest) =
            written.split_once('.').map_or((written, None), |(first, rest)| (first, Some(rest)));
        let variable = first.strip_prefix('$');
        let known = variable.is_none_or(|name| name.is_empty() || self.variables.contains(&name));
        let members: Vec<&str> = rest.map_or_else(Vec::new, |rest| rest.split('.').collect());
        let begins = variable.is_some() || (first.is_empty() && !members.is_empty());
        if !known || !begins || !members.iter().all(|member| is_name(member)) {
            return Err(WANT);
        }
        Ok(Place { variable, members })
    }
}

fn is_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
}

/// What a place has.
#[derive(Clone, Copy)]
enum Given<'a> {
    Missing,
    Count(usize),
    Truth(bool),
    Value(&'a Value),
}

impl Given<'_> {
    /// A number is true whatever it is: to Go it comes as text.
    fn holds(self) -> bool {
        match self {
            Given::Missing | Given::Value(Value::Null) => false,
            Given::Count(count) => count > 0,
            Given::Truth(truth) => truth,
            Given::Value(Value::Bool(truth)) => *truth,
            Given::Value(Value::String(text)) => !text.is_empty(),
            Given::Value(Value::Array(items)) => !items.is_empty(),
            Given::Value(Value::Object(members)) => !members.is_empty(),
            Given::Value(_) => true,
        }
    }
}

struct Writer<'a> {
    root: &'a Value,
    variables: Vec<(&'a str, Given<'a>)>,
    steps: usize,
    out: String,
}

impl<'a> Writer<'a> {
    fn block(&mut self, parts: &[Part<'a>], dot: Given<'a>) -> Result<(), Fail> {
        for part in parts {
            self.step()?;
            match part {
                Part::Text(text) => self.put(text)?,
                Part::Show(asked) => match self.given(asked, dot)? {
                    Given::Missing | Given::Value(Value::Null) => self.put(NOTHING)?,
                    Given::Count(count) => self.put(&count.to_string())?,
                    Given::Truth(truth) => self.put(&truth.to_string())?,
                    Given::Value(value) => self.show(value)?,
                },
                Part::If { asked, with, then, or } => {
                    let given = self.given(asked, dot)?;
                    let within = if *with { given } else { dot };
                    if given.holds() { self.block(then, within)? } else { self.block(or, dot)? }
                }
                Part::Range { names, over, each, or } => {
                    let pairs: Vec<(Given<'a>, &'a Value)> = match self.given(over, dot)? {
                        Given::Missing | Given::Value(Value::Null) => Vec::new(),
                        Given::Value(Value::Array(items)) => {
                            items.iter().enumerate().map(|(at, item)| (Given::Count(at), item)).collect()
                        }
                        Given::Value(Value::Object(members)) => {
                            let sorted: BTreeMap<_, _> = members.iter().collect();
                            sorted.into_iter().map(|(name, value)| (Given::Value(name), value)).collect()
                        }
                        _ => return Err(UNFIT),
                    };
                    if pairs.is_empty() {
                        self.block(or, dot)?;
                    }
                    for (at, value) in pairs {
                        self.step()?;
                        let before = self.variables.len();
                        match names.as_slice() {
                            [name] => self.variables.push((name, Given::Value(value))),
                            [key, name] => self.variables.extend([(*key, at), (*name, Given::Value(value))]),
                            _ => {}
                        }
                        self.block(each, Given::Value(value))?;
                        self.variables.truncate(before);
                    }
                }
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), Fail> {
        self.steps = self.steps.checked_sub(1).ok_or(Fail::Limit("at most 20000 parts of a template"))?;
        Ok(())
    }

    fn given(&self, asked: &Asked<'a>, dot: Given<'a>) -> Result<Given<'a>, Fail> {
        match asked {
            Asked::Place(place) => self.at(place, dot),
            Asked::Not(place) => Ok(Given::Truth(!self.at(place, dot)?.holds())),
            Asked::Len(place) => match self.at(place, dot)? {
                Given::Value(Value::String(text)) => Ok(Given::Count(text.len())),
                Given::Value(Value::Array(items)) => Ok(Given::Count(items.len())),
                Given::Value(Value::Object(members)) => Ok(Given::Count(members.len())),
                _ => Err(UNFIT),
            },
        }
    }

    fn at(&self, place: &Place<'a>, dot: Given<'a>) -> Result<Given<'a>, Fail> {
        let mut given = match place.variable {
            None => dot,
            Some("") => Given::Value(self.root),
            Some(name) => {
                let found = self.variables.iter().rev().find(|(known, _)| *known == name);
                found.map(|(_, given)| *given).ok_or(WANT)?
            }
        };
        for member in &place.members {
            given = match given {
                Given::Missing => Given::Missing,
                Given::Value(Value::Object(members)) => {
                    members.get(&Value::from(*member)).map_or(Given::Missing, Given::Value)
                }
                _ => return Err(UNFIT),
            };
        }
        Ok(given)
    }

    fn put(&mut self, text: &str) -> Result<(), Fail> {
        if self.out.len() + text.len() > LONGEST.1 {
            return Err(Fail::Limit("at most 256 KiB of text"));
        }
        self.out.push_str(text);
        Ok(())
    }

    /// As Go shows a value, its text without quotes.
    fn show(&mut self, value: &Value) -> Result<(), Fail> {
        match value {
            Value::String(text) => self.put(text),
            Value::Bool(truth) => self.put(&truth.to_string()),
            Value::Number(number) => self.put(&number.format_decimal()),
            Value::Array(items) => {
                self.put("[")?;
                for (at, item) in items.iter().enumerate() {
                    self.put(if at > 0 { " " } else { "" })?;
                    self.show(item)?;
                }
                self.put("]")
            }
            Value::Object(members) => {
                self.put("map[")?;
                let sorted: BTreeMap<_, _> = members.iter().collect();
                for (at, (name, value)) in sorted.into_iter().enumerate() {
                    self.put(if at > 0 { " " } else { "" })?;
                    self.show(name)?;
                    self.put(":")?;
                    self.show(value)?;
                }
                self.put("]")
            }
            Value::Null | Value::Set(_) | Value::Undefined => self.put("<nil>"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::turn;

    const VALUES: &str =
        r#"{"a": {"b": "x", "n": null}, "list": [1, [], null], "no": false, "0": 0, "zero": 0}"#;

    fn rendered(template: &str) -> Option<String> {
        turn::begin(None);
        let rendered = render_template(&[template.into(), Value::from_json_str(VALUES).unwrap()]);
        rendered.ok().map(|value| value.as_string().unwrap().to_string())
    }

    #[test]
    fn what_has_one_meaning_is_written_as_go_writes_it() {
        for (template, want) in [
            (
                "{{.a.b}} {{ .a.n }} {{.c}} {{.c.d}} {{.list}} {{.a}}",
                "x <undefined> <undefined> <undefined> [1 [] <nil>] map[b:x n:<nil>]",
            ),
            ("{{range $i, $v := .list}}{{if $i}},{{end}}{{$v}}{{end}}", "1,[],<undefined>"),
            ("{{range $k, $v := .a}}{{$k}}={{$v}};{{end}}", "b=x;n=<undefined>;"),
            ("{{range .c}}x{{else}}none{{end}}", "none"),
            ("{{if .zero}}yes{{end}}{{if .no}}no{{else if .c}}c{{else}}else{{end}}", "yeselse"),
            ("{{with .a}}{{.b}}{{$.no}}{{end}}{{with .c}}{{else}}e{{end}}", "xfalsee"),
            ("{{len .list}} {{not .no}} a \n {{- .no -}} \n b }} {", "3 true afalseb }} {"),
        ] {
            assert_eq!(rendered(template).as_deref(), Some(want), "{template}");
        }
    }

    #[test]
    fn everything_else_is_an_error() {
        for template in [
            "{{",
            "{{}}",
            "{{end}}",
            "{{else}}",
            "{{if .a}}",
            "{{if .a}}{{else}}{{else}}{{end}}",
            "{{$x}}",
            "{{.}.}}",
            "{{if .no}}{{$x}}{{end}}",
            "{{range $x := .list}}{{else}}{{$x}}{{end}}",
            "{{.0}}",
            "{{.a.}}",
            "{{..a}}",
            "{{a}}",
            "{{.a .b}}",
            "{{\"a\"}}",
            "{{/* a */}}",
            "{{printf .a}}",
            "{{.a | len}}",
            "{{len .zero}}",
            "{{len .c}}",
            "{{.zero.a}}",
            "{{.list.a}}",
            "{{.a.n.b}}",
            "{{range .zero}}{{end}}",
            "{{$x := .a}}",
            "{{.a-}}",
            "{{range $x, $y, $z := .a}}{{end}}",
            "{{with .c}}{{else if .a}}{{end}}",
        ] {
            assert_eq!(rendered(template), None, "{template}");
        }
    }
}
