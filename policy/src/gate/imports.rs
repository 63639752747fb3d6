//! Imports belong to one module in OPA, and to the whole package in the engine: what would mean two things there is
//! refused. So is what OPA and the engine read differently: an import whose name is `data` or `input`.

use std::collections::BTreeMap;

use regorus::unstable::{Import, Module, Ref};

use super::names::{self, Names, Path};
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
