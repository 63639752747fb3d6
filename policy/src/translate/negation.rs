//! `not` as OPA means it: what stands in a negated call must be there, or the whole body does not hold.
//!
//! OPA takes the arguments of a call, and the computed members of a reference, out of the negation before it asks:
//! `not startswith(input.user, "x")` is `y := input.user; not startswith(y, "x")`, which holds for nobody who has no
//! `user`. Only what is compared by `==`, or asked by itself, may be missing. The engine negates all of it.
//!
//! A second thing is mended here. Where the engine has not seen what gives a name its value, as with `every`, `=` and what
//! a call gives, it takes the member of that name for a loop; and a loop over what is not there ends the body where the
//! negation should hold.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{AssignOp, BoolOp, Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleHead, Span};

use super::{Edit, Translated, end, reach};
use crate::gate::binds;
use crate::gate::names::{self, Names};
use crate::gate::walk::{self, Seen};

/// Takes out of each negation of a module what OPA takes out; none where nothing is to be taken.
pub(crate) fn arguments(
    module: &Module,
    names: &Names,
    translated: &Translated,
    pass: usize,
) -> Option<Translated> {
    let scan = Scan::of(module, names, translated);
    edited(module, translated, pass, &mut |_, stmt, expr, name| {
        let mut taken = Vec::new();
        scan.negated(expr, &mut taken);
        scan.before(stmt, &taken, name)
    })
}

/// Takes out of each negation what the engine would take for a loop; none where there is none. It is for after the gate,
/// which would not see any more that a name has no value.
pub(crate) fn loops(modules: &[Ref<Module>], texts: &[Translated], pass: usize) -> Option<Vec<Translated>> {
    let names = Names::of(modules);
    super::each_text(modules, texts, |module, text| {
        let scan = Scan::of(module, &names, text);
        let mut of_rules = BTreeMap::new();
        edited(module, text, pass, &mut |rule, stmt, expr, name| {
            let given = of_rules.entry(std::ptr::from_ref(rule)).or_insert_with(|| Given::of(rule));
            let mut taken = Vec::new();
            given.members(expr, &mut taken);
            if !taken.is_empty() {
                scan.before(stmt, &taken, name)
            } else if given.looped(expr) {
                Some(scan.collected(stmt, expr, name))
            } else {
                None
            }
        })
    })
}

/// The edits of one negated statement, by its rule, its expression, and a name for what is taken out.
type Edits<'e, 'a> = dyn FnMut(&'a Rule, &'a LiteralStmt, &'a Ref<Expr>, &str) -> Option<Vec<Edit>> + 'e;

fn edited<'a>(
    module: &'a Module,
    translated: &Translated,
    pass: usize,
    of: &mut Edits<'_, 'a>,
) -> Option<Translated> {
    let mut groups: Vec<(u32, u32, Vec<Edit>)> = Vec::new();
    for rule in &module.policy {
        walk::rule(rule, &mut |seen| {
            let Seen::Opens(stmts) = seen else { return };
            for stmt in stmts {
                let Literal::NotExpr { expr, .. } = &stmt.literal else { continue };
                let name = format!("not{pass}_{}", groups.len());
                let edits = of(rule, stmt, expr, &name);
                groups.extend(edits.map(|edits| (stmt.span.start, stmt.span.end, edits)));
            }
        });
    }
    groups.sort_by_key(|(from, to, _)| (*from, std::cmp::Reverse(*to)));
    // What stands within another waits for the next pass.
    let mut reached = 0;
    let mut edits = Vec::new();
    for (from, to, group) in groups {
        if from >= reached {
            reached = to;
            edits.extend(group);
        }
    }
    translated.edited(edits)
}

/// The name and the value of a statement `not0_0_0__ := input.user`, as [`arguments`] writes them.
pub(crate) fn taken(expr: &Expr) -> Option<(&Span, &Expr)> {
    let Expr::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. } = expr else { return None };
    let Expr::Var { span, .. } = lhs.as_ref() else { return None };
    ours(span.text()).then_some((span, rhs.as_ref()))
}

/// Whether a name is one that [`arguments`] or [`loops`] writes.
fn ours(name: &str) -> bool {
    let numbers = name.strip_prefix("not").and_then(|name| name.strip_suffix("__"));
    numbers.is_some_and(|numbers| {
        numbers.split('_').count() == 3 && numbers.bytes().all(|c| c == b'_' || c.is_ascii_digit())
    })
}

/// Where the bodies begin that are one statement without braces.
fn bare(module: &Module) -> BTreeSet<u32> {
    let bodies = module.policy.iter().flat_map(|rule| match rule.as_ref() {
        Rule::Spec { bodies, .. } => bodies.as_slice(),
        Rule::Default { .. } => &[],
    });
    let begin = |stmts: &[LiteralStmt]| stmts.first().map(|stmt| stmt.span.start);
    bodies
        .filter(|body| begin(&body.query.stmts) == Some(body.query.span.start))
        .map(|body| body.query.span.start)
        .collect()
}

/// What the engine knows of the names of one rule.
struct Given {
    /// The names that have their value from the head, from `:=` or from `some … in`, and from nothing else.
    seen: BTreeSet<String>,
    /// The names of `every`.
    every: BTreeSet<String>,
}

impl Given {
    fn of(rule: &Rule) -> Self {
        let (mut seen, mut every, mut other) = (Vec::new(), Vec::new(), Vec::new());
        if let Rule::Spec { head: RuleHead::Func { args, .. }, .. } = rule {
            for arg in args {
                binds::named(arg, &mut seen);
            }
        }
        walk::rule(rule, &mut |met| {
            let Seen::Opens(stmts) = met else { return };
            for stmt in stmts {
                binds::given(stmt, &mut seen);
                match &stmt.literal {
                    Literal::Every { key, value, .. } => {
                        every.extend(key.iter().chain([value]).map(|name| name.text().to_owned()));
                    }
                    Literal::SomeVars { vars, .. } => {
                        other.extend(vars.iter().map(|name| name.text().to_owned()));
                    }
                    Literal::Expr { expr, .. } => match expr.as_ref() {
                        Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } => {
                            for side in [lhs, rhs] {
                                binds::named(side, &mut other);
                            }
                        }
                        Expr::Call { params, .. } => {
                            params.last().iter().for_each(|last| binds::named(last, &mut other));
                        }
                        _ => {}
                    },
                    Literal::SomeIn { .. } | Literal::NotExpr { .. } => {}
                }
            }
        });
        let every: BTreeSet<String> = every.into_iter().collect();
        let other: BTreeSet<String> = other.into_iter().collect();
        let seen = seen.into_iter().filter(|name| !every.contains(name) && !other.contains(name)).collect();
        Self { seen, every }
    }

    /// The names of `every` in brackets: named once more, they are no loops.
    fn members<'e>(&self, expr: &'e Ref<Expr>, taken: &mut Vec<&'e Ref<Expr>>) {
        match expr.as_ref() {
            Expr::RefDot { refr, .. } => self.members(refr, taken),
            Expr::RefBrack { refr, index, .. } => {
                self.members(refr, taken);
                if matches!(index.as_ref(), Expr::Var { span, .. } if self.every.contains(span.text())) {
                    taken.push(index);
                }
            }
            Expr::BoolExpr { lhs, rhs, .. } | Expr::AssignExpr { lhs, rhs, .. } => {
                self.members(lhs, taken);
                self.members(rhs, taken);
            }
            _ => {}
        }
    }

    /// Whether the engine may make a loop of what is negated.
    fn looped(&self, expr: &Expr) -> bool {
        let mut found = false;
        if let Expr::RefBrack { index, .. } = expr {
            binds::variables(index, &mut |name| {
                found = found || !(ours(name.text()) || self.seen.contains(name.text()));
            });
        }
        walk::parts(expr, &mut |part| found = found || self.looped(part));
        found
    }
}

pub(super) struct Scan<'a> {
    module: &'a Module,
    names: &'a Names,
    text: &'a str,
    bare: BTreeSet<u32>,
}

impl<'a> Scan<'a> {
    pub(super) fn of(module: &'a Module, names: &'a Names, translated: &'a Translated) -> Self {
        Self { module, names, text: &translated.text, bare: bare(module) }
    }

    /// Writes a statement `name := …` for each before the negation of them.
    fn before(&self, stmt: &LiteralStmt, taken: &[&Ref<Expr>], name: &str) -> Option<Vec<Edit>> {
        let edits = taken.iter().enumerate().flat_map(|(index, expr)| {
            let variable = format!("{name}_{index}__");
            self.moved(stmt, expr, (format!("{variable} := "), " "), variable)
        });
        (!taken.is_empty()).then(|| self.braced(stmt, edits.collect()))
    }

    /// Writes a statement `name := [true | …]` before the negation of its member.
    fn collected(&self, stmt: &LiteralStmt, expr: &Ref<Expr>, name: &str) -> Vec<Edit> {
        let variable = format!("{name}_0__");
        let around = (format!("{variable} := [true | "), "] ");
        self.braced(stmt, self.moved(stmt, expr, around, format!("{variable}[0]")))
    }

    /// Writes an expression as a statement before its own, between two texts, and another in its place.
    fn moved(
        &self,
        stmt: &LiteralStmt,
        expr: &Ref<Expr>,
        (open, close): (String, &str),
        place: String,
    ) -> Vec<Edit> {
        let begin = stmt.span.start;
        let (from, to) = reach(self.text, expr);
        let mut edits =
            vec![Edit::new(begin, begin, open), Edit::copy(begin, from, to), Edit::new(begin, begin, close)];
        let first = stmt.with_mods.first();
        edits.extend(first.map(|with| Edit::copy(begin, with.span.start, end(self.text, stmt.span.end))));
        edits.extend([Edit::new(begin, begin, "; "), Edit::new(from, to, place)]);
        edits
    }

    /// The same in braces, where the statement is a body without them.
    fn braced(&self, stmt: &LiteralStmt, mut edits: Vec<Edit>) -> Vec<Edit> {
        let begin = stmt.span.start;
        if self.bare.contains(&begin) {
            let end = end(self.text, stmt.span.end);
            edits.insert(0, Edit::new(begin, begin, "{ "));
            edits.push(Edit::new(end, end, " }"));
        }
        edits
    }

    /// What is taken out of the expression after `not`.
    fn negated<'e>(&self, expr: &'e Ref<Expr>, taken: &mut Vec<&'e Ref<Expr>>) {
        match expr.as_ref() {
            Expr::Call { params, .. } => params.iter().for_each(|param| self.argument(param, taken)),
            Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. }
            | Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } => {
                self.operand(lhs, taken);
                self.operand(rhs, taken);
            }
            Expr::BoolExpr { lhs, rhs, .. }
            | Expr::BinExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. } => {
                self.argument(lhs, taken);
                self.argument(rhs, taken);
            }
            Expr::Membership { key, value, collection, .. } => {
                key.iter().chain([value, collection]).for_each(|part| self.argument(part, taken));
            }
            _ => self.operand(expr, taken),
        }
    }

    /// What may itself be missing: only what it computes is taken out.
    fn operand<'e>(&self, expr: &'e Ref<Expr>, taken: &mut Vec<&'e Ref<Expr>>) {
        match expr.as_ref() {
            Expr::RefDot { refr, .. } => self.operand(refr, taken),
            Expr::RefBrack { refr, index, .. } => {
                self.operand(refr, taken);
                self.argument(index, taken);
            }
            Expr::Var { .. } => {}
            _ => self.argument(expr, taken),
        }
    }

    /// Taken out whole, unless it cannot be missing.
    fn argument<'e>(&self, expr: &'e Ref<Expr>, taken: &mut Vec<&'e Ref<Expr>>) {
        if self.may_miss(expr) {
            taken.push(expr);
        }
    }

    /// Whether an expression may have no value.
    pub(super) fn may_miss(&self, expr: &Expr) -> bool {
        match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::ArrayCompr { .. }
            | Expr::SetCompr { .. }
            | Expr::ObjectCompr { .. } => false,
            Expr::Var { span, .. } => {
                let name = [span.text().to_owned()];
                let rule = self.names.defines_below(&names::resolve(self.module, &name));
                rule || names::through_imports(self.module, &name).is_some()
            }
            Expr::Array { .. } | Expr::Set { .. } | Expr::Object { .. } => {
                let mut found = false;
                walk::parts(expr, &mut |part| found = found || self.may_miss(part));
                found
            }
            Expr::RefDot { .. }
            | Expr::RefBrack { .. }
            | Expr::Call { .. }
            | Expr::UnaryExpr { .. }
            | Expr::BinExpr { .. }
            | Expr::BoolExpr { .. }
            | Expr::ArithExpr { .. }
            | Expr::AssignExpr { .. }
            | Expr::Membership { .. } => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    fn written(author: &str) -> String {
        let mut engine = Engine::new();
        engine.add_policy("a.rego".to_owned(), author.to_owned()).unwrap();
        let modules = engine.get_modules();
        let translated = Translated { text: author.to_owned(), ..Translated::default() };
        let written = arguments(&modules[0], &Names::of(modules), &translated, 0)
            .or_else(|| loops(modules, &[translated], 1)?.pop());
        written.map_or_else(|| author.to_owned(), |written| written.text)
    }

    fn body(stmt: &str) -> String {
        let text = written(&format!("package a\nr := 1\nx if {{ v := 1; {stmt} }}"));
        let body = text.split_once("v := 1; ").unwrap().1;
        body.strip_suffix(" }").unwrap().to_owned()
    }

    #[test]
    fn what_a_negated_call_takes_is_asked_before() {
        assert_eq!(
            body("not f(input.a, [1, input.b], v)"),
            "not0_0_0__ := input.a ; not0_0_1__ := [1, input.b] ; not f(not0_0_0__, not0_0_1__, v)"
        );
        assert_eq!(body("not input.a != 1"), "not0_0_0__ := input.a ; not not0_0_0__ != 1");
        assert_eq!(body("not r > 1"), "not0_0_0__ := r ; not not0_0_0__ > 1");
        assert_eq!(
            body("not f((\"a\" in input.b) == true)"),
            "not0_0_0__ := (\"a\" in input.b) == true ; not f(not0_0_0__)"
        );
        assert_eq!(body("not input.a in {1}"), "not0_0_0__ := input.a ; not not0_0_0__ in {1}");
        assert_eq!(body("not (input.a + 1) * 2 < 3"), "not0_0_0__ := (input.a + 1) * 2 ; not not0_0_0__ < 3");
        assert_eq!(
            body("not f(input.a) with input as {}"),
            "not0_0_0__ := input.a with input as {}; not f(not0_0_0__) with input as {}"
        );
    }

    #[test]
    fn what_is_asked_by_itself_or_compared_by_equality_may_be_missing() {
        for stmt in [
            "not input.a",
            "not input.a == 1",
            "not r",
            "not r == input.b",
            "not f(v)",
            "not v != 1",
            "not f([x | x := input.a])",
        ] {
            assert_eq!(body(stmt), stmt);
        }
        assert_eq!(body("not input.a[input.b].c"), "not0_0_0__ := input.b ; not input.a[not0_0_0__].c");
        assert_eq!(body("not count(input.a) == 1"), "not0_0_0__ := count(input.a) ; not not0_0_0__ == 1");
    }

    #[test]
    fn a_member_whose_name_the_engine_has_not_seen_given_is_no_loop() {
        assert_eq!(
            body("every w in v { not input.a[w].b }"),
            "every w in v { not1_0_0__ := w ; not input.a[not1_0_0__].b }"
        );
        assert_eq!(
            body("w = v; not input.a[w] == 1"),
            "w = v; not1_0_0__ := [true | input.a[w] == 1] ; not not1_0_0__[0]"
        );
        assert_eq!(body("not input.a[v]"), "not input.a[v]");
        assert_eq!(body("some [w, _] in v; not input.a[w]"), "some [w, _] in v; not input.a[w]");
    }

    #[test]
    fn a_body_without_braces_gets_them() {
        assert_eq!(
            written("package a\nx if not input.a != \"b\"\n"),
            "package a\nx if { not0_0_0__ := input.a ; not not0_0_0__ != \"b\" }\n"
        );
        assert_eq!(
            body("not f(input.a == \"b\") with input.c as \"d\""),
            "not0_0_0__ := input.a == \"b\" with input.c as \"d\"; not f(not0_0_0__) with input.c as \"d\""
        );
        assert_eq!(
            written("package a\nx if not f(input.a)\ny := 1 if v else := 2 if not input.a < 1"),
            "package a\nx if { not0_0_0__ := input.a ; not f(not0_0_0__) }\n\
             y := 1 if v else := 2 if { not0_1_0__ := input.a ; not not0_1_0__ < 1 }"
        );
    }
}
