//! `{"owner": x, "editor": x} = input.doc`, where a name stands twice: the engine takes the members of a pattern in the order
//! of what they are called, and waits for the name's value at the first that is written. They are written in that order.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal, Module, Ref, Rule, RuleHead};

use super::{Edit, Translated, behind_parentheses, each, reach};
use crate::gate::binds;
use crate::gate::walk::{self, Seen, constant};

/// The texts of all modules with the members of such objects in order, but of those within others; none where they are.
pub(crate) fn members(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    each(modules, texts, |module, text| {
        let (mut edits, mut reached) = (Vec::new(), 0);
        let mut sort = |object: &Expr| {
            let (from, to) = reach(&text.text, object);
            let sorted = if from < reached { Vec::new() } else { sorted(&text.text, object) };
            if !sorted.is_empty() {
                reached = to;
                edits.extend(sorted);
            }
        };
        for rule in &module.policy {
            if let Rule::Spec { head: RuleHead::Func { args, .. }, .. } = rule.as_ref() {
                for arg in args {
                    objects(arg, &mut sort);
                }
            }
            walk::rule(rule, &mut |seen| match seen {
                Seen::Object(object) => sort(object),
                Seen::Opens(stmts) => {
                    for stmt in stmts {
                        if let Literal::SomeIn { key, value, .. } = &stmt.literal {
                            key.iter().chain([value]).for_each(|term| objects(term, &mut sort));
                        }
                    }
                }
                _ => {}
            });
        }
        edits
    })
}

fn objects(pattern: &Expr, visit: &mut dyn FnMut(&Expr)) {
    if let Expr::Object { .. } = pattern {
        visit(pattern);
    }
    walk::parts(pattern, &mut |part| objects(part, visit));
}

fn sorted(text: &str, object: &Expr) -> Vec<Edit> {
    let Expr::Object { fields, .. } = object else { return Vec::new() };
    let called: Option<Vec<_>> = fields.iter().map(|(_, key, _)| constant(key)).collect();
    let Some(called) = called.filter(|called| !called.is_sorted()) else { return Vec::new() };
    let (mut names, mut twice) = (BTreeSet::new(), false);
    binds::variables(object, &mut |name| twice |= !names.insert(name.text()) && name.text() != "_");
    if !twice {
        return Vec::new();
    }
    let end = |value: &Ref<Expr>| behind_parentheses(text, reach(text, value).1);
    let places: Vec<_> = fields.iter().map(|(_, key, value)| (reach(text, key).0, end(value))).collect();
    // Parentheses around what a member is called by are left alone.
    let opened = |(from, _): &(u32, u32)| {
        text.get(..*from as usize).is_some_and(|before| before.trim_end().ends_with('('))
    };
    if places.iter().any(opened) {
        return Vec::new();
    }
    let mut order: Vec<_> = called.into_iter().zip(&places).collect();
    order.sort();
    let edits = places.iter().zip(order).flat_map(|((from, to), (_, (begin, end)))| {
        [Edit::copy(*from, *begin, *end), Edit::new(*from, *to, "")]
    });
    edits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn members_with_a_name_twice_stand_in_order() {
        for (body, wanted) in [
            ("{\"b\": x, \"a\": x} = o", "{\"a\": x, \"b\": x} = o"),
            ("o = {\"b\": x, \"a\": [x, y], \"0\": \"y\"}", "o = {\"0\": \"y\", \"a\": [x, y], \"b\": x}"),
            ("o = {\"b\": x,\n\"a\": (x)}", "o = {\"a\": (x),\n\"b\": x}"),
            ("some {\"b\": x, 1: x} in o", "some {1: x, \"b\": x} in o"),
            ("{\"b\": x, \"a\": y} = o", "{\"b\": x, \"a\": y} = o"),
            ("{\"b\": _, \"a\": _} = o", "{\"b\": _, \"a\": _} = o"),
            ("{\"b\": x, y: x} = o", "{\"b\": x, y: x} = o"),
        ] {
            let author = format!("package a\nr if {body}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
            let texts = [Translated { text: author.clone(), ..Translated::default() }];
            let written = members(engine.get_modules(), &texts);
            let written = written.map_or(author, |mut written| written.remove(0).text);
            assert_eq!(written, format!("package a\nr if {wanted}\n"));
        }
    }
}
