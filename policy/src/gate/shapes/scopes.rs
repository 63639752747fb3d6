//! What the names in a rule mean: the input, a part of it, a value that is written out, or something else.

use std::collections::BTreeMap;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Ref, Span};

use super::super::binds::{self, Binds};
use super::super::names;
use super::super::walk::parts;
use super::place::{Place, Places};
use super::text_of;
use super::values::Values;

/// Longest path that a name is known by, in bytes: one name after another could each stand deeper than the one before.
const LONGEST: usize = 1_000;
/// Most places that a name may stand for.
pub(super) const MOST: usize = 32;
/// Most members of a pattern that are looked for; the names of others may be anything.
const FIELDS: usize = 200;
/// Times that the statements of a query are gone through for what one of them says of another.
const PASSES: usize = 4;

/// What a name stands for: one of these places, or anything where there are none.
pub(super) type Known<'a> = Vec<Place<'a>>;

/// The names that are bound around an expression.
pub(in crate::gate) struct Scopes<'a, 'v> {
    module: &'a Module,
    values: &'v Values<'a>,
    /// Whether the input is a request, whose parts are known.
    requests: bool,
    /// What the arguments of the function at hand are, until its first scope is opened.
    arguments: BTreeMap<&'a str, Known<'a>>,
    /// The innermost last; a name that may be anything is there too, since it hides another.
    open: Vec<BTreeMap<&'a str, Known<'a>>>,
    /// What each statement around replaces, and what is read there then.
    replaced: Vec<Vec<(names::Path, Known<'a>)>>,
}

impl<'a, 'v> Scopes<'a, 'v> {
    pub(super) const fn new(module: &'a Module, values: &'v Values<'a>, requests: bool) -> Self {
        Self { module, values, requests, arguments: BTreeMap::new(), open: Vec::new(), replaced: Vec::new() }
    }

    /// Those of a function that is called with this.
    pub(super) fn called_with(mut self, patterns: &'a [Ref<Expr>], given: &[Known<'a>]) -> Self {
        let mut arguments = BTreeMap::new();
        for (pattern, known) in patterns.iter().zip(given) {
            each(pattern, known.clone(), &mut |name, known| drop(arguments.insert(name.text(), known)));
        }
        self.arguments = arguments;
        self
    }

    /// Whether the policy itself may put in what stands at this place of the input.
    pub(super) fn replaces(&self, place: &str) -> bool {
        self.values.replaces(place)
    }

    pub(super) const fn module(&self) -> &'a Module {
        self.module
    }

    /// Opens a scope with all that its statements bind, in whatever order.
    pub(super) fn open(&mut self, stmts: &'a [LiteralStmt]) {
        self.open.push(std::mem::take(&mut self.arguments));
        for stmt in stmts {
            binds::of(stmt, &mut |binds| binds.names(&mut |name| self.bind(name, None)));
        }
        for _ in 0..PASSES {
            let mut learned = false;
            for stmt in stmts {
                self.replace(stmt);
                learned |= self.learn(stmt);
                self.restore();
            }
            if !learned {
                break;
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.open.pop();
    }

    /// What a statement replaces may be what it was, or what the last `with` of it puts there.
    pub(super) fn replace(&mut self, stmt: &'a LiteralStmt) {
        let replaced = stmt.with_mods.iter().map(|with| {
            let path = names::resolve(self.module, &names::constant(&with.refr));
            let name = path.join(".");
            let put = self.known(&with.r#as).into_iter().map(|place| place.called(&name)).collect();
            let known = either([self.document(&path), put].into_iter());
            (path, known)
        });
        let replaced = replaced.collect();
        self.replaced.push(replaced);
    }

    pub(super) fn restore(&mut self) {
        self.replaced.pop();
    }

    /// A name that is bound, unless it is known here already; to a member of what `every` goes through.
    pub(super) fn bind(&mut self, name: &'a Span, member_of: Option<&'a Ref<Expr>>) {
        let known = member_of.map(|all| self.members(all)).unwrap_or_default();
        if let Some(innermost) = self.open.last_mut() {
            innermost.entry(name.text()).or_insert(known);
        }
    }

    /// `x := input.request`, `input.request = x` and `some x in input.request.segments` say what `x` is. Whether this
    /// said anything new.
    fn learn(&mut self, stmt: &'a LiteralStmt) -> bool {
        let mut said: Vec<(&'a Span, Known<'a>)> = Vec::new();
        let mut note = |name: &'a Span, known| said.push((name, known));
        binds::of(stmt, &mut |binds| match binds {
            Binds::Value(pattern, value) => self.both(pattern, value, &mut note),
            Binds::Member(pattern, collection) => each(pattern, self.members(collection), &mut note),
            Binds::Declared(_) | Binds::Key(_) => {}
        });
        if let Literal::Expr { expr, .. } = &stmt.literal
            && let Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } = expr.as_ref()
        {
            self.both(lhs, rhs, &mut note);
            self.both(rhs, lhs, &mut note);
        }
        let mut learned = false;
        for (name, known) in said {
            let near = !known.is_empty() && known.iter().all(|place| place.path().len() <= LONGEST);
            let name = name.text();
            if !near || !self.is_variable(name) {
                continue;
            }
            if let Some(innermost) = self.open.last_mut() {
                let here = innermost.entry(name).or_default();
                if here.is_empty() {
                    *here = known.into_iter().map(|place| place.called(name)).collect();
                    learned = true;
                }
            }
        }
        learned
    }

    /// What a pattern gets of a value, part by part.
    fn both(&self, pattern: &'a Expr, value: &'a Expr, note: &mut dyn FnMut(&'a Span, Known<'a>)) {
        match (pattern, value) {
            (Expr::Array { items: names, .. }, Expr::Array { items, .. }) => {
                names.iter().zip(items).for_each(|(name, item)| self.both(name, item, note));
            }
            (Expr::Var { .. } | Expr::Array { .. } | Expr::Object { .. }, _) => {
                each(pattern, self.known(value), note);
            }
            _ => {}
        }
    }

    /// Whether a name is bound in this rule, or by no rule and import either.
    fn is_variable(&self, name: &str) -> bool {
        let bound = self.open.iter().any(|scope| scope.contains_key(name));
        bound || {
            let path = names::resolve(self.module, &[name.to_owned()]);
            path.first().is_some_and(|root| root == "data")
                && names::through_imports(self.module, &[name.to_owned()]).is_none()
                && !self.values.defines(&path)
        }
    }

    /// What an expression may be, as far as it is known.
    pub(super) fn known(&self, expr: &'a Expr) -> Known<'a> {
        match expr {
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                self.place(expr).unwrap_or_default()
            }
            Expr::Array { .. } | Expr::Set { .. } | Expr::Object { .. } => {
                let mut inside = BTreeMap::new();
                parts(expr, &mut |part| {
                    if let Expr::Var { .. }
                    | Expr::RefDot { .. }
                    | Expr::RefBrack { .. }
                    | Expr::Array { .. }
                    | Expr::Object { .. } = part
                    {
                        let known = self.known(part);
                        if !known.is_empty() {
                            inside.insert(std::ptr::from_ref(part), known);
                        }
                    }
                });
                vec![Place::said(String::new(), expr).with(inside)]
            }
            _ => vec![Place::said(String::new(), expr)],
        }
    }

    /// What may stand in a collection.
    fn members(&self, collection: &'a Expr) -> Known<'a> {
        either(self.known(collection).iter().map(Place::any))
    }

    /// What is written for an expression, here or where its name is bound.
    pub(super) fn literal(&self, expr: &'a Expr) -> Option<&'a Expr> {
        match self.known(expr).as_slice() {
            [only] => only.said_here(),
            _ => None,
        }
    }

    /// The places that a reference may lead to, none where that is not known; a problem where it leads nowhere.
    pub(super) fn place(&self, expr: &'a Expr) -> Places<'a> {
        let (mut rest, mut links) = (expr, Vec::new());
        let root = loop {
            match rest {
                Expr::Var { .. } | Expr::Array { .. } | Expr::Object { .. } => break rest,
                Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => {
                    links.push(rest);
                    rest = refr;
                }
                _ => return Ok(Vec::new()),
            }
        };
        let mut places = match root {
            Expr::Var { span, .. } => {
                let bound = self.open.iter().rev().find_map(|scope| scope.get(span.text()));
                bound.cloned().unwrap_or_else(|| self.global(span.text(), &mut links))
            }
            // What is written out where it is read has no name.
            written => {
                let name = if matches!(written, Expr::Array { .. }) { "[…]" } else { "{…}" };
                self.known(written).into_iter().map(|place| place.called(name)).collect()
            }
        };
        while let Some(link) = links.pop() {
            places = self.link(&places, link)?;
        }
        Ok(places)
    }

    /// Where one link of a reference leads.
    fn link(&self, places: &[Place<'a>], link: &'a Expr) -> Places<'a> {
        match link {
            Expr::RefDot { field, .. } => match field.1.as_string() {
                Ok(name) => step(places, |place| place.members(name, &field.0)),
                Err(_) => Ok(Vec::new()),
            },
            Expr::RefBrack { index, .. } => self.step(places, index),
            _ => Ok(Vec::new()),
        }
    }

    /// One step in brackets, by each name that its value may be.
    pub(super) fn step(&self, places: &[Place<'a>], index: &'a Expr) -> Places<'a> {
        let named = self.known(index);
        let names: Option<Vec<_>> = named
            .iter()
            .map(|place| place.said_here().and_then(|said| Some((text_of(said)?, said.span()))))
            .collect();
        match names.as_deref() {
            None | Some([]) => step(places, |place| place.element(index)),
            Some(names) => {
                let (mut found, mut wrong) = (Vec::new(), None);
                for (name, at) in names {
                    match step(places, |place| place.members(name, at)) {
                        Ok(next) => found.push(next),
                        // A name that no request has is wrong, also among others that it has.
                        Err(problem) if places.iter().any(|place| place.kind().is_some()) => {
                            return Err(problem);
                        }
                        Err(problem) => wrong = Some(problem),
                    }
                }
                // OPA knows of what is written out only where the name stands there itself.
                if wrong.is_some() && found.is_empty() && text_of(index).is_none() {
                    return Ok(Vec::new());
                }
                wrong.filter(|_| found.is_empty()).map_or_else(|| Ok(either(found.into_iter())), Err)
            }
        }
    }

    /// What a name stands for that nothing in the rule binds, or what a `with` puts there; takes the links off that lead
    /// to a rule.
    fn global(&self, root: &str, links: &mut Vec<&'a Expr>) -> Known<'a> {
        let mut path = names::resolve(self.module, &[root.to_owned()]);
        if let Some(("input", members)) = path.split_first().map(|(root, rest)| (root.as_str(), rest)) {
            // What is wrong with an import is told there.
            let input = Place::input();
            let place = members.iter().try_fold(input, |place, name| place.imported(name));
            return place.filter(|_| self.requests).into_iter().collect();
        }
        loop {
            if self.values.defines(&path) {
                return self.document(&path);
            }
            let member = match links.last() {
                Some(Expr::RefDot { field, .. }) => field.1.as_string().ok().map(ToString::to_string),
                Some(Expr::RefBrack { index, .. }) => text_of(index).map(str::to_owned),
                _ => None,
            };
            let Some(member) = member else { return Vec::new() };
            path.push(member);
            links.pop();
        }
    }

    /// What the rule of this full name gives, or what stands in its place.
    fn document(&self, path: &names::Path) -> Known<'a> {
        let put = self.replaced.iter().rev().find_map(|statement| {
            let above = statement.iter().rev().filter(|(target, _)| path.starts_with(target));
            above.min_by_key(|(target, _)| target.len())
        });
        match put {
            Some((target, known)) if target == path => known.clone(),
            Some(_) => Vec::new(),
            None => self.values.get(path),
        }
    }
}

/// The names of a pattern, each with what it gets of a value.
fn each<'a>(pattern: &'a Expr, known: Known<'a>, note: &mut dyn FnMut(&'a Span, Known<'a>)) {
    match pattern {
        Expr::Var { span, .. } => note(span, known),
        Expr::Array { items, .. } => {
            let members = either(known.iter().map(Place::any));
            for item in items {
                each(item, members.clone(), note);
            }
        }
        Expr::Object { fields, .. } => {
            // Each name is looked for among all.
            for (_, key, value) in fields.iter().take(FIELDS) {
                let Some(name) = text_of(key) else { continue };
                let member = step(&known, |place| place.members(name, key.span()));
                each(value, member.unwrap_or_default(), note);
            }
        }
        _ => {}
    }
}

/// One of what each leads to; none where one of them may be anything, or there are too many.
pub(super) fn either<'a>(all: impl Iterator<Item = Known<'a>>) -> Known<'a> {
    let mut places = Vec::new();
    for known in all {
        if known.is_empty() || places.len() + known.len() > MOST {
            return Vec::new();
        }
        places.extend(known);
    }
    places
}

/// Where one step leads from any of these; a problem where it leads nowhere from each of them.
fn step<'a>(places: &[Place<'a>], by: impl Fn(&Place<'a>) -> Places<'a>) -> Places<'a> {
    let mut found = Vec::new();
    let (mut of_input, mut of_others) = (None, None);
    for place in places {
        match by(place) {
            Ok(next) => found.push(next),
            // What the input has says more than what stands in its place without it.
            Err(problem) if place.kind().is_some() => of_input = of_input.or(Some(problem)),
            Err(problem) => of_others = Some(problem),
        }
    }
    let wrong = of_input.or(of_others).filter(|_| found.is_empty());
    wrong.map_or_else(|| Ok(either(found.into_iter())), Err)
}
