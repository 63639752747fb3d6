//! Heads whose last member is written with a dot behind a computed one, `users[id].name := …`: where no body holds, the
//! engine has nothing, where OPA has `{}`. With the last member in brackets it has that too.

use regorus::unstable::{Expr, Module, Rule, RuleHead};

use super::{Edit, Translated};

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
