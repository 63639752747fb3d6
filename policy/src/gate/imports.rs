//! Imports belong to one module in OPA, and to the whole package in the engine: what would mean two things there is
//! refused. So is what OPA and the engine read differently: an import whose name is `data` or `input`.

use std::collections::BTreeMap;

use regorus::unstable::{Import, Literal, LiteralStmt, Module, Ref};

use super::names::{self, Names, Path};
use super::walk::{self, Seen};
use crate::builtins;
use crate::problem::{Problem, Problems};

/// Refuses a name that two modules of a package import differently, and one that is also a rule of the package.
pub(super) fn check(modules: &[Ref<Module>], names: &Names, problems: &mut Problems) {
    let mut known: BTreeMap<Path, Path> = BTreeMap::new();
    for module in modules {
        for import in &module.imports {
            let Some((alias, target)) = alias(import) else { continue };
            let mut full = names::package(module);
            full.push(alias.clone());
            if alias == "data" || alias == "input" {
                let why = "is imported under a name that is a document of its own";
                problems.push(problem(import, &alias, why));
            } else if names.defines_below(&full) && full != target {
                let why = "is imported, and a rule of the package too";
                problems.push(problem(import, &alias, why));
            } else if known.get(&full).is_some_and(|other| *other != target) {
                let why = "is imported as something else by another module of the package";
                problems.push(problem(import, &alias, why));
            }
            known.entry(full).or_insert(target);
        }
    }
}

/// Imports of keywords that every policy has without them.
const PLAIN: [&str; 5] = [
    "rego.v1",
    "future.keywords.contains",
    "future.keywords.every",
    "future.keywords.if",
    "future.keywords.in",
];

/// Checks the imports of keywords. Some bring `and` and `or`, and another `not` than the engine's: what is undefined in
/// it is negated, where the engine's `not f(x)` needs `x`. They change nothing in a module without these words, nor in
/// one that negates names alone.
pub(super) fn keywords(modules: &[Ref<Module>], problems: &mut Problems) {
    for module in modules {
        for import in &module.imports {
            let path = names::constant(&import.refr);
            let name = path.join(".");
            let keywords = matches!(path.first().map(String::as_str), Some("rego" | "future"));
            if !keywords || PLAIN.contains(&name.as_str()) {
                continue;
            }
            let brings: &[&str] = match name.as_str() {
                "future.keywords" => &["not", "and", "or"],
                "future.keywords.not" => &["not"],
                "future.keywords.and" => &["and"],
                "future.keywords.or" => &["or"],
                _ => &[],
            };
            let why = if name == "rego.v2" {
                "is another language than that of `rego.v1`, which the engine reads".to_owned()
            } else if brings.is_empty() {
                "is no import that OPA has".to_owned()
            } else if let Some(word) = brings.iter().find(|word| has(module, word)) {
                format!("changes what `{word}` means in this module, and the engine does not know that one")
            } else {
                continue;
            };
            let instead = "no import, or `import rego.v1`: `if`, `in`, `every` and `contains` need none";
            let construct = format!("import {name}");
            let problem = Problem::of(import.span.source.get_path(), &construct, why, instead);
            problems.push(problem.at_span(&import.span));
        }
    }
}

/// Whether a module has a `not`, or a name that would be a keyword.
fn has(module: &Module, word: &str) -> bool {
    let negates = |stmt: &LiteralStmt| match &stmt.literal {
        Literal::NotExpr { expr, .. } => {
            word == "not" && (names::path(expr).is_none() || !stmt.with_mods.is_empty())
        }
        _ => false,
    };
    let mut found = false;
    for rule in &module.policy {
        found |= names::rule_path(&[], rule).first().is_some_and(|name| name == word);
        walk::rule(rule, &mut |seen| {
            found |= match seen {
                Seen::Opens(stmts) => stmts.iter().any(negates),
                Seen::Binds(name, _) => name.text() == word,
                Seen::Ref(refr) => names::begin(refr).text() == word,
                _ => false,
            };
        });
    }
    found
}

/// A function that a module calls by a name which the translation writes for what its author says: by
/// `internal.template_string` for `$"…"`. The function would answer for both.
pub(crate) fn hides_ours(module: &Module, names: &Names, author: &str) -> Option<Problem> {
    let hidden = |name: &&str| {
        let called: Path = name.split('.').map(str::to_owned).collect();
        let said = builtins::said(name);
        let template = said.starts_with('$') && (author.contains("$\"") || author.contains("$`"));
        names.function(module, &called).is_some() && (template || author.contains(said))
    };
    let name = builtins::written().find(hidden)?;
    let import =
        module.imports.iter().find(|import| alias(import).is_some_and(|(alias, _)| alias == "internal"));
    let span = import.map_or(&module.package.span, |import| &import.span);
    let why = format!("is a function here, and stands for `{}` too", builtins::said(name));
    let instead =
        "another name: for an import `import … as`, for a rule one that does not begin with `internal.`";
    Some(Problem::of(span.source.get_path(), name, why, instead).at_span(span))
}

/// The name that an import of a document gives, and what it stands for.
pub(super) fn alias(import: &Import) -> Option<(String, Path)> {
    let target = names::path(&import.refr)?;
    let document = matches!(target.first().map(String::as_str), Some("data" | "input"));
    let alias = import.r#as.as_ref().map(|alias| alias.text().to_owned());
    let alias = alias.or_else(|| target.last().cloned())?;
    document.then_some((alias, target))
}

fn problem(import: &Import, alias: &str, why: &str) -> Problem {
    let span = &import.span;
    let problem = Problem::of(span.source.get_path(), alias, why, "`import … as` another name");
    problem.at_span(span)
}
