//! The types of expressions, by the names that are bound around them.

use std::collections::BTreeMap;

use regorus::Value;
use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Rule, RuleHead, Span};

use super::super::binds;
use super::super::kinds;
use super::super::names::{self, Path};
use super::super::walk::{constant, is_scalar};
use super::rules::Rules;
use super::{ANYTHING, Type};
use crate::input::INPUT;
use crate::kind::{Kind, written};

/// Links of one reference that are followed.
const LINKS: usize = 100;

/// Whether a part of the input is text wherever it is there.
pub(super) const fn is_text(kind: Kind) -> bool {
    match kind {
        Kind::Text | Kind::Word(_) => true,
        Kind::OrNull(kind) => is_text(*kind),
        _ => false,
    }
}

/// A link of a reference that leads nowhere, and what it leads from.
pub(super) struct Nowhere<'a> {
    pub(super) from: Type,
    pub(super) link: &'a Expr,
}

/// The names that are bound around an expression, the innermost last.
pub(super) struct Scope<'a, 'r> {
    pub(super) module: &'a Module,
    pub(super) rules: &'r Rules<'a>,
    /// Each name's type, and what it was given by `:=`.
    open: Vec<BTreeMap<&'a str, (Type, Option<&'a Expr>)>>,
    /// What each statement around replaces, and what is read there then.
    replaced: Vec<Vec<(Path, Type)>>,
}

impl<'a, 'r> Scope<'a, 'r> {
    pub(super) fn new(module: &'a Module, rules: &'r Rules<'a>) -> Self {
        Self { module, rules, open: vec![BTreeMap::new()], replaced: Vec::new() }
    }

    /// The arguments of a function, which may be anything.
    pub(super) fn arguments(&mut self, rule: &'a Rule) {
        if let Rule::Spec { head: RuleHead::Func { args, .. }, .. } | Rule::Default { args, .. } = rule {
            for arg in args {
                binds::variables(arg, &mut |name| self.bind(name, ANYTHING));
            }
        }
    }

    pub(super) fn bind(&mut self, name: &'a Span, is: Type) {
        if let Some(innermost) = self.open.last_mut() {
            innermost.insert(name.text(), (is, None));
        }
    }

    /// Whether a name is bound in the rule.
    pub(super) fn binds(&self, name: &str) -> bool {
        self.open.iter().any(|scope| scope.contains_key(name))
    }

    /// The part of the input that a reference reads, by its name and what it is; one that a name was given by `:=` too.
    pub(super) fn input(&self, expr: &'a Expr) -> Option<(String, Kind)> {
        let (mut rest, mut links) = (expr, Vec::new());
        let root = loop {
            match rest {
                Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => {
                    links.push(rest);
                    rest = refr;
                }
                Expr::Var { span, .. } => {
                    match self.open.iter().rev().find_map(|scope| scope.get(span.text())) {
                        // A name may be given what another was given, which ends with what is not that name.
                        Some((_, Some(said))) if links.len() < LINKS && !std::ptr::eq(*said, rest) => {
                            links.push(rest);
                            rest = said;
                        }
                        Some(_) => return None,
                        None => break span.text(),
                    }
                }
                _ => return None,
            }
            if links.len() > LINKS {
                return None;
            }
        };
        let path = names::resolve(self.module, &[root.to_owned()]);
        let (_, members) = path.split_first().filter(|(root, _)| *root == "input")?;
        let known = members.iter().try_fold(INPUT, |is, name| is.member(name).ok())?;
        let (mut path, mut is) = (path.join("."), known);
        for link in links.into_iter().rev() {
            let name = match link {
                Expr::RefDot { field, .. } => field.1.as_string().ok().map(ToString::to_string),
                Expr::RefBrack { index, .. } => {
                    constant(index).and_then(|name| name.as_string().ok()).map(ToString::to_string)
                }
                _ => continue,
            };
            (path, is) = match (name, link) {
                (Some(name), _) => (path + &written(&name), is.member(&name).ok()?),
                (None, Expr::RefBrack { index, .. }) => {
                    (format!("{path}[{}]", index.span().text()), is.element().ok()?)
                }
                (None, _) => return None,
            };
        }
        Some((path, is))
    }

    /// What is said where the names of these statements are bound.
    pub(super) fn query<T>(&mut self, stmts: &'a [LiteralStmt], said: impl FnOnce(&mut Self) -> T) -> T {
        self.open(stmts);
        for stmt in stmts {
            self.learn(stmt);
        }
        let said = said(self);
        self.close();
        said
    }

    /// Binds the names of these statements, which may be anything before theirs: a comprehension above `x := 1` may have
    /// another `x`.
    pub(super) fn open(&mut self, stmts: &'a [LiteralStmt]) {
        self.open.push(BTreeMap::new());
        for stmt in stmts {
            binds::of(stmt, &mut |binds| binds.names(&mut |name| self.bind(name, ANYTHING)));
        }
    }

    pub(super) fn close(&mut self) {
        self.open.pop();
    }

    /// `x := "a"` and `some k, v in {"a": 1}` say what their names are.
    pub(super) fn learn(&mut self, stmt: &'a LiteralStmt) {
        self.replace(stmt);
        match &stmt.literal {
            Literal::Expr { expr, .. } => {
                if let Expr::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. } = expr.as_ref() {
                    let is = self.of(rhs);
                    self.pattern(lhs, &is);
                    if let Expr::Var { span, .. } = lhs.as_ref()
                        && let Some((_, said)) =
                            self.open.last_mut().and_then(|names| names.get_mut(span.text()))
                    {
                        *said = Some(rhs);
                    }
                }
            }
            Literal::SomeIn { key, value, collection, .. } => {
                let of = self.of(collection);
                if let Some(key) = key {
                    self.pattern(key, &of.keys().unwrap_or(ANYTHING));
                }
                self.pattern(value, &of.values().unwrap_or(ANYTHING));
            }
            Literal::SomeVars { .. } | Literal::NotExpr { .. } | Literal::Every { .. } => {}
        }
        self.restore();
    }

    /// What a statement replaces may be what it was, or what the last `with` of it puts there; in the place of a function
    /// or of the input it changes no type.
    pub(super) fn replace(&mut self, stmt: &'a LiteralStmt) {
        let mut replaced = Vec::new();
        for with in &stmt.with_mods {
            let path = names::resolve(self.module, &names::constant(&with.refr));
            if path.first().is_some_and(|root| root == "data") && self.rules.names.arities(&path).is_none() {
                let (end, is) = self.document(&path);
                let was =
                    path.iter().skip(end).try_fold(is, |is, name| is.member(&Value::from(name.as_str())));
                let is = Type::any(was.into_iter().chain([self.of(&with.r#as)]));
                replaced.push((path, is.unwrap_or(ANYTHING)));
            }
        }
        self.replaced.push(replaced);
    }

    pub(super) fn restore(&mut self) {
        self.replaced.pop();
    }

    fn pattern(&mut self, pattern: &'a Expr, is: &Type) {
        match pattern {
            Expr::Var { span, .. } => self.bind(span, is.clone()),
            Expr::Array { items, .. } => {
                for (at, item) in items.iter().enumerate() {
                    self.pattern(item, &is.member(&Value::from(at)).unwrap_or(ANYTHING));
                }
            }
            Expr::Object { fields, .. } => {
                for (_, name, value) in fields {
                    let is = constant(name).and_then(|name| is.member(name));
                    self.pattern(value, &is.unwrap_or(ANYTHING));
                }
            }
            _ => {}
        }
    }

    /// What an expression may be.
    pub(super) fn of(&mut self, expr: &'a Expr) -> Type {
        match expr {
            Expr::Array { items, .. } => Type::list(items.iter().map(|item| self.of(item)).collect()),
            Expr::Set { items, .. } => {
                let items = Type::any(items.iter().map(|item| self.of(item)));
                Type::Set(items.map(Box::new)).bounded()
            }
            Expr::Object { fields, .. } => {
                let (mut members, mut others) = (Vec::<(Value, Type)>::new(), None::<(Type, Type)>);
                for (_, name, value) in fields {
                    let is = self.of(value);
                    if let Some(name) = constant(name) {
                        members.push((name.clone(), is));
                        continue;
                    }
                    let name = self.of(name);
                    others = Some(match others {
                        Some((names, values)) => (names.or(name), values.or(is)),
                        None => (name, is),
                    });
                }
                Type::Object(members, others.map(Box::new)).bounded()
            }
            Expr::ArrayCompr { term, query, .. } => {
                Type::list_of(self.query(&query.stmts, |scope| scope.of(term)))
            }
            Expr::SetCompr { term, query, .. } => {
                Type::set_of(self.query(&query.stmts, |scope| scope.of(term)))
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                self.query(&query.stmts, |scope| Type::object_of(scope.of(key), scope.of(value)))
            }
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                self.reference(expr).unwrap_or(ANYTHING)
            }
            Expr::Call { fcn, .. } => {
                let called = names::path(fcn).unwrap_or_default();
                match self.rules.names.function(self.module, &called) {
                    Some((path, _)) => self.rules.at(&path),
                    None if called == ["internal", "template_string"] => Type::Text,
                    None => Type::of(kinds::said(self.module, self.rules.names, expr)),
                }
            }
            _ => Type::of(kinds::said(self.module, self.rules.names, expr)),
        }
    }

    /// Where a reference leads.
    pub(super) fn reference(&mut self, expr: &'a Expr) -> Result<Type, Box<Nowhere<'a>>> {
        let (mut rest, mut links) = (expr, Vec::new());
        while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = rest {
            links.push(rest);
            rest = refr;
        }
        if links.len() > LINKS {
            return Ok(ANYTHING);
        }
        let mut is = match rest {
            Expr::Var { span, .. } => match self.open.iter().rev().find_map(|scope| scope.get(span.text())) {
                Some((is, _)) => is.clone(),
                None => match self.global(span.text(), &mut links) {
                    Ok(is) => is,
                    Err(from) => return Err(Box::new(Nowhere { from, link: rest })),
                },
            },
            _ => self.of(rest),
        };
        while let Some(link) = links.pop() {
            if is == ANYTHING {
                return Ok(is);
            }
            match self.step(&is, link) {
                Some(next) => is = next,
                None => return Err(Box::new(Nowhere { from: is, link })),
            }
        }
        Ok(is)
    }

    fn step(&mut self, from: &Type, link: &'a Expr) -> Option<Type> {
        match link {
            Expr::RefDot { field, .. } => from.member(&field.1),
            Expr::RefBrack { index, .. } => {
                if let Some(name) = constant(index) {
                    return from.member(name);
                }
                // To OPA what has no members has any that is computed.
                if matches!(from, Type::Set(None))
                    || matches!(from, Type::Object(members, None) if members.is_empty())
                {
                    return Some(ANYTHING);
                }
                let (keys, index) = (from.keys()?, self.of(index));
                keys.meets(&index).then(|| from.values().unwrap_or(ANYTHING))
            }
            _ => None,
        }
    }

    /// What a name stands for that nothing in the rule binds; takes the links off that lead to a rule. An import may lead
    /// into what a rule gives, or nowhere from there.
    fn global(&self, root: &str, links: &mut Vec<&'a Expr>) -> Result<Type, Type> {
        let mut path = names::resolve(self.module, &[root.to_owned()]);
        let is_own = root == "data" || self.rules.names.is_global(self.module, root);
        if !is_own || path.first().is_none_or(|root| root != "data") {
            return Ok(ANYTHING);
        }
        let named = path.len();
        path.extend(links.iter().rev().map_while(|link| match link {
            Expr::RefDot { field, .. } => field.1.as_string().ok().map(ToString::to_string),
            Expr::RefBrack { index, .. } => constant(index)?.as_string().ok().map(ToString::to_string),
            _ => None,
        }));
        let (end, is) = self.document(&path);
        links.truncate(links.len() - end.saturating_sub(named));
        let member = |is: Type, name: &String| is.member(&Value::from(name.as_str())).ok_or(is);
        path.iter().take(named).skip(end).try_fold(is, member)
    }

    /// What stands at a path, or at its beginning, and how many steps lead there: what the innermost statement puts into its
    /// place, or what a rule gives.
    fn document(&self, path: &[String]) -> (usize, Type) {
        let replaced = self.replaced.iter().rev().find_map(|statement| {
            let above = statement.iter().rev().filter(|(target, _)| path.starts_with(target));
            above.min_by_key(|(target, _)| target.len())
        });
        if let Some((target, is)) = replaced {
            return (target.len(), is.clone());
        }
        let rule = (1..path.len()).find(|end| path.get(..*end).is_some_and(|path| self.rules.defines(path)));
        let end = rule.unwrap_or(path.len());
        let path = path.get(..end).unwrap_or_default();
        let function = self.rules.names.arities(path).is_some();
        let within = self.replaced.iter().flatten().any(|(target, _)| target.starts_with(path));
        (end, if function || within { ANYTHING } else { self.rules.at(path) })
    }

    /// What a head with computed members is of what stands in the last of them.
    pub(super) fn nested(&mut self, refr: &'a Expr, is: Type) -> Type {
        let constants = names::constant(refr).len();
        let (mut rest, mut links) = (refr, Vec::new());
        while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = rest {
            links.push(rest);
            rest = refr;
        }
        // The first constant is the name itself.
        let computed = (links.len() + 1).saturating_sub(constants);
        links.into_iter().take(computed).fold(is, |is, link| {
            let name = match link {
                // Beside such a one OPA lets any other be.
                Expr::RefBrack { index, .. } if is_scalar(index) => ANYTHING,
                Expr::RefBrack { index, .. } => self.of(index),
                _ => Type::Text,
            };
            Type::object_of(name, is)
        })
    }
}
