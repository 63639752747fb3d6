//! What answers by the clock, `time.within` and others. Its clock is `input.now`, also of an input that a `with` puts in,
//! as a test does; but the engine gives a builtin nothing but its arguments. So the time is one of them:
//! `time.within(w)` becomes `internal.now.within([now | now := input.now], w)`. A list, for an input may have none.

use regorus::unstable::{Expr, Module, Ref, Span};

use super::{Edit, Translated, each};
use crate::builtins;
use crate::gate::names::{self, Names};
use crate::gate::walk::{self, Seen};

const NOW: &str = "[now__ | now__ := input.now], ";

/// The texts of all modules with the time in each such call; none where there is none.
pub(crate) fn given(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    let names = Names::of(modules);
    each(modules, texts, |module, text| edits(module, &names, &text.text))
}

/// What is to be written in one module of this text.
fn edits(module: &Module, names: &Names, text: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    for rule in &module.policy {
        walk::rule(rule, &mut |seen| {
            if let Seen::Call { span, fcn, .. } = seen
                && let Some(called) = names::path(fcn)
                && let Some(clocked) = builtins::clocked(&called.join("."))
                && names.function(module, &called).is_none()
            {
                edits.extend(call(text, span, fcn, clocked).into_iter().flatten());
            }
        });
    }
    edits.sort_by_key(|edit| (edit.from, edit.to));
    edits
}

fn call(text: &str, span: &Span, fcn: &Expr, clocked: &str) -> Option<[Edit; 2]> {
    let (from, end) = (names::begin(fcn).start, fcn.span().end);
    let open = text.get(end as usize..span.end as usize)?.find('(')?;
    let first = end + u32::try_from(open).ok()? + 1;
    Some([Edit::new(from, end, clocked), Edit::new(first, first, NOW)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn the_time_is_the_first_argument() {
        for (author, wanted) in [
            ("x if time.within(\"a\")", "x if internal.now.within(NOW\"a\")"),
            (
                "x if not time.within( [input.a] ) with input as 1",
                "x if not internal.now.within(NOW [input.a] ) with input as 1",
            ),
            (
                "x := io.jwt.decode_verify(y, {\"a\": time.within(z)}) if some y, z in input.a",
                "x := internal.now.decode_verify(NOWy, {\"a\": internal.now.within(NOWz)}) if some y, z in input.a",
            ),
            ("x if time.now_ns() > 1", "x if time.now_ns() > 1"),
            ("time.within(x) if x\ny if time.within(1)", "time.within(x) if x\ny if time.within(1)"),
        ] {
            let author = format!("package a\n{author}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
            let texts = [Translated { text: author.clone(), ..Translated::default() }];
            let written = given(engine.get_modules(), &texts);
            let written = written.map_or(author, |mut written| written.remove(0).text);
            assert_eq!(written, format!("package a\n{}\n", wanted.replace("NOW", NOW)));
        }
    }
}
