//! Heads whose last member is written with a dot behind a computed one, `users[id].name := …`: where no body holds, the
//! engine has nothing, where OPA has `{}`. With the last member in brackets it has that too.
//!
//! And heads with a constant member where another rule has a computed one, `roles.admin := …` beside `roles[id] := …`: to
//! the engine `roles.admin` is the first of the two alone. It is written as a computed one too.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead};

use super::{Edit, Translated, each, reach};
use crate::gate::heads::beside;

/// Writes `users[id]["name"] := …` for it; none where there is none.
pub(crate) fn brackets(module: &Module, translated: &Translated) -> Option<Translated> {
    let edits = module.policy.iter().filter_map(|rule| match rule.as_ref() {
        Rule::Spec { head: RuleHead::Compr { refr, .. }, .. } => edit(refr),
        _ => None,
    });
    translated.edited(edits.collect())
}

fn edit(head: &Expr) -> Option<Edit> {
    let Expr::RefDot { refr, field, .. } = head else { return None };
    let (dot, to) = (field.0.start.checked_sub(1)?, field.0.end);
    computed(refr).then(|| Edit::new(dot, to, format!("[\"{}\"]", field.0.text())))
}

/// The texts of all modules with `roles[["admin"][0]] := …` for a constant last member beside a computed one; none where
/// there is none.
pub(crate) fn asked_together(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    let heads = beside(modules).into_iter().filter(|head| head.last);
    let heads: BTreeSet<*const Expr> = heads.map(|head| std::ptr::from_ref(head.refr.as_ref())).collect();
    each(modules, texts, |module, text| {
        let refrs = module.policy.iter().filter_map(|rule| match rule.as_ref() {
            Rule::Spec { head: RuleHead::Compr { refr, .. }, .. } => Some(refr.as_ref()),
            _ => None,
        });
        let refrs = refrs.filter(|refr| heads.contains(&std::ptr::from_ref(*refr)));
        refrs.flat_map(|refr| written(&text.text, refr)).collect()
    })
}

fn written(text: &str, head: &Expr) -> Vec<Edit> {
    match head {
        Expr::RefDot { field, .. } => {
            let (at, to) = (field.0.start, field.0.end);
            let from = at.saturating_sub(1);
            vec![Edit::new(from, to, format!("[[\"{}\"][0]]", field.0.text()))]
        }
        Expr::RefBrack { index, .. } => {
            let (from, to) = reach(text, index);
            vec![Edit::new(from, from, "["), Edit::new(to, to, "][0]")]
        }
        _ => Vec::new(),
    }
}

fn computed(refr: &Expr) -> bool {
    match refr {
        Expr::RefBrack { refr, index, .. } => {
            !matches!(index.as_ref(), Expr::String { .. } | Expr::RawString { .. }) || computed(refr)
        }
        Expr::RefDot { refr, .. } => computed(refr),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn the_last_member_behind_a_computed_one_stands_in_brackets() {
        let author =
            "package a\nx[k].b.c := 1 if some k in [1]\ny.a.b := 1\nz[k][v] := 1 if some k, v in [1]\n";
        let mut engine = Engine::new();
        engine.add_policy("a.rego".to_owned(), author.to_owned()).unwrap();
        let translated = Translated { text: author.to_owned(), ..Translated::default() };

        let written = brackets(&engine.get_modules()[0], &translated).unwrap();

        assert_eq!(written.text, author.replace("x[k].b.c", "x[k].b[\"c\"]"));
    }
}
