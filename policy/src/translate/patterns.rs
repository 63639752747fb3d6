//! `{"a": x} = input.o`: to OPA an object has exactly the members of its pattern, the engine lets it have others. What is
//! compared with a pattern goes through a builtin of ours, with the pattern's shape: `{"a": x} =
//! internal.shaped(input.o, {"a": null})` gives `false`, which no pattern fits, where an object has another member.

use std::collections::BTreeMap;

use regorus::Value;
use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleHead, Span};

use super::{Edit, Translated, begin, behind_parentheses, each, end, hoist, reach};
use crate::gate::binds;
use crate::gate::names::{self, Names};
use crate::gate::walk::{self, Seen, constant};

/// A pattern, and what it stands against.
pub(crate) enum Met<'a> {
    Value(&'a Expr, &'a Ref<Expr>),
    /// Two objects whose members are not called the same, or not by constants.
    Unlike(&'a Expr),
}

/// Whether there are objects among what a pattern takes apart.
pub(crate) fn takes_objects(pattern: &Expr) -> bool {
    match pattern {
        Expr::Object { .. } => true,
        Expr::Array { items, .. } => items.iter().any(|item| takes_objects(item)),
        _ => false,
    }
}

/// Whether a pattern gives or names variables; the engine compares what does not as a whole.
pub(crate) fn has_variables(pattern: &Expr) -> bool {
    let mut any = false;
    binds::variables(pattern, &mut |_| any = true);
    any
}

/// The patterns of objects that a statement `… = …` or `… := …` takes values apart by.
pub(crate) fn met(expr: &Expr) -> Vec<Met<'_>> {
    let mut found = Vec::new();
    match expr {
        Expr::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. }
            if has_variables(lhs) && takes_objects(lhs) =>
        {
            found.push(Met::Value(lhs, rhs));
        }
        Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } => {
            sides((lhs, has_variables(lhs)), (rhs, has_variables(rhs)), &mut found);
        }
        _ => {}
    }
    found
}

/// Two sides, each with whether it stands in a pattern that has variables.
fn sides<'a>(one: (&'a Ref<Expr>, bool), other: (&'a Ref<Expr>, bool), found: &mut Vec<Met<'a>>) {
    let ((one, opens), (other, other_opens)) = (one, other);
    let mut both = |one, other| sides((one, opens), (other, other_opens), found);
    match (one.as_ref(), other.as_ref()) {
        (Expr::Array { items: one, .. }, Expr::Array { items: other, .. }) => {
            one.iter().zip(other).for_each(|(one, other)| both(one, other));
        }
        (Expr::Object { fields: a, .. }, Expr::Object { fields: b, .. }) => {
            match (a.as_slice(), b.as_slice()) {
                // Where these are the same, they are called the same.
                ([(_, _, one)], [(_, _, other)]) => both(one, other),
                _ => match members(one).zip(members(other)) {
                    Some((one, other)) if one.keys().eq(other.keys()) => {
                        one.values().zip(other.values()).for_each(|(one, other)| both(one, other));
                    }
                    _ if opens || other_opens => found.push(Met::Unlike(one)),
                    _ => {}
                },
            }
        }
        // These are never the same.
        (Expr::Array { .. }, Expr::Object { .. }) | (Expr::Object { .. }, Expr::Array { .. }) => {}
        _ if opens && takes_objects(one) => found.push(Met::Value(one, other)),
        _ if other_opens && takes_objects(other) => found.push(Met::Value(other, one)),
        _ => {}
    }
}

/// The references within this one that are looked through by a pattern of objects, the longest first: `xs` of
/// `xs[{"a": x}]`, with the pattern.
pub(crate) fn looked_through<'a>(refr: &'a Expr, found: &mut Vec<(&'a Ref<Expr>, &'a Expr)>) {
    match refr {
        Expr::RefDot { refr, .. } => looked_through(refr, found),
        Expr::RefBrack { refr, index, .. } => {
            if takes_objects(index) && has_variables(index) {
                found.push((refr, index));
            }
            looked_through(refr, found);
        }
        _ => {}
    }
}

/// The members of an object that are all called by constants.
fn members(object: &Expr) -> Option<BTreeMap<&Value, &Ref<Expr>>> {
    let Expr::Object { fields, .. } = object else { return None };
    fields.iter().map(|(_, key, value)| constant(key).map(|key| (key, value))).collect()
}

/// The shape of a pattern: its objects and lists, and `null` for all else. Else what one of its members is called by, of
/// which it cannot be said.
pub(crate) fn shape<'a>(text: &str, pattern: &'a Expr) -> Result<String, &'a Expr> {
    match pattern {
        Expr::Array { items, .. } => {
            let items: Result<Vec<_>, _> = items.iter().map(|item| shape(text, item)).collect();
            Ok(format!("[{}]", items?.join(", ")))
        }
        Expr::Object { fields, .. } => {
            let member = |(_, key, value): &'a (Span, Ref<Expr>, Ref<Expr>)| {
                // Of two that are called the same, where one name is computed, OPA finds neither.
                let known = called(text, key).filter(|_| fields.len() == 1 || constant(key).is_some());
                let key = known.ok_or(key.as_ref())?;
                Ok(format!("{key}: {}", shape(text, value)?))
            };
            let members: Result<Vec<_>, _> = fields.iter().map(member).collect();
            Ok(format!("{{{}}}", members?.join(", ")))
        }
        _ => Ok("null".to_owned()),
    }
}

/// What a member is called by, on one line: a constant, a variable or a reference without loops.
fn called(text: &str, key: &Expr) -> Option<String> {
    let named = |key: &Expr| {
        let mut key = key;
        loop {
            key = match key {
                Expr::Var { span, .. } => break span.text() != "_",
                Expr::RefDot { refr, .. } => refr,
                Expr::RefBrack { refr, index, .. } if walk::is_scalar(index) => refr,
                _ => break false,
            }
        }
    };
    match key {
        Expr::String { value, .. } | Expr::RawString { value, .. } => value.to_json_str().ok(),
        key if constant(key).is_some() || named(key) => {
            let (from, to) = reach(text, key);
            text.get(from as usize..to as usize).filter(|key| !key.contains('\n')).map(str::to_owned)
        }
        _ => None,
    }
}

/// The same; what nothing fits where it cannot be said, which the gate refuses.
fn shaped(text: &str, pattern: &Expr) -> String {
    shape(text, pattern).unwrap_or_else(|_| "false".to_owned())
}

/// An argument that a function is defined with, on one line; none where a comment or a raw text goes over many.
pub(crate) fn argument(text: &str, arg: &Expr) -> Option<String> {
    let (from, to) = reach(text, arg);
    let written = text.get(from as usize..to as usize)?;
    (!written.contains('\n') || !written.contains(['#', '`'])).then(|| written.replace('\n', " "))
}

/// The texts of all modules with the arguments that take objects apart as statements: `f({"a": x}) := x` is
/// `f(object2__) := x if { {"a": x} := internal.shaped(object2__, {"a": null}) }`. None where there is none.
pub(crate) fn arguments(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    each(modules, texts, |module, text| {
        module.policy.iter().flat_map(|rule| in_body(&text.text, rule)).collect()
    })
}

fn in_body(text: &str, rule: &Rule) -> Vec<Edit> {
    let Rule::Spec { head: RuleHead::Func { args, assign, .. }, bodies, .. } = rule else {
        return Vec::new();
    };
    let (mut edits, mut first) = (Vec::new(), Vec::new());
    for arg in args.iter().filter(|arg| takes_objects(arg)) {
        let (from, to) = reach(text, arg);
        let name = format!("object{from}__");
        let lines = text.get(from as usize..to as usize).unwrap_or_default().matches('\n').count();
        // The gate lets no other through.
        let pattern = argument(text, arg).unwrap_or_else(|| "false".to_owned());
        first.push(if has_variables(arg) {
            format!("{pattern} := internal.shaped({name}, {})", shaped(text, arg))
        } else {
            format!("{name} == {pattern}")
        });
        edits.push(Edit::new(from, to, name + &"\n".repeat(lines)));
    }
    if first.is_empty() {
        return edits;
    }
    let first = first.join("; ");
    let alone = |value: &Expr| {
        let to = behind_parentheses(text, reach(text, value).1);
        Edit::new(to, to, format!(" if {{ {first} }}"))
    };
    if bodies.is_empty() {
        edits.extend(assign.as_ref().map(|assign| alone(&assign.value)));
    }
    let bare = hoist::bare(rule);
    for (index, body) in bodies.iter().enumerate() {
        let assign = if index == 0 { assign.as_ref() } else { body.assign.as_ref() };
        let Some((begins, ends)) = body.query.stmts.first().zip(body.query.stmts.last()) else {
            edits.extend(assign.map(|assign| alone(&assign.value)));
            continue;
        };
        let from = begin(text, begins);
        if bare.contains(&begins.span.start) {
            let to = end(text, ends.span.end);
            edits.push(Edit::new(from, from, format!("{{ {first}; ")));
            edits.push(Edit::new(to, to, " }"));
        } else {
            edits.push(Edit::new(from, from, format!("{first}; ")));
        }
    }
    edits
}

/// The texts of all modules with what is taken apart by patterns of objects in the builtin; none where there is none.
pub(crate) fn exact(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    let names = Names::of(modules);
    each(modules, texts, |module, text| {
        let global = |name: &str| matches!(name, "input" | "data") || names.is_global(module, name);
        let mut edits = Vec::new();
        for rule in &module.policy {
            let bare = hoist::bare(rule);
            walk::rule(rule, &mut |seen| {
                if let Seen::Opens(stmts) = seen {
                    edits.extend(stmts.iter().flat_map(|stmt| statement(&text.text, stmt, &bare, &global)));
                } else if let Seen::Ref(refr) = seen {
                    let mut found = Vec::new();
                    looked_through(refr, &mut found);
                    edits.extend(found.into_iter().flat_map(|(refr, pattern)| {
                        let shape = shaped(&text.text, pattern);
                        call(&text.text, refr, "internal.shaped_members(", &format!(", {shape}, null)"))
                    }));
                }
            });
        }
        edits
    })
}

fn statement(
    text: &str,
    stmt: &LiteralStmt,
    bare: &std::collections::BTreeSet<u32>,
    global: &dyn Fn(&str) -> bool,
) -> Vec<Edit> {
    let (expr, stands) = match &stmt.literal {
        Literal::Expr { expr, .. } => (expr, true),
        Literal::NotExpr { expr, .. } => (expr, false),
        Literal::SomeIn { key, value, collection, .. } => {
            let key = key.as_ref().map(AsRef::as_ref);
            if !key.into_iter().chain([value.as_ref()]).any(takes_objects) {
                return Vec::new();
            }
            let key = key.map_or_else(|| "null".to_owned(), |key| shaped(text, key));
            let value = shaped(text, value);
            return call(text, collection, "internal.shaped_members(", &format!(", {key}, {value})")).into();
        }
        Literal::SomeVars { .. } | Literal::Every { .. } => return Vec::new(),
    };
    let given = matches!(expr.as_ref(), Expr::AssignExpr { op: AssignOp::ColEq, .. });
    let (mut edits, mut behind) = (Vec::new(), String::new());
    for met in met(expr) {
        let Met::Value(pattern, value) = met else { continue };
        match value.as_ref() {
            // The pattern may be what gives it its value.
            Expr::Var { span, .. } if stands && !given && !global(span.text()) => {
                let name = span.text();
                if name != "_" {
                    let shape = shaped(text, pattern);
                    behind.extend(["; internal.shaped(", name, ", ", &shape, ") == ", name]);
                }
            }
            value if walk::is_scalar(value) => {}
            Expr::Call { fcn, .. } if names::constant(fcn) == ["internal", "shaped"] => {}
            _ => {
                let shape = shaped(text, pattern);
                edits.extend(call(text, value, "internal.shaped(", &format!(", {shape})")));
            }
        }
    }
    if !behind.is_empty() {
        let to = end(text, stmt.span.end);
        if bare.contains(&stmt.span.start) {
            let from = begin(text, stmt);
            edits.insert(0, Edit::new(from, from, "{ "));
            behind.push_str(" }");
        }
        edits.push(Edit::new(to, to, behind));
    }
    edits
}

/// Writes an expression as the first argument of a call.
fn call(text: &str, of: &Expr, before: &str, behind: &str) -> [Edit; 2] {
    let (from, to) = reach(text, of);
    [Edit::new(from, from, before), Edit::new(to, to, behind)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    type Write = fn(&[Ref<Module>], &[Translated]) -> Option<Vec<Translated>>;

    fn written(step: Write, author: &str) -> String {
        let author = format!("package a\n{author}\n");
        let mut engine = Engine::new();
        engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
        let texts = [Translated { text: author.clone(), ..Translated::default() }];
        let written = step(engine.get_modules(), &texts).map_or(author, |mut written| written.remove(0).text);
        written.strip_prefix("package a\n").unwrap().trim_end().to_owned()
    }

    #[test]
    fn what_is_taken_apart_goes_through_the_builtin_with_the_shape_of_its_pattern() {
        for (author, wanted) in [
            (
                "y if { {\"a\": x} := input.o }",
                "y if { {\"a\": x} := internal.shaped(input.o, {\"a\": null}) }",
            ),
            (
                "y if { [x, {k: {`b`: 2}}] = f(z) }",
                "y if { [x, {k: {`b`: 2}}] = internal.shaped(f(z), [null, {k: {\"b\": null}}]) }",
            ),
            ("y if o = {\"a\": _}", "y if { o = {\"a\": _}; internal.shaped(o, {\"a\": null}) == o }"),
            (
                "y if { {\"a\": x} = o with input as 1\nx }\no := 1",
                "y if { {\"a\": x} = internal.shaped(o, {\"a\": null}) with input as 1\nx }\no := 1",
            ),
            (
                "y if { [{\"a\": x}, 1] = [o, z] }",
                "y if { [{\"a\": x}, 1] = [o, z]; internal.shaped(o, {\"a\": null}) == o }",
            ),
            (
                "y if some k, {\"a\": 1} in (input.xs)",
                "y if some k, {\"a\": 1} in (internal.shaped_members(input.xs, null, {\"a\": null}))",
            ),
            (
                "y := [x | s[{\"a\": x}]]",
                "y := [x | internal.shaped_members(s, {\"a\": null}, null)[{\"a\": x}]]",
            ),
            ("y if { {\"a\": 1} = input.o }", "y if { {\"a\": 1} = input.o }"),
            ("y if { [x, 1] := input.o; s[{\"a\": 1}] }", "y if { [x, 1] := input.o; s[{\"a\": 1}] }"),
        ] {
            assert_eq!(written(exact, author), wanted);
        }
    }

    #[test]
    fn an_argument_that_takes_an_object_apart_is_a_statement_of_each_body() {
        for (author, wanted) in [
            ("f({\"a\": x}) := x", "f(N) := x if { {\"a\": x} := internal.shaped(N, {\"a\": null}) }"),
            ("f({\"a\": 1}) if \"b\" == x", "f(N) if { N == {\"a\": 1}; \"b\" == x }"),
            (
                "f({\"a\": 1}) := 2 if { (x) == 1 } else := 3 if y else := 4",
                "f(N) := 2 if { N == {\"a\": 1}; (x) == 1 } else := 3 if { N == {\"a\": 1}; y } else := 4 if { N == {\"a\": 1} }",
            ),
            ("f({\n\"a\": 1}) := 2 if x", "f(N\n) := 2 if { N == { \"a\": 1}; x }"),
            (
                "f({\"a\": 1}) := 2 if x else := set()",
                "f(N) := 2 if { N == {\"a\": 1}; x } else := set() if { N == {\"a\": 1} }",
            ),
            ("f([x, 1]) := x if x", "f([x, 1]) := x if x"),
        ] {
            assert_eq!(written(arguments, author), wanted.replace('N', "object12__"));
        }
    }
}
