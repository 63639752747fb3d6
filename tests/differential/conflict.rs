//! Whether what OPA fails by, a conflict, is a conflict here too: the two evaluate in another order, and one of them may
//! come by what the other has no need of.

use std::collections::BTreeSet;

use postern_policy::{LoadError, Rules};

use crate::compare::{CONTRADICT, Ours, Place, Theirs};
use crate::generate::is_name;
use crate::run::{answer, load};

/// What stands for a name whose value is not known.
const STAND_INS: [&str; 5] = ["1", "\"a\"", "true", "input", "[]"];
/// Most calls of one function.
const CALLS: usize = 20;

/// What was asked, of which modules and data.
pub struct Asked<'a> {
    pub rule: &'a str,
    pub input: &'a str,
    pub texts: &'a [(&'a str, String)],
    pub data: &'a str,
}

/// Whether the rule, the function or the comprehension that contradicts itself in OPA's words does so here, asked alone.
pub fn is_here_too(asked: &Asked<'_>, theirs: &Theirs, rules: &mut Result<Rules, LoadError>) -> bool {
    let Theirs::Error { code, message, place } = theirs else { return false };
    if code != "eval_conflict_error" {
        return false;
    }
    let named = |kind: &str| message.strip_prefix(kind).and_then(|rest| rest.split(' ').next());
    // Of a rule's bodies OPA goes on behind one that a builtin fails in, or has a bound for here, and the engine ends there: it
    // fails here too.
    let fails = |ours: &Ours| matches!(ours, Ours::Error { kind: "conflict" | "error" | "cap", .. });
    let mut rule = |name: &str| name != asked.rule && fails(&answer(rules, name, asked.input).0);
    match (named("rule "), named("function "), place) {
        (Some(name), ..) => rule(name),
        (_, Some(function), _) => in_function(asked, function),
        (_, _, Some(place)) if message.contains(CONTRADICT) => {
            around(asked, place).is_some_and(|name| rule(&name)) || in_comprehension(asked, place)
        }
        _ => false,
    }
}

fn is_conflict(ours: &Ours) -> bool {
    matches!(ours, Ours::Error { kind: "conflict", .. })
}

/// Whether a function contradicts itself here too where it is called with what the case calls it with. Where no call is
/// without names that have their values from around it, each of a few stands for such an argument.
fn in_function(asked: &Asked<'_>, function: &str) -> bool {
    let name = function.rsplit('.').next().unwrap_or(function);
    let Some(takes) = arity(asked, name) else { return false };
    let (mut known, mut guessed) = (BTreeSet::new(), BTreeSet::new());
    for (_, text) in asked.texts {
        for rest in calls(text, name) {
            let mut given = arguments(rest);
            // One more is what the result is compared with.
            given.truncate(takes);
            // The call stands in another package: a rule by its name alone is not known there.
            for of in given.iter_mut().filter(|of| is_rule(of)) {
                of.insert_str(0, &format!("data.{}.", package(text)));
            }
            // A name that stands nowhere else has its value from within.
            let many = |name: &str, of: &str| words(of).filter(|word| *word == name).count();
            let is_known = |of: &String| {
                words(of).filter(|word| is_name(word)).all(|name| many(name, of) == many(name, text))
            };
            if given.iter().all(is_known) {
                known.insert(given);
                continue;
            }
            for stand_in in STAND_INS {
                let of = given.iter().map(|of| if is_known(of) { of } else { stand_in });
                guessed.insert(of.map(str::to_owned).collect());
            }
        }
    }
    let (all, are_known) = if known.is_empty() { (guessed, false) } else { (known, true) };
    all.into_iter().take(CALLS).any(|given| contradicts(asked, function, &given, are_known))
}

/// Whether the function itself contradicts itself, and nothing that it or its arguments call: the engine tells the line
/// of the call, and the arguments stand on others. Where a builtin fails on the way, OPA goes on to the conflict, and the
/// engine ends: with arguments that are known and do not fail themselves, the function fails here too.
fn contradicts(asked: &Asked<'_>, function: &str, given: &[String], are_known: bool) -> bool {
    let given = given.join(",\n");
    match alone(asked, &format!("package fz.call\n\nr := {function}(\n{given}\n)\n")) {
        Ours::Error { kind: "conflict", detail } => detail.contains("call.rego:3:"),
        Ours::Error { kind: "error" | "cap", .. } if are_known => {
            let arguments = alone(asked, &format!("package fz.call\n\nr := [\n{given}\n]\n"));
            matches!(arguments, Ours::Value(_))
        }
        _ => false,
    }
}

/// What stands behind the parenthesis of each call of this name.
fn calls<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!("{name}(");
    let whole = |at: usize| !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    // In a body nothing that is called has a body or a value.
    let is_head = |at: usize, rest: &str| {
        let behind = &rest[until_closed(rest).len()..];
        (text[..at].ends_with('\n') || text[..at].ends_with("default "))
            && [") :=", ") if"].iter().any(|of| behind.starts_with(of))
    };
    let all = text.match_indices(&begin).map(|(at, _)| (at, &text[at + begin.len()..]));
    all.filter(|(at, rest)| whole(*at) && !is_head(*at, rest)).map(|(_, rest)| rest).collect()
}

/// How many arguments the function of this name takes, by the head of one of its rules.
fn arity(asked: &Asked<'_>, name: &str) -> Option<usize> {
    let head = format!("{name}(");
    let lines = asked.texts.iter().flat_map(|(_, text)| text.lines());
    let mut heads =
        lines.filter_map(|line| line.strip_prefix("default ").unwrap_or(line).strip_prefix(&head));
    heads.next().map(|rest| arguments(rest).len())
}

/// The rule in whose text this place is.
fn around(asked: &Asked<'_>, place: &Place) -> Option<String> {
    let (module, rule) = rule_at(asked, place)?;
    let name = rule.strip_prefix("default ").unwrap_or(rule);
    let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    is_rule(name).then(|| format!("data.{}.{name}", package(module)))
}

fn package(module: &str) -> &str {
    module.lines().find_map(|line| line.strip_prefix("package ")).unwrap_or_default()
}

fn is_rule(word: &str) -> bool {
    word.strip_prefix('r').is_some_and(|number| number.parse::<u32>().is_ok())
}

/// The text of the module, and of the rule in it.
fn rule_at<'a>(asked: &'a Asked<'_>, place: &Place) -> Option<(&'a str, &'a str)> {
    let (_, module) = asked.texts.iter().find(|(name, _)| *name == place.module)?;
    let at = offset(module, place)?;
    let begin = module[..at].rfind("\n\n").map_or(0, |gap| gap + 2);
    let end = module[at..].find("\n\n").map_or(module.len(), |gap| at + gap);
    Some((module, &module[begin..end]))
}

/// Whether a comprehension of objects, whose key is at this place, contradicts itself here too. For a name that it has from
/// around it each of a few stands.
fn in_comprehension(asked: &Asked<'_>, place: &Place) -> bool {
    let Some((module, rule)) = rule_at(asked, place) else { return false };
    let Some(at) = offset(module, place) else { return false };
    let Some(begin) = module[..at].rfind('{') else { return false };
    let inside = until_closed(&module[begin + 1..]);
    let outside = rule.replacen(inside, "", 1);
    let from_around: BTreeSet<&str> =
        words(inside).filter(|word| is_name(word) && words(&outside).any(|other| other == *word)).collect();
    let imports: Vec<&str> = module.lines().filter(|line| line.starts_with("import ")).collect();
    let package = package(module);
    STAND_INS.iter().any(|stand_in| {
        let given: String = from_around.iter().map(|name| format!("\t{name} := {stand_in}\n")).collect();
        let rule = format!("alone := of if {{\n{given}\tof := {{{inside}}}\n}}\n");
        let text = format!("package {package}\n\n{}\n\n{rule}", imports.join("\n"));
        let mut rules = with(asked, &text);
        is_conflict(&answer(&mut rules, &format!("data.{package}.alone"), asked.input).0)
    })
}

fn offset(module: &str, place: &Place) -> Option<usize> {
    let (row, column) = (usize::try_from(place.row).ok()?, usize::try_from(place.column).ok()?);
    let line = module.split_inclusive('\n').take(row.checked_sub(1)?).map(str::len).sum::<usize>();
    let at = line + column.checked_sub(1)?;
    module.is_char_boundary(at).then_some(at)
}

/// The answer of the rule `r` of one more module.
fn alone(asked: &Asked<'_>, module: &str) -> Ours {
    answer(&mut with(asked, module), "data.fz.call.r", asked.input).0
}

fn with(asked: &Asked<'_>, module: &str) -> Result<Rules, LoadError> {
    let mut all = asked.texts.to_vec();
    all.push(("call.rego", module.to_owned()));
    load(&all, asked.data)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
}

/// The arguments up to the parenthesis that closes them.
fn arguments(text: &str) -> Vec<String> {
    let text = until_closed(text);
    let (mut all, mut open, mut quoted) = (vec![String::new()], 0, false);
    for c in text.chars() {
        quoted ^= c == '"';
        open += i32::from(!quoted && "([{".contains(c)) - i32::from(!quoted && ")]}".contains(c));
        match all.last_mut() {
            Some(last) if c != ',' || open > 0 || quoted => last.push(c),
            _ => all.push(String::new()),
        }
    }
    all.into_iter().map(|one| one.trim().to_owned()).collect()
}

/// The text before the bracket that closes what was opened before it.
fn until_closed(text: &str) -> &str {
    let (mut open, mut quoted) = (0, false);
    for (at, c) in text.char_indices() {
        quoted ^= c == '"';
        open += i32::from(!quoted && "([{".contains(c)) - i32::from(!quoted && ")]}".contains(c));
        if open < 0 {
            return &text[..at];
        }
    }
    text
}
