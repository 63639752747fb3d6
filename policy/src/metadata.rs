//! The annotations of a module: comments `# METADATA`, and below it YAML in comments, as OPA has them.
//!
//! Of what stands there, Postern uses `custom.contact`: whom a caller that was refused may ask. Everything else is
//! for the policy itself, which reads it with `rego.metadata.*`, and for other tools; it has to be YAML of the right
//! shape, as OPA demands.

mod said;

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Module, Ref, Rule};
use serde::Deserialize;

use crate::gate::names;
use crate::problem::{Problem, Problems};

/// Longest annotation, in bytes, and longest contact.
const LONGEST: (usize, usize) = (16 * 1024, 200);
/// What an annotation may be about.
const SCOPES: &[&str] = &["rule", "document", "package", "subpackages"];

/// One annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Annotation {
    /// What it is about: none means what stands below it.
    pub(crate) scope: Option<String>,
    /// Whom to ask.
    pub(crate) contact: Option<String>,
    /// Line of the first text behind it, from 1.
    pub(crate) before: u32,
    /// Its own first line, from 1.
    pub(crate) begin: u32,
    /// Whether it says so of what it is about.
    pub(crate) entrypoint: bool,
    yaml: String,
}

impl Annotation {
    /// Everything in it but its scope, as OPA gives it to a policy; or what is wrong with it.
    pub(crate) fn members(&self) -> Result<serde_json::Map<String, serde_json::Value>, String> {
        said::members(&self.yaml)
    }
}

/// What is read of one.
#[derive(Deserialize)]
struct Read {
    scope: Option<String>,
    custom: Option<BTreeMap<String, serde_json::Value>>,
}

/// Whom the annotations of these modules name for what the entrypoint decides: those of its rule before those of its
/// package, and these before those of a package around it. Each module comes with its annotations.
pub(crate) fn contact<'a>(
    modules: impl Iterator<Item = (&'a Ref<Module>, &'a [Annotation])>,
    entrypoint: &str,
) -> Option<String> {
    let entry: Vec<String> = entrypoint.split('.').map(str::to_owned).collect();
    let (_, entry_package) = entry.split_last()?;
    // The longer, the nearer.
    let mut nearest: Option<(usize, &String)> = None;
    for (module, annotations) in modules {
        let package = names::package(module);
        for annotation in annotations {
            let Some(contact) = &annotation.contact else { continue };
            let of_package = module.package.span.line == annotation.before;
            let near = match annotation.scope.as_deref() {
                Some("subpackages") => entry_package.starts_with(&package).then_some(2 * package.len()),
                Some("package") => (package == entry_package).then_some(2 * package.len() + 1),
                None if of_package => (package == entry_package).then_some(2 * package.len() + 1),
                _ => {
                    let mut here = module.policy.iter().filter(|rule| begins(rule) == annotation.before);
                    let ours = here.any(|rule| names::rule_path(&package, rule) == entry);
                    ours.then_some(2 * package.len() + 2)
                }
            };
            if let Some(near) = near.filter(|near| nearest.is_none_or(|(before, _)| before < *near)) {
                nearest = Some((near, contact));
            }
        }
    }
    nearest.map(|(_, contact)| contact.clone())
}

/// Annotations that stand before something else than their scope says.
pub(crate) fn misplaced(module: &Module, annotations: &[Annotation]) -> impl Iterator<Item = Problem> {
    let rules: BTreeSet<u32> = module.policy.iter().map(|rule| begins(rule)).collect();
    let wrong = move |annotation: &&Annotation| {
        let of_package = module.package.span.line == annotation.before;
        let of_rule = rules.contains(&annotation.before);
        let entrypoint =
            annotation.entrypoint && matches!(annotation.scope.as_deref(), Some("rule" | "subpackages"));
        entrypoint
            || !match annotation.scope.as_deref() {
                Some("package" | "subpackages") => of_package,
                Some(_) => of_rule,
                None => of_package || of_rule,
            }
    };
    let source = &module.package.span.source;
    annotations.iter().filter(wrong).map(|annotation| {
        let (what, instead) = match annotation.scope.as_deref() {
            Some(scope @ ("rule" | "subpackages")) if annotation.entrypoint => {
                (format!("has `entrypoint` and the scope {scope}"), "the scope document or package")
            }
            Some(scope @ ("package" | "subpackages")) => {
                (format!("has the scope {scope} and stands before no package"), "it above `package`")
            }
            Some(scope) => (format!("has the scope {scope} and stands before no rule"), "it above a rule"),
            None => ("stands before no package and no rule".to_owned(), "it above one, or another comment"),
        };
        let problem = Problem::of(source.get_path(), "METADATA", what, instead);
        problem.at(annotation.begin, 1, source.get_contents())
    })
}

fn begins(rule: &Rule) -> u32 {
    rule.span().line
}

/// All annotations of a module's text, in order.
pub(crate) fn of(name: &str, text: &str, problems: &mut Problems) -> Vec<Annotation> {
    let mut found = Vec::new();
    if !text.contains("METADATA") {
        return found;
    }
    let raw = in_raw_texts(text);
    let lines: Vec<&str> = text.lines().collect();
    let (mut at, mut waiting) = (0, 0);
    while let Some(line) = lines.get(at) {
        at += 1;
        let comment_here = comment(line);
        if comment_here.is_none() && !line.trim().is_empty() {
            stands_before(&mut found, &mut waiting, at);
        }
        if !begins_one(line) || raw.contains(&at) {
            continue;
        }
        let begin = at;
        let block = lines.iter().skip(at).take_while(|line| !begins_one(line));
        let yaml: Vec<&str> = block.map_while(|line| line.strip_prefix('#')).collect();
        at += yaml.len();
        let yaml: Vec<&str> = yaml.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        match read(yaml.join("\n")) {
            Ok(read) => found.push(Annotation { begin: number(begin), ..read }),
            Err((line, why)) => {
                let instead = "YAML behind `# METADATA`, `# ` before each line of it";
                let problem = Problem::of(name, "METADATA", why, instead);
                problems.push(problem.at(number(begin + line), 1, text));
            }
        }
    }
    stands_before(&mut found, &mut waiting, lines.len() + 1);
    found
}

/// Gives those that wait for the text behind them its line.
fn stands_before(found: &mut [Annotation], waiting: &mut usize, line: usize) {
    found.iter_mut().skip(*waiting).for_each(|annotation| annotation.before = number(line));
    *waiting = found.len();
}

/// Whether a line is the first of an annotation.
fn begins_one(line: &str) -> bool {
    line.strip_prefix('#').is_some_and(|rest| rest.trim_start().starts_with("METADATA"))
}

/// What stands behind the `#` of a line that is a comment whole.
fn comment(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix('#')
}

/// Lines, from 1, that begin inside a raw text.
fn in_raw_texts(text: &str) -> BTreeSet<usize> {
    let (mut inside, mut line, mut lines) = (None, 1, BTreeSet::new());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (inside, c) {
            (_, '\n') => {
                line += 1;
                if inside == Some('`') {
                    lines.insert(line);
                } else {
                    inside = None;
                }
            }
            (Some('"'), '\\') => drop(chars.next()),
            (None, '"' | '`' | '#') => inside = Some(c),
            (Some(quote), c) if c == quote && quote != '#' => inside = None,
            _ => {}
        }
    }
    lines
}

fn number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

/// One annotation; or the line of it that is wrong, from 0, and why.
fn read(yaml: String) -> Result<Annotation, (usize, String)> {
    if yaml.len() > LONGEST.0 {
        return Err((0, format!("is longer than {} bytes", LONGEST.0)));
    }
    if yaml.trim().is_empty() {
        return Err((0, "has nothing behind it".to_owned()));
    }
    let read: Read = serde_saphyr::from_str(&yaml).map_err(|error| {
        let line = error.location().and_then(|location| usize::try_from(location.line()).ok());
        (line.unwrap_or(0), format!("is not read: {}", first_line(&error.without_snippet().to_string())))
    })?;
    if let Some(scope) = read.scope.as_ref().filter(|scope| !SCOPES.contains(&scope.as_str())) {
        let place = yaml.lines().position(|line| line.trim_start().starts_with("scope")).unwrap_or(0);
        return Err((place + 1, format!("has the scope {scope}, which is none of {}", SCOPES.join(", "))));
    }
    let contact = read.custom.and_then(|mut custom| custom.remove("contact"));
    let text = contact.as_ref().map(|contact| contact.as_str().map(str::to_owned));
    let fits = |text: &Option<String>| {
        text.as_ref().is_some_and(|text| text.len() <= LONGEST.1 && !text.contains(char::is_control))
    };
    if text.as_ref().is_some_and(|text| !fits(text)) {
        let place = yaml.lines().position(|line| line.trim_start().starts_with("contact")).unwrap_or(0);
        return Err((
            place + 1,
            format!("has a contact that is not one line of at most {} bytes", LONGEST.1),
        ));
    }
    let entrypoint = said::check(&yaml).map_err(|why| (0, why))?;
    Ok(Annotation { scope: read.scope, contact: text.flatten(), before: 0, begin: 0, entrypoint, yaml })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use crate::compile::PolicySet;
    use crate::problem::LoadError;
    use crate::sources::Sources;

    const RULE: &str = "default decision := false\n";

    fn loaded(modules: &[(&str, &str)]) -> Result<Option<String>, LoadError> {
        let sources = Sources::from_modules(modules.iter().copied(), []);
        let set = PolicySet::compile(&sources, "data.postern.decision", Duration::from_millis(20))?;
        Ok(set.contact().map(|contact| Arc::clone(contact).to_string()))
    }

    #[test]
    fn the_nearest_annotation_names_the_contact() {
        let around = "# METADATA\n# scope: subpackages\n# custom:\n#   contact: around\npackage postern\n\n";
        let package = "# METADATA\n# title: Desk\n# custom: {contact: desk@example.org, more: [1]}\n\npackage postern\n\n";
        let rule = "# METADATA\n# custom: {contact: rule}\n";
        for (modules, expected) in [
            (vec![("a.rego", format!("{package}{RULE}"))], Some("desk@example.org")),
            (vec![("a.rego", format!("{package}{rule}{RULE}"))], Some("rule")),
            (vec![("a.rego", format!("{around}{RULE}"))], Some("around")),
            (
                vec![
                    ("a.rego", format!("package postern\n{RULE}")),
                    ("b.rego", format!("{}x := 1\n", package.replace("postern", "other"))),
                ],
                None,
            ),
            (vec![("a.rego", format!("package postern\n{rule}x := 1\n{RULE}"))], None),
            (vec![("a.rego", format!("package postern\nx := `\n# METADATA\n# ]\n`\n{RULE}"))], None),
        ] {
            let modules: Vec<_> = modules.iter().map(|(name, text)| (*name, text.as_str())).collect();
            assert_eq!(loaded(&modules).unwrap().as_deref(), expected, "{modules:?}");
        }
    }

    #[test]
    fn an_annotation_that_is_none_is_refused_with_its_line() {
        let long = format!("# custom: {{contact: {}}}", "a".repeat(201));
        for (yaml, line) in [
            ("# title: [", None),
            ("# title: a\n# scope: packages", Some(3)),
            ("# custom: 5", Some(2)),
            ("# custom:\n#   contact: 5", Some(3)),
            ("# custom:\n#   contact: \"a\\nb\"", Some(3)),
            (long.as_str(), None),
        ] {
            let text = format!("# METADATA\n{yaml}\npackage postern\n\n{RULE}");
            let error = loaded(&[("a.rego", &text)]).unwrap_err();
            let problem = &error.problems[0];
            assert_eq!(
                (problem.file.as_str(), problem.construct.as_str()),
                ("a.rego", "METADATA"),
                "{error}"
            );
            assert!(line.is_none_or(|line| line == problem.line), "{error}");
            assert!(problem.line >= 1, "{error}");
        }
    }
}
