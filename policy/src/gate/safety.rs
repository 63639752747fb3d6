//! Variables that nothing binds, which OPA calls unsafe: the engine finds some of them, and answers the others with
//! silence, `allow: tru` as an object without the member, `not denied[_]` as whatever it met first.
//!
//! The rule is OPA's own: statements are put in an order in which each finds its variables bound; what is left over is
//! unsafe. A comprehension and the body of `every` see what the statements before theirs bind.

mod bindings;
mod terms;
mod twice;

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Rule, RuleHead, Span};

use super::names::{self, Names};
use super::walk::parts;
use crate::nearest::nearest;
use crate::problem::{Problem, Problems};
pub(super) use terms::said_by;
use terms::{Closure, Statement, Var};

const UNUSED: &str = "is declared and used nowhere, which OPA refuses";
const ANEW: &str = "stands in what `some` declares: OPA takes it for a variable, and calls it unsafe";
const CALLED: &str =
    "is called in what `some` declares: OPA takes it for a variable there, and finds no function";
const HIDDEN: &str = "is a variable here, and called as a function";
const OWN: &str = "stands in a comprehension too in the statement that gives it a value: OPA takes it for another name there";
const TWICE: &str =
    "stands in the same statement twice, before the one that gives it a value: OPA calls it unsafe";
const PASSED: &str = "has its value in this query, and stands in a comprehension that is a member: OPA passes over the statement";
const KEYED: &str =
    "calls a member in what stands before `:=`, where OPA does not look for it: OPA calls it unsafe";
const LATE: &str = "has its value from a later statement, which is not waited for in a negation, in `every` or as the name of an object's member";
const SOON: &str = "goes through what a later statement gives a value, and reads a name from around it: OPA asks for it in its own place, where it does not hold";
const FORGOTTEN: &str = "stands beside a comprehension that reads another name of the body, and has its value from a later statement, for which OPA does not wait there";
const WEAK: &str = "has its value by an `=` of patterns or names, which is not waited for before an `=` that is denied or in `every`";

/// Behind so many problems none is told what was meant: to find that looks at every name there is.
const SUGGESTED: usize = 50;

/// Checks every rule of one module; `ours` says that questions of ours stand in it, which
/// ask for parts of a body.
pub(super) fn check(module: &Module, names: &Names, ours: bool, problems: &mut Problems) {
    let globals = globals(module, names);
    for rule in &module.policy {
        if let Rule::Default { value, .. } = rule.as_ref()
            && let Some(computed) = computed(value)
        {
            let why = "stands in a default, which is a constant";
            let instead = "`NAME := … if …` for what is computed";
            let problem = Problem::of(computed.source.get_path(), computed.text(), why, instead);
            problems.push(problem.at_span(computed));
        }
        let mut search = Search::new(Scope { module, names, globals: &globals, locals: Vec::new() });
        search.ours = ours;
        search.rule(rule);
        for (name, span, why, instead) in search.told {
            problems.push(Problem::of(span.source.get_path(), said(&name, span), why, instead).at_span(span));
        }
        for span in search.early {
            let why = "is named before the statement that declares it, which OPA refuses";
            let problem = Problem::of(span.source.get_path(), span.text(), why, "that statement first");
            problems.push(problem.at_span(span));
        }
        for (name, span) in &search.loose {
            let suggest = problems.len() < SUGGESTED;
            problems.push(problem(said(name, span), span, (module, names), &globals, suggest));
        }
    }
}

/// A name or a call outside comprehensions.
fn computed(value: &Expr) -> Option<&Span> {
    if let Expr::Var { span, .. } | Expr::Call { span, .. } = value {
        return Some(span);
    }
    let mut found = None;
    parts(value, &mut |part| found = found.or_else(|| computed(part)));
    found
}

/// The names that are called outside closures.
fn called<'a>(expr: &'a Expr, vars: &mut Vec<(Var, &'a Span)>) {
    if let Expr::Call { fcn, .. } = expr {
        let begin = names::begin(fcn);
        vars.push((terms::var(begin), begin));
    }
    parts(expr, &mut |part| called(part, vars));
}

/// What a name means everywhere in a module: the documents, the rules of the package, the imports.
pub(crate) fn globals(module: &Module, names: &Names) -> BTreeSet<String> {
    let mut globals: BTreeSet<String> = names.own(module).cloned().unwrap_or_default();
    globals.extend(["input", "data"].map(str::to_owned));
    for import in &module.imports {
        let last = names::constant(&import.refr).pop();
        globals.extend(import.r#as.as_ref().map(|alias| alias.text().to_owned()).or(last));
    }
    globals
}

/// The name that is at fault, where a closure stands at the place too.
fn said<'a>(name: &'a Var, span: &'a Span) -> &'a str {
    if span.text() == "_" { "_" } else { name }
}

fn problem(
    name: &str,
    span: &Span,
    (module, names): (&Module, &Names),
    globals: &BTreeSet<String>,
    suggest: bool,
) -> Problem {
    let (why, instead) = if name == "_" {
        (
            "stands for any value where one must be known: OPA calls it unsafe".to_owned(),
            "a rule that looks for it, and its name here",
        )
    } else {
        (
            "is bound by nothing: OPA calls it unsafe".to_owned(),
            "a statement that binds it, or its right name",
        )
    };
    let options = globals.iter().map(String::as_str).chain(["true", "false", "null"]);
    let options: Vec<&str> = options.filter(|_| suggest).collect();
    let meant = nearest(name, &options).map(|meant| format!("`{meant}`; or "));
    let package = suggest.then(|| names.package_called(module, name)).flatten();
    let meant = package.map(|package| format!("`import {package}` at the top; or ")).or(meant);
    Problem::of(span.source.get_path(), name, why, format!("{}{instead}", meant.unwrap_or_default()))
        .at_span(span)
}

/// What is told of a name beside a comprehension, or of a part of the statement that is called by one of ours.
fn too_late((name, span): (Var, &Span)) -> (Var, &Span, &'static str, &'static str) {
    let part = if span.text().starts_with("internal.") { "$\"…\"" } else { span.text() };
    let name = if name.starts_with('@') { part.to_owned() } else { name };
    (name, span, FORGOTTEN, "that statement first")
}

/// What names mean in the queries around an expression.
struct Scope<'a> {
    module: &'a Module,
    names: &'a Names,
    globals: &'a BTreeSet<String>,
    /// Declared by arguments, `some`, `:=` and `every`, so that they hide what is global.
    locals: Vec<BTreeSet<String>>,
}

impl Scope<'_> {
    fn is_global(&self, name: &str) -> bool {
        self.globals.contains(name) && !self.is_local(name)
    }

    fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|locals| locals.contains(name))
    }
}

/// A statement that is not in order yet.
struct Open<'a> {
    statement: Statement<'a>,
    vars: Vec<(Var, &'a Span)>,
    closures: Vec<Closure<'a>>,
    /// What they may take from the query around them.
    closed_over: BTreeSet<Var>,
    /// How many statements stand before it.
    index: usize,
}

/// The statement from which on each name is declared: a comprehension before it means another one by the same name.
struct Declared(BTreeMap<Var, usize>);

impl Declared {
    /// Of a query; what the body of an `every` declares, OPA takes for declared in its own value too.
    fn by(stmts: &[LiteralStmt], every: bool) -> Self {
        let names = stmts.iter().enumerate().flat_map(|(index, stmt)| {
            // What `some … in` declares is declared in its collection too.
            let within = every || matches!(stmt.literal, Literal::SomeIn { .. });
            let from = if within { index } else { index + 1 };
            terms::declared(std::slice::from_ref(stmt)).into_iter().map(move |name| (name, from))
        });
        Self(names.collect())
    }

    fn before(&self, name: &str, index: usize) -> bool {
        self.0.get(name).is_none_or(|from| *from <= index)
    }
}

/// The statements that are to be looked at: each again only when a name in it has become known, so that what one waits
/// for is not looked for in all the others.
struct Waiting {
    by_name: BTreeMap<Var, Vec<usize>>,
    /// Those of this round, and of the next.
    now: BTreeSet<usize>,
    next: BTreeSet<usize>,
}

impl Waiting {
    fn all(open: &[Option<Open<'_>>]) -> Self {
        let mut by_name: BTreeMap<Var, Vec<usize>> = BTreeMap::new();
        for (at, open) in open.iter().flatten().enumerate() {
            for name in open.vars.iter().map(|(name, _)| name).chain(&open.closed_over) {
                by_name.entry(name.clone()).or_default().push(at);
            }
        }
        Self { by_name, now: (0..open.len()).collect(), next: BTreeSet::new() }
    }

    /// The next statement in the order of the text.
    fn take(&mut self) -> Option<usize> {
        if self.now.is_empty() {
            std::mem::swap(&mut self.now, &mut self.next);
        }
        self.now.pop_first()
    }

    /// Something new is known of a name, by the statement at `at`.
    fn known(&mut self, name: &str, at: usize) {
        for other in self.by_name.get(name).into_iter().flatten() {
            if *other > at {
                self.now.insert(*other)
            } else {
                self.next.insert(*other)
            };
        }
    }
}

/// The statements by their places in OPA's body. Each gets another one in OPA's order, and what stands in that place still
/// and says the same, OPA takes for it: it never comes to that.
struct Places<'a> {
    /// Those that OPA makes statements of.
    body: Vec<usize>,
    /// How many of them are in order.
    placed: usize,
    /// What each lacked when it was looked at last.
    lack: BTreeMap<usize, Vec<(Var, &'a Span)>>,
    /// To which OPA never comes.
    lost: BTreeSet<usize>,
}

impl<'a> Places<'a> {
    fn of(open: &[Option<Open<'a>>]) -> Self {
        let is_one = |open: &Option<Open<'_>>| open.as_ref().is_some_and(|open| open.statement.is_one());
        let body = open.iter().enumerate().filter(|(_, open)| is_one(open)).map(|(at, _)| at).collect();
        Self { body, placed: 0, lack: BTreeMap::new(), lost: BTreeSet::new() }
    }

    /// A statement is the next in order; gives the names that one like it lacks, where that is lost.
    fn take(&mut self, one: Statement<'a>, left: &[Option<Open<'a>>]) -> Option<Vec<(Var, &'a Span)>> {
        if !one.is_one() {
            return None;
        }
        let other = *self.body.get(self.placed)?;
        self.placed += 1;
        if !twice::is_same(one, left.get(other)?.as_ref()?.statement) {
            return None;
        }
        self.lost.insert(other);
        self.lack.remove(&other)
    }
}

struct Search<'a> {
    scope: Scope<'a>,
    /// Each variable at a place where it is unsafe.
    loose: BTreeMap<Var, &'a Span>,
    /// Variables before the statement that declares them.
    early: Vec<&'a Span>,
    /// Other problems of names, each with its place, why it is one, and what to write instead.
    told: Vec<(Var, &'a Span, &'static str, &'static str)>,
    /// Whether questions of ours stand in it, which ask for parts of a body.
    ours: bool,
    /// How many times a statement was looked at.
    looked: usize,
}

impl<'a> Search<'a> {
    const fn new(scope: Scope<'a>) -> Self {
        Self { scope, loose: BTreeMap::new(), early: Vec::new(), told: Vec::new(), ours: false, looked: 0 }
    }

    fn rule(&mut self, rule: &'a Rule) {
        let Rule::Spec { head, bodies, .. } = rule else { return };
        let (mut arguments, mut computed, mut hides) = (Vec::new(), Vec::new(), BTreeSet::new());
        if let RuleHead::Func { args, .. } = head {
            // Whatever their names are, they hide what is global; those in comprehensions too, which have no value by that.
            let nothing = BTreeSet::new();
            let scope = Scope { globals: &nothing, locals: Vec::new(), ..self.scope };
            for arg in args {
                scope.vars(arg, &mut arguments);
                let mut closures = Vec::new();
                Statement::Term(arg).closures(&mut closures);
                for closure in &closures {
                    scope.taken(closure, &mut hides);
                }
                computed.extend((!closures.is_empty()).then_some(arg.as_ref()));
            }
        }
        let arguments: BTreeSet<Var> = arguments.into_iter().map(|(name, _)| name).collect();
        hides.extend(arguments.iter().cloned());
        self.scope.locals.push(hides);
        let with_computed = |said: Vec<&'a Expr>| said.into_iter().chain(computed.iter().copied()).collect();
        let (first, others) = bodies.split_first().unzip();
        let stmts = first.map_or(&[][..], |body| body.query.stmts.as_slice());
        self.query((stmts, false), with_computed(said_by(head)), &arguments);
        for body in others.unwrap_or_default() {
            let value = body.assign.iter().map(|assign| assign.value.as_ref()).collect();
            self.query((&body.query.stmts, false), with_computed(value), &arguments);
        }
        self.scope.locals.pop();
    }

    /// A query, or the body of an `every`, and the terms that are said by its names; `around` is bound outside.
    fn query(
        &mut self,
        (stmts, every): (&'a [LiteralStmt], bool),
        said: Vec<&'a Expr>,
        around: &BTreeSet<Var>,
    ) {
        let declared = terms::declared(stmts);
        let around = around.difference(&declared).cloned().collect();
        let mut new: BTreeSet<Var> =
            declared.iter().filter(|name| !self.scope.is_local(name)).cloned().collect();
        self.scope.locals.push(declared);
        self.early(stmts, &mut new);
        if !self.ours {
            self.unused(stmts, &said);
        }
        self.hidden(stmts, &said);
        self.anew(stmts);
        self.keyed(stmts);
        let last = Declared::by(stmts, every);
        let literals = stmts.iter().map(Statement::Literal).chain(said.into_iter().map(Statement::Term));
        let mut open = Vec::new();
        for (index, statement) in literals.enumerate() {
            let mut apart = Vec::new();
            statement.apart(&mut apart);
            open.extend(apart.into_iter().map(|statement| self.open(statement, index, &last)));
        }
        let mut by_weak = BTreeSet::new();
        let unsettled = self.unsettled(&open, &around, &mut by_weak);
        let too_soon = self.too_soon(&open, &around);
        let safe = self.order(open, &around, &last);
        if let Some((lacks, span)) = too_soon
            && lacks.iter().all(|name| safe.contains(name))
        {
            self.told.push(("every".to_owned(), span, SOON, "that statement first"));
        }
        // What OPA itself calls unsafe is told as that.
        let late = |(name, _): &(Var, _)| safe.contains(name) && !self.loose.contains_key(name);
        if let Some((name, span)) = unsettled.into_iter().find(late) {
            let (why, instead) = if by_weak.contains(&name) {
                (WEAK, "`==` here, or `:=` there")
            } else {
                (LATE, "that statement first")
            };
            self.told.push((name, span, why, instead));
        }
        self.scope.locals.pop();
    }

    /// Finds names that stand before the statement that declares them, among those that mean nothing outside.
    fn early(&mut self, stmts: &'a [LiteralStmt], new: &mut BTreeSet<Var>) {
        let scope = &self.scope;
        let named = |expr: &'a Expr, vars: &mut Vec<(Var, &'a Span)>| {
            scope.vars(expr, vars);
            called(expr, vars);
        };
        let mut early = Vec::new();
        for stmt in stmts {
            let mut vars = Vec::new();
            if let Some(value) = terms::given(stmt) {
                named(value, &mut vars);
            }
            early.extend(vars.drain(..).filter(|(name, _)| new.remove(name)));
            for name in terms::declared(std::slice::from_ref(stmt)) {
                new.remove(&name);
            }
            Statement::Literal(stmt).each_expr(&mut |expr| named(expr, &mut vars));
            early.extend(vars.into_iter().filter(|(name, _)| new.remove(name)));
        }
        self.early.extend(early.into_iter().map(|(_, span)| span));
    }

    /// Finds calls of what is a variable.
    fn hidden(&mut self, stmts: &'a [LiteralStmt], said: &[&'a Expr]) {
        let mut calls = Vec::new();
        for stmt in stmts {
            Statement::Literal(stmt).each_expr(&mut |expr| called(expr, &mut calls));
        }
        for term in said {
            called(term, &mut calls);
        }
        calls.retain(|(name, _)| self.scope.is_local(name));
        self.told.extend(
            calls.into_iter().map(|(name, span)| (name, span, HIDDEN, "another name for the variable")),
        );
    }

    /// Finds rules, functions and imports in the terms of `some … in`, which declares all names that stand there.
    fn anew(&mut self, stmts: &'a [LiteralStmt]) {
        let (mut named, mut functions) = (Vec::new(), Vec::new());
        for stmt in stmts {
            if let Literal::SomeIn { key, value, .. } = &stmt.literal {
                for term in key.iter().chain([value]) {
                    terms::names(term, &mut named);
                    called(term, &mut functions);
                }
            }
        }
        let global =
            |name: &Span| !matches!(name.text(), "input" | "data") && self.scope.is_global(name.text());
        named.retain(|name| global(name));
        functions.retain(|(_, name)| global(name));
        self.told.extend(
            functions.into_iter().map(|(name, at)| (name, at, CALLED, "`x := …` before, and `x` here")),
        );
        self.told.extend(
            named.into_iter().map(|name| (terms::var(name), name, ANEW, "`x := …` before, and `x` here")),
        );
    }

    /// Finds names in the patterns of `:=` that call members there: OPA looks for none that are declared or global.
    fn keyed(&mut self, stmts: &'a [LiteralStmt]) {
        for stmt in stmts {
            let Literal::Expr { expr, .. } = &stmt.literal else { continue };
            let Expr::AssignExpr { op: AssignOp::ColEq, lhs, .. } = expr.as_ref() else { continue };
            let mut names = terms::key_begins(lhs);
            names.retain(|name| {
                let name = name.text();
                let known = self.scope.is_local(name) || self.scope.globals.contains(name);
                known && !matches!(name, "input" | "data")
            });
            let instead = "a name for the value, and the member of that: `x := all[key]`";
            self.told.extend(names.into_iter().map(|name| (terms::var(name), name, KEYED, instead)));
        }
    }

    /// Finds what `some` or `every` declares and nothing reads.
    fn unused(&mut self, stmts: &'a [LiteralStmt], said: &[&'a Expr]) {
        let read = |stmts: &'a [LiteralStmt], said: &[&'a Expr]| {
            let mut read = BTreeSet::new();
            terms::read(stmts, said, &mut read);
            read
        };
        let here = LazyCell::new(|| read(stmts, said));
        for stmt in stmts {
            let within;
            // Each `_` is another name: of `some _` none is read, and of `every` it need not be.
            let (declared, read): (Vec<&'a Span>, _) = match &stmt.literal {
                Literal::SomeVars { vars, .. } => (vars.iter().collect(), &*here),
                Literal::Every { key, value, query, .. } => {
                    within = read(&query.stmts, &[]);
                    (key.iter().chain([value]).filter(|name| name.text() != "_").collect(), &within)
                }
                Literal::SomeIn { .. } | Literal::Expr { .. } | Literal::NotExpr { .. } => continue,
            };
            let unread =
                declared.into_iter().filter(|name| name.text() == "_" || !read.contains(name.text()));
            self.told.extend(unread.map(|name| (terms::var(name), name, UNUSED, "`_`, or nothing")));
        }
    }

    /// The names in negations and `every`, and those that call members of objects in `=`, that no statement before gives a
    /// value to: where a later one does, the engine would try all values all the same, or none.
    ///
    /// And those of `by_weak`: an `=` of patterns or of two names gives them their values, and the engine would let the `=`
    /// that stands in what is denied do so.
    fn unsettled(
        &self,
        open: &[Open<'a>],
        around: &BTreeSet<Var>,
        by_weak: &mut BTreeSet<Var>,
    ) -> Vec<(Var, &'a Span)> {
        let (mut settled, mut known, mut found) = (around.clone(), around.clone(), Vec::new());
        let waits = |one: &Open<'a>| one.statement.is_closed() || !one.statement.keys().is_empty();
        if !open.iter().any(waits) {
            return found;
        }
        for one in open {
            let given = self.scope.outputs(one.statement, &known);
            let mut names: BTreeMap<Var, &'a Span> = one.statement.keys().into_iter().collect();
            names.retain(|_, name| !self.scope.is_global(name.text()));
            if one.statement.is_closed() {
                names.extend(one.vars.iter().cloned());
                for closure in &one.closures {
                    let mut taken = BTreeSet::new();
                    self.scope.taken(closure, &mut taken);
                    names.extend(taken.into_iter().map(|name| (name, closure.span)));
                }
                let matched = one.statement.matched();
                for (name, span) in &names {
                    if matched.contains(name) && known.contains(name) && !settled.contains(name) {
                        by_weak.insert(name.clone());
                        found.push((name.clone(), *span));
                    }
                }
            }
            names.retain(|name, _| !known.contains(name) && !given.contains(name));
            found.extend(names);
            let weakly = one.statement.gives_by_patterns();
            let reads_weak = one.vars.iter().any(|(name, _)| known.contains(name) && !settled.contains(name));
            if !reads_weak {
                settled.extend(given.difference(&weakly).cloned());
            }
            known.extend(given);
        }
        found
    }

    /// An `every` that stands before what it goes through can be known, and in which a name from around it stands: what it
    /// lacks, and where it is.
    fn too_soon(&self, open: &[Open<'a>], around: &BTreeSet<Var>) -> Option<(Vec<Var>, &'a Span)> {
        let is_every = |one: &Open<'a>| one.statement.is_every();
        if !open.iter().any(is_every) {
            return None;
        }
        let mut named = around.clone();
        named.extend(open.iter().flat_map(|open| &open.vars).map(|(name, _)| name.clone()));
        // A statement that has to wait for another counts for none of what stands behind it.
        let mut ready = around.clone();
        for one in open {
            let outputs = self.scope.outputs(one.statement, &ready);
            let lacks = |name: &&Var| !ready.contains(*name) && !outputs.contains(*name);
            let own: Vec<Var> = one.vars.iter().map(|(name, _)| name).filter(lacks).cloned().collect();
            let takes = |name: &&Var| named.contains(*name);
            if is_every(one) && !own.is_empty() && one.closed_over.iter().any(|name| takes(&name)) {
                return Some((own, one.closures.last()?.span));
            }
            if own.is_empty() && one.closed_over.iter().filter(takes).find(lacks).is_none() {
                ready.extend(outputs);
            }
        }
        None
    }

    fn open(&self, statement: Statement<'a>, index: usize, last: &Declared) -> Open<'a> {
        let (mut vars, mut closures) = (Vec::new(), Vec::new());
        self.scope.own_vars(statement, &mut vars);
        statement.own_closures(&mut closures);
        let mut closed_over = BTreeSet::new();
        for closure in &closures {
            self.scope.taken(closure, &mut closed_over);
        }
        closed_over.retain(|name| last.before(name, index));
        Open { statement, vars, closures, closed_over, index }
    }

    /// What the statements give a value to in any order, whatever else they lack.
    fn given(&self, open: &[Option<Open<'a>>], around: &BTreeSet<Var>) -> BTreeSet<Var> {
        let mut given = around.clone();
        let mut waiting = Waiting::all(open);
        while let Some(at) = waiting.take() {
            let Some(Some(one)) = open.get(at) else { continue };
            for name in self.scope.outputs(one.statement, &given) {
                if !given.contains(&name) {
                    waiting.known(&name, at);
                    given.insert(name);
                }
            }
        }
        given
    }

    /// Puts the statements in order; gives what is safe then.
    fn order(&mut self, open: Vec<Open<'a>>, around: &BTreeSet<Var>, last: &Declared) -> BTreeSet<Var> {
        let mut named: BTreeSet<Var> =
            open.iter().flat_map(|open| &open.vars).map(|(name, _)| name.clone()).collect();
        named.retain(|name| !around.contains(name));
        // What is safe, and of it what stands in the statements that are in order.
        let (mut safe, mut ordered) = (around.clone(), around.clone());
        let mut left: Vec<Option<Open<'a>>> = open.into_iter().map(Some).collect();
        let given = self.given(&left, around);
        let mut waiting = Waiting::all(&left);
        let mut places = Places::of(&left);
        let mut forgotten = Vec::new();
        while let Some(at) = waiting.take() {
            let Some(slot) = left.get_mut(at) else { continue };
            let Some(open) = slot.as_ref().filter(|_| !places.lost.contains(&at)) else { continue };
            self.looked += 1;
            let outputs = self.scope.outputs(open.statement, &safe);
            let taken: BTreeSet<Var> = open.closed_over.intersection(&named).cloned().collect();
            let by_itself = Scope::takes_itself(open.statement, &taken, &outputs, &safe);
            let bound = |name: &Var| safe.contains(name) || outputs.contains(name);
            let waits = taken.iter().any(|name| given.contains(name) && !bound(name));
            if by_itself || waits || !open.vars.iter().all(|(name, _)| bound(name)) {
                // What a closure takes stands for all that the statement waits for, to OPA. What is said comes last, also
                // where its value is written into the body.
                let placed = !by_itself && !taken.is_empty() && taken.iter().all(bound);
                let is_said = matches!(open.statement, Statement::Term(_))
                    || open.vars.iter().any(|(name, _)| name.ends_with("__"));
                if placed && !is_said && !open.statement.is_every() {
                    let asked = self.scope.asked(open.statement);
                    forgotten.extend(asked.into_iter().find(|(name, _)| !bound(name)));
                }
                let lacks = open.vars.iter().filter(|(name, _)| !bound(name)).cloned();
                places.lack.insert(at, lacks.collect());
                continue;
            }
            let Some(open) = slot.take() else { continue };
            if let Some(lost) = places.take(open.statement, &left) {
                self.told.extend(lost.into_iter().map(|(name, span)| (name, span, TWICE, "it once")));
            }
            let own = taken.iter().find(|name| !ordered.contains(*name)).cloned();
            for name in outputs {
                if !safe.contains(&name) {
                    waiting.known(&name, at);
                    safe.insert(name);
                }
            }
            let unsafe_before = self.loose.len();
            for closure in &open.closures {
                let mut seen = BTreeSet::new();
                self.scope.taken(closure, &mut seen);
                seen.retain(|name| ordered.contains(name) && last.before(name, open.index));
                seen.extend(closure.names.iter().cloned());
                self.scope.locals.push(closure.names.clone());
                let every = !closure.names.is_empty();
                self.query((closure.stmts, every), closure.said.clone(), &seen);
                self.scope.locals.pop();
            }
            if let Some(name) = own
                && let Some(closure) = open.closures.first()
                && self.loose.len() == unsafe_before
            {
                self.told.push((
                    name,
                    closure.span,
                    OWN,
                    "a statement that gives it its value, and this one behind it",
                ));
            }
            for (name, _) in open.vars {
                if !ordered.contains(&name) {
                    waiting.known(&name, at);
                    ordered.insert(name);
                }
            }
        }
        self.told.extend(forgotten.into_iter().find(|(name, _)| safe.contains(name)).map(too_late));
        let left = left.into_iter().enumerate().filter_map(|(at, open)| Some((at, open?)));
        let left: Vec<(usize, Open<'a>)> = left.collect();
        let declared = |name: &Var| self.scope.locals.last().is_some_and(|locals| locals.contains(name));
        // What a part lacks is told of the part.
        let lacks = |(name, _): &&(Var, _)| !safe.contains(name) && !name.starts_with('@');
        let loose = |(_, open): &(usize, Open<'a>)| open.vars.iter().filter(lacks).cloned().collect();
        let (known, strange): (Vec<_>, Vec<_>) =
            left.iter().flat_map::<Vec<_>, _>(loose).partition(|(name, _)| declared(name));
        // What is declared by a statement that lacks another variable is bound with that one.
        self.loose.extend(if strange.is_empty() { known } else { strange });
        for (at, open) in left {
            // A comprehension that takes what its own statement gives.
            let known = open.vars.iter().all(|(name, _)| safe.contains(name));
            let taken = |name: &&Var| named.contains(*name) && (known || !ordered.contains(*name));
            if let Some(name) = open.closed_over.iter().find(taken)
                && let Some(closure) = open.closures.first()
            {
                let needs_nothing = open.vars.iter().all(|(name, _)| around.contains(name));
                if places.lost.contains(&at) {
                    self.told.push((name.clone(), closure.span, TWICE, "it once"));
                } else if needs_nothing && safe.contains(name) {
                    let instead = "a name for the comprehension, in a statement before";
                    self.told.push((name.clone(), closure.span, PASSED, instead));
                } else {
                    self.loose.entry(name.clone()).or_insert(closure.span);
                }
            }
        }
        safe
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many times the statements of a rule were looked at, and what is unsafe in it.
    fn looked(body: &str) -> (usize, Vec<String>) {
        let mut engine = regorus::Engine::new();
        engine.add_policy("a.rego".to_owned(), format!("package a\n\nx if {{\n{body}\n}}\n")).unwrap();
        let modules = engine.get_modules();
        let names = Names::of(modules);
        let globals = globals(&modules[0], &names);
        let module: &Module = &modules[0];
        let mut search = Search::new(Scope { module, names: &names, globals: &globals, locals: Vec::new() });
        search.rule(&module.policy[0]);
        (search.looked, search.loose.into_keys().collect())
    }

    #[test]
    fn a_body_that_is_written_backwards_is_put_in_order_by_a_look_or_two_for_each_statement() {
        let lines = |line: fn(usize) -> String| (0..1_000).map(line).collect::<Vec<_>>().join("\n");
        for (body, most) in [
            (lines(|n| format!("x{n} = x{} + 1", n + 1)) + "\nx1000 = 1", 4_001),
            ("y0 = 1\n".to_owned() + &lines(|n| format!("y{} = y{n} + 1", n + 1)), 2_001),
            (
                lines(|n| format!("[x{n}, z{n}] = [x{} + 1, [x{} | true]]", n + 1, n + 1)) + "\nx1000 = 1",
                8_001,
            ),
            (
                lines(|n| format!("x{n} = 1"))
                    + "\n"
                    + &lines(|n| format!("y{n} = [x{n} | x0; z = x1; z > 0]")),
                6_000,
            ),
        ] {
            let (looked, loose) = looked(&body);
            assert!(looked <= most && loose.is_empty(), "{looked}, {loose:?}");
        }
        let (looked, loose) = looked(&lines(|n| format!("x{n} = x{} + 1", n + 1)));
        assert_eq!((looked, loose.contains(&"x1000".to_owned())), (2_000, true));
    }
}
