//! What becomes of `print`. A policy that decides prints nothing, as in OPA's server. Where somebody reads what is
//! printed, it is written as OPA writes it, `internal.print([{x | x := a}, …])`: what is undefined is said to be, and
//! our own builtin keeps no more than a limit, where the engine keeps all.

use regorus::unstable::{Expr, Module, Ref, Span};

use super::{Edit, Translated, each};
use crate::gate::names::{self, Names};
use crate::gate::walk::{self, Seen};

/// The texts of all modules with `true`, which is what it gives, for each call of `print`; none where there is none.
pub(crate) fn erased(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    written(modules, texts, |_, calls| {
        let replaced = |(span, _): &(&Span, &Expr)| {
            let lines = span.text().matches('\n').count();
            Edit::new(span.start, span.end, format!("true{}", "\n".repeat(lines)))
        };
        let mut edits: Vec<Edit> = calls.iter().map(replaced).collect();
        // One in the arguments of another goes with it.
        edits.sort_by_key(|edit| edit.from);
        let mut end = 0;
        edits.retain(|edit| {
            let outer = edit.from >= end;
            end = end.max(edit.to);
            outer
        });
        edits
    })
}

/// The texts of all modules with our builtin in the place of `print`; none where there is none.
pub(crate) fn kept(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    written(modules, texts, |text, calls| {
        let mut edits: Vec<Edit> =
            calls.iter().flat_map(|call| ours(text, *call).unwrap_or_default()).collect();
        // What is put in before a name stands before what takes the name's place.
        edits.sort_by_key(|edit| (edit.from, edit.to));
        edits
    })
}

/// The texts with what is to be written for the calls of `print` in each module that has no function of that name.
fn written(
    modules: &[Ref<Module>],
    texts: &[Translated],
    edits: impl Fn(&str, &[(&Span, &Expr)]) -> Vec<Edit>,
) -> Option<Vec<Translated>> {
    let names = Names::of(modules);
    each(modules, texts, |module, text| {
        let own = names.function(module, &["print".to_owned()]).is_some();
        let calls = if own { Vec::new() } else { calls(module) };
        edits(&text.text, &calls)
    })
}

/// Every call of `print` in a module.
fn calls(module: &Module) -> Vec<(&Span, &Expr)> {
    let mut calls = Vec::new();
    for rule in &module.policy {
        walk::rule(rule, &mut |seen| {
            if let Seen::Call { span, fcn, .. } = seen
                && names::path(fcn).is_some_and(|called| called == ["print"])
            {
                calls.push((span, fcn));
            }
        });
    }
    calls
}

/// `print(a, b)` as `internal.print("file:line", [{x | x := (a)}, {x | x := (b)}])`.
fn ours(text: &str, (span, fcn): (&Span, &Expr)) -> Option<Vec<Edit>> {
    let name = fcn.span();
    let open = name.end as usize + text.get(name.end as usize..)?.find('(')? + 1;
    let ends = arguments(text, open)?;
    let at = |at: usize, text: String| {
        let at = u32::try_from(at).ok()?;
        Some(Edit::new(at, at, text))
    };
    let place = serde_json::Value::from(format!("{}:{}", span.source.get_path(), span.line));
    let mut edits = vec![Edit::new(name.start, name.end, "internal.print")];
    edits.push(at(open, format!("{place}, ["))?);
    let mut from = open;
    for end in &ends {
        let it = format!("print{from}__");
        edits.push(at(from, format!("{{{it} | {it} := ("))?);
        edits.push(at(*end, ")}".to_owned())?);
        from = end + 1;
    }
    edits.push(at(span.end as usize - 1, "]".to_owned())?);
    Some(edits)
}

/// Where each argument ends, of those that begin behind a parenthesis: at the comma, or at the parenthesis.
fn arguments(text: &str, open: usize) -> Option<Vec<usize>> {
    let (mut ends, mut depth, mut any) = (Vec::new(), 0_usize, false);
    let mut chars = text.get(open..)?.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '#' => while chars.next()?.1 != '\n' {},
            '"' => {
                while let Some((_, c)) = chars.next().filter(|(_, c)| *c != '"') {
                    if c == '\\' {
                        chars.next();
                    }
                }
            }
            '`' => while chars.next()?.1 != '`' {},
            '(' | '[' | '{' => depth += 1,
            ',' | ')' if depth == 0 => {
                // The last may have a comma behind it.
                if any {
                    ends.push(open + at);
                }
                if c == ')' {
                    return Some(ends);
                }
                any = false;
                continue;
            }
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        any |= !c.is_whitespace() && c != '#';
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn what_is_printed_goes_through_our_builtin_whatever_its_arguments_are() {
        for (author, wanted) in [
            (
                "x if print(input.a)",
                "x if internal.print(\"a.rego:2\", [{print21__ | print21__ := (input.a)}])",
            ),
            ("x if print()", "x if internal.print(\"a.rego:2\", [])"),
            (
                "x if {\n\tprint(\"a,)\", # one, (\n\t\t[1, `b)`],\n\t)\n}",
                "x if {\n\tinternal.print(\"a.rego:3\", [{print24__ | print24__ := (\"a,)\")},{print30__ | print30__ := ( # \
                 one, (\n\t\t[1, `b)`])},\n\t])\n}",
            ),
            (
                "x if print(print(1))",
                "x if internal.print(\"a.rego:2\", [{print21__ | print21__ := (internal.print(\"a.rego:2\", [{print27__ | \
                 print27__ := (1)}]))}])",
            ),
            ("print(x) if x\ny if print(1)", "print(x) if x\ny if print(1)"),
        ] {
            let author = format!("package a\n{author}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
            let texts = [Translated { text: author.clone(), ..Translated::default() }];
            let modules = engine.get_modules().clone();
            let written = kept(&modules, &texts).map_or(author, |written| written[0].text.clone());
            assert_eq!(written, format!("package a\n{wanted}\n"));
        }
    }
}
