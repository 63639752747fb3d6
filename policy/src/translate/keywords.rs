//! Rules and references that begin with a keyword: `if.foo := 1`, and `if.foo == 1` as a statement.
//!
//! The engine's parser takes a keyword anywhere in a reference but at its beginning. There it is given a stand-in of
//! the same length first, so that the module can be parsed and every place in it stays where it is. Then the rule
//! `if.foo` of package `a` becomes the rule `foo` of package `a.if`, in a module of its own with the same lines, and
//! what the author calls `if.foo` is read as `data.a.if.foo`. So every document keeps the names that were written.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Ref, Rule, Span};

use super::{Edit, Translated};
use crate::gate::names::{self, Names};
use crate::gate::walk::{self, Seen};
use crate::problem::{Problem, Problems};

/// All keywords of OPA but `contains`, which the engine takes at the beginning too.
const KEYWORDS: [&str; 14] = [
    "as", "default", "else", "every", "false", "if", "import", "in", "not", "null", "package", "some",
    "true", "with",
];

/// What stands for a keyword in one module, and the keyword.
pub(crate) type StandIns = BTreeMap<String, &'static str>;

/// Writes a stand-in for each keyword that a rule or a statement begins with as a reference does, and `;` for the blank
/// before a parenthesis that begins a line: the engine takes it for that of a call, `some i` above it for one of `i`.
pub(crate) fn stand_ins(translated: &mut Translated) {
    let mut known: BTreeMap<&str, Option<String>> = BTreeMap::new();
    let scan = Scan::of(&translated.text);
    for blank in scan.blanks {
        translated.text.replace_range(blank..=blank, ";");
    }
    for (at, keyword) in scan.keywords {
        let stand_in = known.entry(keyword).or_insert_with(|| free(keyword, &translated.text));
        // Without a stand-in the engine's parser says that the keyword is none of its names.
        let Some(stand_in) = stand_in else { continue };
        translated.text.replace_range(at..at + keyword.len(), stand_in);
        translated.stand_ins.insert(stand_in.clone(), keyword);
    }
}

/// The keyword with some of its letters large, as it stands nowhere in the text.
fn free(keyword: &str, text: &str) -> Option<String> {
    let large = |mask: u32| {
        let letter = |(at, c): (usize, char)| if mask >> at & 1 == 0 { c.to_ascii_uppercase() } else { c };
        keyword.chars().enumerate().map(letter).collect::<String>()
    };
    (0..(1 << keyword.len()) - 1).map(large).find(|name| !text.contains(name.as_str()))
}

/// What stood before the place that is looked at.
#[derive(Clone, Copy)]
enum Before<'a> {
    Nothing,
    Word(&'a str),
    Sign(char),
    Text,
}

#[derive(Default)]
struct Scan {
    /// Where a keyword begins a rule or a statement and goes on as a reference does.
    keywords: Vec<(usize, &'static str)>,
    /// Blanks before a parenthesis that begins a line behind a name.
    blanks: Vec<usize>,
}

impl Scan {
    fn of(text: &str) -> Self {
        let mut found = Self::default();
        let (mut before, mut new_line, mut at) = (Before::Nothing, true, 0);
        while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
            let begin = at;
            at += c.len_utf8();
            let rest = text.get(at..).unwrap_or_default();
            match c {
                '\n' => new_line = true,
                c if c.is_whitespace() => {}
                '#' => at += rest.find('\n').unwrap_or(rest.len()),
                '"' | '`' => {
                    at += end_of_text(rest, c);
                    (before, new_line) = (Before::Text, false);
                }
                c if word(c) => {
                    at += rest.find(|c| !word(c)).unwrap_or(rest.len());
                    let name = text.get(begin..at).unwrap_or_default();
                    let field = matches!(before, Before::Sign('.'));
                    let follows = text.get(at..).unwrap_or_default();
                    let keyword = KEYWORDS.into_iter().find(|keyword| *keyword == name);
                    if let Some(keyword) = keyword.filter(|_| !field && goes_on(follows))
                        && begins(before, new_line)
                    {
                        found.keywords.push((begin, keyword));
                    }
                    (before, new_line) = (if field { Before::Text } else { Before::Word(name) }, false);
                }
                '(' => {
                    let blank = begin.checked_sub(1).filter(|at| {
                        text.as_bytes().get(*at).is_some_and(|byte| matches!(byte, b' ' | b'\t'))
                    });
                    if let Some(blank) = blank.filter(|_| new_line && ends(before)) {
                        found.blanks.push(blank);
                    }
                    (before, new_line) = (Before::Sign(c), false);
                }
                c => (before, new_line) = (Before::Sign(c), false),
            }
        }
        found
    }
}

const fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether what follows makes a reference of a name.
fn goes_on(follows: &str) -> bool {
    let field = follows.strip_prefix('.').and_then(|rest| rest.chars().next());
    field.is_some_and(|c| word(c) && !c.is_ascii_digit()) || follows.starts_with("[\"")
}

/// Whether a rule or a statement may begin after this, as OPA has it: nowhere inside an expression.
fn begins(before: Before<'_>, new_line: bool) -> bool {
    match before {
        Before::Nothing | Before::Sign('{' | ';' | '|') | Before::Word("if" | "default") => true,
        Before::Sign(c) => new_line && matches!(c, '}' | ')' | ']'),
        Before::Word(_) | Before::Text => new_line,
    }
}

/// Whether an expression may end here with what the engine takes for the name of a function.
fn ends(before: Before<'_>) -> bool {
    match before {
        Before::Word(name) => !KEYWORDS.contains(&name) && name != "contains",
        Before::Text | Before::Sign(']') => true,
        Before::Nothing | Before::Sign(_) => false,
    }
}

/// How many bytes there are to the end of a text, its closing quote included.
fn end_of_text(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Moves every rule that begins with a keyword into the package that it means. None where there is no such rule and no
/// such reference in any module.
pub(crate) fn moved(
    modules: &[Ref<Module>],
    texts: &[Translated],
) -> Result<Option<Vec<Translated>>, Problems> {
    if texts.iter().all(|text| text.stand_ins.is_empty()) {
        return Ok(None);
    }
    let names = Names::of(modules);
    let (mut all, mut added, mut problems) = (Vec::new(), Vec::new(), Problems::default());
    for (module, text) in modules.iter().zip(texts) {
        let mut mover = Mover { module, names: &names, text, problems: Problems::default() };
        let (rest, own) = mover.parts();
        all.push(Translated { stand_ins: StandIns::new(), ..rest.unwrap_or_else(|| text.clone()) });
        added.extend(own.into_iter().map(|own| Translated { stand_ins: StandIns::new(), ..own }));
        problems.append(mover.problems);
    }
    all.extend(added);
    if problems.is_empty() { Ok(Some(all)) } else { Err(problems) }
}

struct Mover<'a> {
    module: &'a Module,
    names: &'a Names,
    text: &'a Translated,
    problems: Problems,
}

/// A rule's text, from where it begins to where the next one does.
struct Stretch {
    from: u32,
    to: u32,
    /// The keywords that its name begins with; none for a rule that stays.
    keywords: Vec<String>,
    edits: Vec<Edit>,
}

impl Mover<'_> {
    /// What stays of the module, and a module for each package that its rules go to.
    fn parts(&mut self) -> (Option<Translated>, Vec<Translated>) {
        if self.text.stand_ins.is_empty() {
            return (None, Vec::new());
        }
        let stretches = self.stretches();
        let packages: BTreeSet<&[String]> = stretches.iter().map(|rule| rule.keywords.as_slice()).collect();
        let own = packages.into_iter().filter(|keywords| !keywords.is_empty()).filter_map(|keywords| {
            let mut edits = vec![Edit::new(
                self.module.package.span.end,
                self.module.package.span.end,
                keywords.iter().flat_map(|keyword| [".", keyword]).collect::<String>(),
            )];
            for rule in &stretches {
                if rule.keywords == keywords {
                    edits.extend(rule.edits.iter().cloned());
                } else {
                    edits.extend(self.blank(rule.from, rule.to));
                }
            }
            self.text.edited(edits)
        });
        let own = own.collect();
        let stays = stretches.iter().flat_map(|rule| {
            let edits = if rule.keywords.is_empty() { rule.edits.clone() } else { Vec::new() };
            let blank = self.blank(rule.from, rule.to).filter(|_| !rule.keywords.is_empty());
            edits.into_iter().chain(blank)
        });
        (self.text.edited(stays.collect()), own)
    }

    /// The lines of a stretch, with nothing on them.
    fn blank(&self, from: u32, to: u32) -> Option<Edit> {
        let text = self.text.text.get(from as usize..to as usize).filter(|text| !text.is_empty())?;
        let lines = text.matches('\n').count();
        Some(Edit::new(from, to, if lines == 0 { " ".to_owned() } else { "\n".repeat(lines) }))
    }

    fn stretches(&mut self) -> Vec<Stretch> {
        let begins: Vec<u32> = self.module.policy.iter().map(|rule| rule.span().start).collect();
        let end = u32::try_from(self.text.text.len()).unwrap_or(u32::MAX);
        let ends = begins.iter().skip(1).copied().chain([end]);
        let rules = self.module.policy.iter().zip(begins.iter().copied().zip(ends));
        rules.map(|(rule, (from, to))| self.stretch(rule, from, to)).collect()
    }

    fn stretch(&mut self, rule: &Rule, from: u32, to: u32) -> Stretch {
        let refr = match rule {
            Rule::Spec { head, .. } => names::head_name(head),
            Rule::Default { refr, .. } => refr,
        };
        let mut stretch = Stretch { from, to, keywords: Vec::new(), edits: Vec::new() };
        if self.keyword(names::begin(refr).text()).is_some() {
            self.rename(refr, &mut stretch);
        }
        let (mut roots, mut bound) = (Vec::new(), BTreeSet::new());
        walk::rule(rule, &mut |seen| match seen {
            Seen::Ref(refr) | Seen::Call { fcn: refr, .. } => roots.push(refr),
            Seen::With(with) => roots.push(with.refr.as_ref()),
            Seen::Binds(name, _) => {
                bound.insert(name.text().to_owned());
            }
            Seen::Opens(_)
            | Seen::Closes
            | Seen::Compares(_)
            | Seen::Object(_)
            | Seen::Comprehension(_)
            | Seen::Member(_)
            | Seen::Minus(_)
            | Seen::Replaces(_)
            | Seen::Number(_)
            | Seen::Restores => {}
        });
        for refr in roots {
            self.read(refr, &bound, &mut stretch);
        }
        stretch
    }

    fn keyword(&self, name: &str) -> Option<&'static str> {
        self.text.stand_ins.get(name).copied()
    }

    /// The name of the rule without the keywords that it begins with.
    fn rename(&mut self, refr: &Expr, stretch: &mut Stretch) {
        let first = names::begin(refr);
        let mut parts = Vec::new();
        let mut rest = refr;
        loop {
            match rest {
                Expr::RefDot { refr, field, .. } => {
                    parts.push(Some(&field.0));
                    rest = refr;
                }
                Expr::RefBrack { refr, .. } => {
                    parts.push(None);
                    rest = refr;
                }
                _ => break,
            }
        }
        parts.reverse();
        stretch.keywords.extend(self.keyword(first.text()).map(str::to_owned));
        for part in parts {
            match part {
                Some(name) if KEYWORDS.contains(&name.text()) => {
                    stretch.keywords.push(name.text().to_owned());
                }
                Some(name) => {
                    stretch.edits.push(Edit::new(first.start, name.start, String::new()));
                    return;
                }
                None => break,
            }
        }
        let name = stretch.keywords.join(".");
        let why = "is the name of a rule and has no name behind its keywords";
        self.problem(first, &name, why, &format!("`{name}.NAME`, or a name that is no keyword"));
    }

    /// A name in a rule, as it is read where the rule goes.
    fn read(&mut self, refr: &Expr, bound: &BTreeSet<String>, stretch: &mut Stretch) {
        let Expr::Var { span, .. } = root(refr) else { return };
        let name = span.text();
        let package = self.package().to_owned();
        if let Some(keyword) = self.keyword(name) {
            stretch.edits.push(Edit::new(span.start, span.end, format!("data.{package}.{keyword}")));
            return;
        }
        let alias = names::through_imports(self.module, &[name.to_owned()]).is_some();
        if stretch.keywords.is_empty() || matches!(name, "input" | "data") || alias {
            return;
        }
        let here = names::package(self.module);
        let ruled = |below: &[&str]| {
            let path = here.iter().map(String::as_str).chain(below.iter().copied()).chain([name]);
            self.names.defines_below(&path.map(str::to_owned).collect::<Vec<_>>())
        };
        let keywords: Vec<&str> = stretch.keywords.iter().map(String::as_str).collect();
        // Until it is moved, the first keyword stands there as its stand-in.
        let mut standing = keywords.clone();
        let stand_in =
            self.text.stand_ins.iter().find(|(_, stands_for)| Some(*stands_for) == keywords.first());
        if let (Some(first), Some((stand_in, _))) = (standing.first_mut(), stand_in) {
            *first = stand_in;
        }
        let (outside, inside) = (ruled(&[]), ruled(&keywords) || ruled(&standing));
        let said = keywords.join(".");
        match (bound.contains(name), outside, inside) {
            (true, true, _) => {
                let why = format!("is a rule and a variable, in a rule that begins with `{said}`");
                self.problem(span, name, &why, "another name for the variable");
            }
            (false, true, _) => {
                stretch.edits.push(Edit::new(span.start, span.start, format!("data.{package}.")));
            }
            (false, false, true) => {
                let why = "is not defined";
                self.problem(span, name, why, &format!("`data.{package}.{said}.{name}`"));
            }
            (_, false, _) => {}
        }
    }

    /// The package as it is written, `a["b-c"]`.
    fn package(&self) -> &str {
        let from = names::begin(&self.module.package.refr).start as usize;
        self.text.text.get(from..self.module.package.span.end as usize).unwrap_or_default()
    }

    fn problem(&mut self, span: &Span, construct: &str, why: &str, instead: &str) {
        self.problems.push(Problem::of(span.source.get_path(), construct, why, instead).at_span(span));
    }
}

/// What a reference begins with.
fn root(refr: &Expr) -> &Expr {
    match refr {
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => root(refr),
        _ => refr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stood_in(text: &str) -> String {
        let mut translated = Translated { text: text.to_owned(), ..Translated::default() };
        stand_ins(&mut translated);
        translated.text
    }

    #[test]
    fn a_keyword_that_begins_a_rule_or_a_statement_has_a_stand_in() {
        for (text, wanted) in [
            ("if.a := 1", "IF.a := 1"),
            ("default not.a(_) := 1", "default NOT.a(_) := 1"),
            ("x if some.a == 1", "x if SOME.a == 1"),
            ("x if {\n  with.a\n}\nelse.a := 2", "x if {\n  WITH.a\n}\nELSE.a := 2"),
            ("x := {1 | true.a; null[\"b\"]}", "x := {1 | TRUE.a; NULL[\"b\"]}"),
            ("IF := 2\nif.a := 1", "IF := 2\niF.a := 1"),
        ] {
            assert_eq!(stood_in(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_keyword_elsewhere_is_left_to_the_parser() {
        for text in [
            "x := if.a",
            "x := [if.a]",
            "x if not if.a",
            "x := input.if.a",
            "x := \"\nif.a\"",
            "# if.a\nx := `\nif.a`",
            "x if not .a",
            "x := 1 if 1 in[1]",
            "x if some y in z",
            "x := y.in\n\t.if.a",
        ] {
            assert_eq!(stood_in(text), text);
        }
    }
}
