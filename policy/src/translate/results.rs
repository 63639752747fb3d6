//! A builtin that is not the engine's own, with one argument more, which takes its value: `f(x, y)` is `y = f(x)`.

use regorus::unstable::{Expr, Module, Ref};

use super::{Edit, Translated, each, hoist, walked};
use crate::builtins::{self, Known};
use crate::gate::names::{self, Names};
use crate::gate::walk::{self, Seen, Stands};

/// Writes each such statement where `f` is one of our builtins and takes one argument, and what `walk` gives likewise.
/// The engine does so for its own alone. None when there is nothing to write.
pub(crate) fn first(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    let names = Names::of(modules);
    each(modules, texts, |module, text| edits(module, &names, text))
}

fn edits(module: &Module, names: &Names, translated: &Translated) -> Vec<Edit> {
    let mut edits = Vec::new();
    let own_walk = names.function(module, &["walk".to_owned()]).is_some();
    for rule in &module.policy {
        let bare = hoist::bare(rule);
        walk::rule(rule, &mut |seen| {
            if let Seen::Opens(stmts) = seen {
                let here = stmts.iter().filter(|_| !own_walk);
                edits.extend(here.filter_map(|stmt| walked::statement(&translated.text, stmt, &bare)));
            } else if let Seen::Call { span, fcn, params, stands: Stands::Alone } = seen {
                let added = names::path(fcn).filter(|called| names.function(module, called).is_none());
                let arity = added.and_then(|called| match builtins::known(&called.join(".")) {
                    Some(Known::Added(arity)) => Some(usize::from(arity)),
                    _ => None,
                });
                if arity.is_some_and(|arity| params.len() == arity + 1) {
                    edits.extend(result_first(&translated.text, span.start, params).into_iter().flatten());
                }
            }
        });
    }
    edits
}

/// The result before the call, and not after the last argument.
fn result_first(text: &str, start: u32, params: &[Ref<Expr>]) -> Option<[Edit; 2]> {
    let result = params.last()?;
    if matches!(result.as_ref(), Expr::String { .. } | Expr::RawString { .. }) {
        return None;
    }
    let span = result.span();
    let (from, to) = (span.start as usize, span.end as usize);
    let written = text.get(from..to)?;
    // What is written on one line now: a comment would take the rest of it, and a raw text has lost its lines.
    if written.contains('#') || (written.contains('`') && written.contains('\n')) {
        return None;
    }
    let comma =
        text.get(..from)?.trim_end().len().checked_sub(1).filter(|at| text.get(*at..*at + 1) == Some(","))?;
    let lines = text.get(comma..to)?.matches('\n').count();
    let first = format!("{} = ", written.replace('\n', " "));
    let comma = u32::try_from(comma).ok()?;
    let after = Edit::new(comma, span.end, "\n".repeat(lines));
    Some([Edit::new(start, start, first), after])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_walk_gives_is_written_as_a_statement_of_its_own() {
        let rewritten = |body: &str| {
            let text = format!("package a\nx if {{\n{body}\n}}\n");
            let mut engine = regorus::Engine::new();
            engine.add_policy("a.rego".to_owned(), text.clone()).unwrap();
            let modules = engine.get_modules();
            first(modules, &[Translated { text, ..Translated::default() }])
                .map(|written| written[0].text.lines().nth(2).unwrap().to_owned())
        };
        assert_eq!(rewritten("[p, v] := walk(input)").unwrap(), "some p, v; walk(input, [p, v])");
        assert_eq!(rewritten("[_, v] := walk(input.a)").unwrap(), "some v; walk(input.a, [_, v])");
        for other in ["[v, v] := walk(input)", "[p, v] := walk(v)", "v := walk(input)", "[p, v] := f(input)"]
        {
            assert_eq!(rewritten(other), None, "{other}");
        }
    }
}
