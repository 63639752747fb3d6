//! One case put to both.

use std::time::Duration;

use postern_policy::{Cause, Document, LoadError, Rules, Sources};

use crate::compare::{Allowed, Json, Ours, Theirs, Verdict, judge, strict_error};
use crate::conflict;
use crate::generate::Case;
use crate::opa::{Opa, OpaError};
use crate::tree::Tree;

/// Far beyond the usual one: what is late here is late anywhere, however busy the machine.
const FUSE: Duration = Duration::from_secs(2);
/// The time of every request, in Unix seconds.
const NOW: u64 = 1_795_300_123;
/// Most times that one answer of ours may be late.
const LATE: u32 = 3;
/// Most rules taken out of one case because one of the two does not load them.
const MENDED: usize = 12;

/// One rule asked with one input.
#[derive(Clone, Debug)]
pub struct Asked {
    pub rule: String,
    /// Which of the case's inputs.
    pub input: usize,
    pub ours: Ours,
    pub theirs: Theirs,
    pub verdict: Verdict,
    /// How often ours was late before it came.
    pub late: u32,
}

/// What is not loaded: by whom, and in which lines of which module.
struct NotLoaded {
    opa: Option<OpaError>,
    module: usize,
    row: Option<u64>,
}

/// Puts a case to both; all its rules with all its inputs. Where one of the two does not load it, that is one answer,
/// and the rest of the case is asked without the rule that was in the way. Gives what was asked of which case.
pub fn run_all(opa: &mut Opa, case: &Case) -> Vec<(Case, Vec<Asked>)> {
    let mut all = Vec::new();
    let mut case = case.clone();
    for _ in 0..MENDED {
        let (asked, not_loaded) = run(opa, &case);
        let Some(not_loaded) = not_loaded else {
            all.push((case, asked));
            return all;
        };
        let Some((smaller, rule)) = without(&case, &not_loaded) else {
            all.push((case, asked.into_iter().take(1).collect()));
            return all;
        };
        // The rule in the way speaks for all: in OPA's words, the case is refused for its sake.
        let names = defined(&rule);
        let theirs: Vec<Asked> = asked
            .iter()
            .filter(|one| names.contains(&one.rule.rsplit('.').next().unwrap_or_default().to_owned()))
            .cloned()
            .collect();
        let worst = theirs.into_iter().max_by_key(|one| one.verdict.clone());
        let first = worst.or_else(|| asked.into_iter().max_by_key(|one| one.verdict.clone()));
        all.push((case, first.into_iter().collect()));
        case = smaller;
        case.rules.retain(|rule| !names.contains(&rule.rsplit('.').next().unwrap_or_default().to_owned()));
        if case.rules.is_empty() {
            return all;
        }
    }
    all
}

/// The same for the case as it stands, and what kept it from being loaded.
pub fn run_once(opa: &mut Opa, case: &Case) -> Vec<Asked> {
    run(opa, case).0
}

fn run(opa: &mut Opa, case: &Case) -> (Vec<Asked>, Option<NotLoaded>) {
    let texts: Vec<(&str, String)> =
        case.modules.iter().map(|module| (module.name.as_str(), module.tree.written())).collect();
    let data = case.data.written();
    let mut rules = load(&texts, &data);
    let mut put = Vec::new();
    let mut not_loaded = None;
    opa.data(&data);
    for (number, (name, text)) in texts.iter().enumerate() {
        match opa.put(name, text) {
            Ok(()) => put.push(*name),
            Err(error) => {
                not_loaded = Some(NotLoaded {
                    row: error.place.as_ref().map(|place| place.row),
                    opa: Some(error),
                    module: number,
                });
                break;
            }
        }
    }
    if let (None, Err(error)) = (&not_loaded, &rules) {
        let problem = error.problems.first();
        let module = texts.iter().position(|(name, _)| problem.is_some_and(|problem| problem.file == *name));
        let row = problem.map(|problem| u64::from(problem.line));
        not_loaded =
            Some(NotLoaded { opa: None, module: module.unwrap_or(0), row: row.filter(|_| module.is_some()) });
    }
    let mut asked = Vec::new();
    for (number, input) in case.inputs.iter().enumerate() {
        let input = input.written();
        for rule in &case.rules {
            let (ours, late) = answer(&mut rules, rule, &input);
            let mut theirs = match &not_loaded {
                Some(NotLoaded { opa: Some(error), .. }) => {
                    Theirs::Refused { code: error.code.clone(), message: error.message.clone() }
                }
                _ => opa.ask(rule, &input, true),
            };
            let mut verdict = judge(&ours, &theirs);
            if matches!(verdict, Verdict::Differs(_)) && strict_error(&ours, &theirs) {
                let lenient = opa.ask(rule, &input, false);
                match judge(&ours, &lenient) {
                    Verdict::Same | Verdict::Allowed(_) => verdict = Verdict::Allowed(Allowed::Lenient),
                    other => (verdict, theirs) = (other, lenient),
                }
            }
            let what = conflict::Asked { rule, input: &input, texts: &texts, data: &data };
            if matches!(verdict, Verdict::Differs(_)) && conflict::is_here_too(&what, &theirs, &mut rules) {
                verdict = Verdict::Allowed(Allowed::Conflict);
            }
            asked.push(Asked { rule: rule.clone(), input: number, ours, theirs, verdict, late });
        }
    }
    for name in put.iter().rev() {
        opa.remove(name);
    }
    (asked, not_loaded)
}

/// The case without the rule that stands in this place, and that rule's text.
fn without(case: &Case, not_loaded: &NotLoaded) -> Option<(Case, String)> {
    let mut smaller = case.clone();
    let Tree::Group(parts) = &mut smaller.modules.get_mut(not_loaded.module)?.tree else { return None };
    let mut line = 1;
    for part in parts {
        let Tree::List(rules, between) = part else {
            line += part.written().matches('\n').count();
            continue;
        };
        for index in 0..rules.len() {
            let text = rules[index].written();
            let lines = text.matches('\n').count();
            if not_loaded
                .row
                .is_some_and(|row| (line..=line + lines).contains(&(usize::try_from(row).unwrap_or(0))))
            {
                rules.remove(index);
                return Some((smaller, text));
            }
            line += lines + between.len();
        }
    }
    None
}

/// The names that the rules of this text define.
fn defined(text: &str) -> Vec<String> {
    let heads = text.lines().filter(|line| line.starts_with('r') || line.starts_with("default r"));
    let name = |line: &str| {
        let line = line.strip_prefix("default ").unwrap_or(line);
        line.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_owned()
    };
    heads.map(name).collect()
}

pub fn load(texts: &[(&str, String)], data: &str) -> Result<Rules, LoadError> {
    let modules = texts.iter().map(|(name, text)| (*name, text.as_str()));
    let data = format!("{{\"d\": {data}}}");
    Rules::load(&Sources::from_modules(modules, [("", data.as_str())]), FUSE)
}

/// Our answer, and how often it was late.
pub fn answer(rules: &mut Result<Rules, LoadError>, rule: &str, input: &str) -> (Ours, u32) {
    let rules = match rules {
        Ok(rules) => rules,
        Err(error) => {
            let first = error.problems.first();
            let construct =
                first.map_or_else(String::new, |problem| format!("{} {}", problem.construct, problem.why));
            return (Ours::Refused { construct, detail: error.to_string() }, 0);
        }
    };
    let input = match Document::json(input) {
        Ok(input) => input,
        Err(error) => return (Ours::Error { kind: "input", detail: error.to_string() }, 0),
    };
    let mut late = 0;
    let answer = loop {
        match rules.ask(rule, input.clone(), Some(NOW)) {
            Err(Cause::Late { .. }) if late < LATE => late += 1,
            answer => break answer,
        }
    };
    (answered(answer), late)
}

fn answered(answer: Result<Option<String>, Cause>) -> Ours {
    match answer {
        Ok(None) => Ours::Undefined,
        Ok(Some(json)) => {
            Json::parse(&json).map_or_else(|| Ours::Broken(format!("no JSON: {json}")), Ours::Value)
        }
        Err(Cause::Late { .. }) => Ours::Broken("late".to_owned()),
        Err(Cause::Panic) => Ours::Broken("panic".to_owned()),
        Err(cause) => {
            let kind = match cause {
                Cause::Conflict { .. } => "conflict",
                Cause::Oversize { .. } => "cap",
                _ => "error",
            };
            Ours::Error { kind, detail: cause.to_string() }
        }
    }
}
