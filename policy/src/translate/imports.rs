//! What is read through an import of a package, by its full name: `import data.lib` and `lib.f` become `data.lib.f`. To
//! the engine the name of an import is the whole package, every rule of which it evaluates: one that fails there fails
//! here, and two packages that import each other go round in a circle.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Module, Ref, Rule};

use super::{Edit, Translated, each};
use crate::gate::binds;
use crate::gate::names::{self, Path};
use crate::gate::walk::{self, Seen};

/// The texts of all modules with such references written in full; none where there is none.
pub(crate) fn in_full(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    let packages: BTreeSet<Path> = modules.iter().map(|module| names::package(module)).collect();
    each(modules, texts, |module, _| {
        module.policy.iter().flat_map(|rule| of_rule(module, rule, &packages)).collect()
    })
}

fn of_rule(module: &Module, rule: &Rule, packages: &BTreeSet<Path>) -> Vec<Edit> {
    let (mut read, mut scopes) = (Vec::new(), Vec::<BTreeSet<&str>>::new());
    walk::rule(rule, &mut |seen| match seen {
        Seen::Ref(refr @ (Expr::RefDot { .. } | Expr::RefBrack { .. })) => {
            let name = names::begin(refr).text();
            if !scopes.iter().any(|scope| scope.contains(name)) {
                read.push(refr);
            }
        }
        Seen::Opens(stmts) => scopes.push(binds::declared(stmts)),
        Seen::Closes => drop(scopes.pop()),
        Seen::Binds(name, _) => {
            scopes.last_mut().map(|scope| scope.insert(name.text()));
        }
        _ => {}
    });
    let edit = |refr: &Expr| {
        let begin = names::begin(refr);
        let name = begin.text();
        if matches!(name, "data" | "input") {
            return None;
        }
        let full = names::through_imports(module, &[name.to_owned()])?;
        // Of a rule that is imported the engine evaluates no other.
        let package = packages.range(full.clone()..).next().is_some_and(|package| package.starts_with(&full));
        (package && full.first().is_some_and(|first| first == "data"))
            .then(|| Edit::new(begin.start, begin.end, written(&full)))
    };
    read.into_iter().filter_map(edit).collect()
}

/// A path as Rego has it.
pub(super) fn written(path: &[String]) -> String {
    let plain = |member: &str| {
        member.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && member.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let mut text = String::new();
    for (index, member) in path.iter().enumerate() {
        match member {
            member if index == 0 => text.push_str(member),
            member if plain(member) => text.extend([".", member]),
            member => text.extend(["[", &serde_json::Value::from(member.as_str()).to_string(), "]"]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn what_is_read_through_an_import_of_a_package_is_named_in_full() {
        let main = "package a\n\nimport data.lib\nimport data.lib.deep as d\nimport data.lib.one\nimport input.request\n";
        for (rule, wanted) in [
            ("x := lib.y", "x := data.lib.y"),
            ("x if lib[\"y\"][z] == d.w", "x if data.lib[\"y\"][z] == data.lib.deep.w"),
            ("x if lib.f(lib.y)", "x if lib.f(data.lib.y)"),
            ("x := count(lib)", "x := count(lib)"),
            ("x if request.method == one.y", "x if request.method == one.y"),
            (
                "x if { some lib in [{\"y\": 1}]; lib.y == 1 }",
                "x if { some lib in [{\"y\": 1}]; lib.y == 1 }",
            ),
            (
                "x if { every lib in [{\"y\": 1}] { lib.y == 1 }; lib.y; 1 in [1 | lib := d.w; lib.z] }",
                "x if { every lib in [{\"y\": 1}] { lib.y == 1 }; data.lib.y; 1 in [1 | lib := data.lib.deep.w; lib.z] }",
            ),
            ("f(lib) := lib.y", "f(lib) := lib.y"),
            ("x if y with lib.y as lib.z", "x if y with lib.y as data.lib.z"),
        ] {
            let mut engine = Engine::new();
            let text = format!("{main}\n{rule}\n");
            engine.add_policy("a.rego".to_owned(), text.clone()).unwrap();
            for package in ["lib", "lib.deep"] {
                let other = format!("package {package}\n\none := {{}}\n");
                engine.add_policy(format!("{package}.rego"), other).unwrap();
            }
            let modules = engine.get_modules().clone();
            let texts: Vec<Translated> = [text.clone(), String::new(), String::new()]
                .map(|text| Translated { text, ..Translated::default() })
                .into();
            let given = in_full(&modules, &texts).map_or(text, |written| written[0].text.clone());
            assert_eq!(given, format!("{main}\n{wanted}\n"));
        }
    }
}
