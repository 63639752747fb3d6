//! `every x in xs { x = 1 }`, written `every every14__ in xs { x := every14__; x = 1 }`: within the body the engine gives the
//! names of `every` other values where it should compare, and those of statements not.

use regorus::unstable::{Literal, LiteralStmt, Module, Ref};

use super::{Edit, Translated, begin, each};
use crate::gate::every;
use crate::gate::names::Names;
use crate::gate::walk::{self, Seen};

/// The texts of all modules with such names given by statements; none where there is none.
pub(crate) fn given(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    let names = Names::of(modules);
    each(modules, texts, |module, text| {
        let given = every::given(module, &names);
        let mut edits = Vec::new();
        for rule in module.policy.iter().filter(|_| !given.is_empty()) {
            walk::rule(rule, &mut |seen| {
                if let Seen::Opens(stmts) = seen {
                    let of_each =
                        stmts.iter().flat_map(|stmt| of_one(&text.text, stmt, &|at| given.contains(&at)));
                    edits.extend(of_each);
                }
            });
        }
        edits
    })
}

fn of_one(text: &str, stmt: &LiteralStmt, given: &dyn Fn(u32) -> bool) -> Vec<Edit> {
    let Literal::Every { key, value, query, .. } = &stmt.literal else { return Vec::new() };
    let Some(first) = query.stmts.first() else { return Vec::new() };
    let at = begin(text, first);
    let names = key.iter().chain([value]).filter(|name| given(name.start));
    let edits = names.flat_map(|name| {
        let of_every = format!("every{}__", name.start);
        let statement = format!("{} := {of_every}; ", name.text());
        [Edit::new(name.start, name.end, of_every), Edit::new(at, at, statement)]
    });
    edits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn a_name_that_would_get_another_value_is_given_by_a_statement() {
        for (body, wanted) in [
            ("every x in xs { x = 1 }", "every A in xs { x := A; x = 1 }"),
            ("every x in xs { \"a\" == x }", "every x in xs { \"a\" == x }"),
            ("every k, x in xs { k; ms[[x, 1]] }", "every k, A in xs { x := A; k; ms[[x, 1]] }"),
            (
                "every x in xs { count([1]) > 0; count([1 | x = 1]) == 1 }",
                "every A in xs { x := A; count([1]) > 0; count([1 | x = 1]) == 1 }",
            ),
        ] {
            let author = format!("package a\ny if {{ {body} }}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
            let texts = [Translated { text: author.clone(), ..Translated::default() }];
            let name = format!("every{}__", author.find("x in").unwrap());
            let written =
                given(engine.get_modules(), &texts).map_or(author, |mut written| written.remove(0).text);
            assert_eq!(written, format!("package a\ny if {{ {} }}\n", wanted.replace('A', &name)));
        }
    }
}
