//! `some _ in xs`: where nothing is named, the engine does not see that `xs` must have its value before, and asks for it
//! too early. `some any9__, _ in xs` names the key, which is there in whatever can be gone through.

use regorus::unstable::{Literal, LiteralStmt, Module};

use super::{Edit, Translated, reach};
use crate::gate::binds;
use crate::gate::walk::{self, Seen};

/// Names the keys of such statements; none where there is none.
pub(crate) fn keys(module: &Module, translated: &Translated) -> Option<Translated> {
    let mut edits = Vec::new();
    for rule in &module.policy {
        walk::rule(rule, &mut |seen| {
            if let Seen::Opens(stmts) = seen {
                edits.extend(stmts.iter().filter_map(|stmt| named(&translated.text, stmt)));
            }
        });
    }
    translated.edited(edits)
}

fn named(text: &str, stmt: &LiteralStmt) -> Option<Edit> {
    let Literal::SomeIn { key, value, .. } = &stmt.literal else { return None };
    let mut names = false;
    for pattern in key.iter().chain([value]) {
        binds::variables(pattern, &mut |name| names |= name.text() != "_");
    }
    if names {
        return None;
    }
    let (from, to) = reach(text, key.as_ref().unwrap_or(value));
    let name = format!("any{from}__");
    match key {
        None => Some(Edit::new(from, from, format!("{name}, "))),
        // A key that is a value is compared, and stays.
        Some(key) => (key.span().text() == "_").then_some(Edit::new(from, to, name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn the_key_gets_a_name_where_nothing_has_one() {
        for (body, wanted) in [
            ("some _ in xs", "some any21__, _ in xs"),
            ("some \"a\" in xs", "some any21__, \"a\" in xs"),
            ("some _, [_] in xs", "some any21__, [_] in xs"),
            ("some _, [1, v] in xs", "some _, [1, v] in xs"),
            ("some k, _ in xs", "some k, _ in xs"),
        ] {
            let author = format!("package a\nx if {{ {body} }}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
            let translated = Translated { text: author.clone(), ..Translated::default() };
            let written = keys(&engine.get_modules()[0], &translated).map_or(author, |written| written.text);
            let at = "package a\nx if { some ".len();
            assert_eq!(
                written,
                format!("package a\nx if {{ {wanted} }}\n").replace("any21", &format!("any{at}"))
            );
        }
    }
}
