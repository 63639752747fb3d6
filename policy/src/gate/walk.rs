//! Goes over every expression of a rule. The matches are exhaustive: a node that a newer engine brings does not
//! compile until it is thought of.

use regorus::Value;
use regorus::unstable::{
    AssignOp, Expr, Literal, LiteralStmt, Query, Ref, Rule, RuleBody, RuleHead, Span, WithModifier,
};

/// Deeper than this nothing is looked at: the depth alone is reason enough to refuse.
const GIVE_UP: usize = 2_000;

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stands {
    /// As a statement of its own.
    Alone,
    /// Behind the `not` of a statement.
    Negated,
    Inside,
}

/// What the walk meets.
pub(crate) enum Seen<'a> {
    /// A reference, the longest form of it: `input.a.b`, not also `input.a`.
    Ref(&'a Expr),
    /// A call.
    Call {
        span: &'a Span,
        fcn: &'a Expr,
        params: &'a [Ref<Expr>],
        stands: Stands,
    },
    /// A `with`.
    With(&'a WithModifier),
    /// What a statement says beside each `with` of it, which ends at [`Seen::Restores`].
    Replaces(&'a LiteralStmt),
    Restores,
    /// An expression of two sides that are compared or computed with, or of one that is looked for in the other.
    Compares(&'a Expr),
    /// A name that the rule binds; with the collection that it is a member of, where `every` binds it.
    Binds(&'a Span, Option<&'a Ref<Expr>>),
    /// A membership, `x in xs`.
    Member(&'a Expr),
    /// A minus before something.
    Minus(&'a Expr),
    /// An object written out.
    Object(&'a Expr),
    /// A number.
    Number(&'a Expr),
    /// A comprehension, before what is in it.
    Comprehension(&'a Expr),
    /// Names that are bound from here on end at [`Seen::Closes`]; with the statements that bind them, if any do.
    Opens(&'a [LiteralStmt]),
    /// The end of what was opened last.
    Closes,
}

/// Walks one rule; gives how deep its expressions and queries stand in one another.
pub(crate) fn rule<'a>(rule: &'a Rule, visit: &mut dyn FnMut(Seen<'a>)) -> usize {
    let mut walk = Walk { visit, depth: 0, deepest: 0 };
    match rule {
        Rule::Spec { span: _, head, bodies } => {
            walk.scope(&[], |walk| {
                walk.arguments(head);
                let (first, others) = bodies.split_first().unzip();
                walk.scope(first.map_or(&[], |first| first.query.stmts.as_slice()), |walk| {
                    walk.head(head);
                    if let Some(body) = first {
                        walk.body(body);
                    }
                });
                for body in others.unwrap_or_default() {
                    walk.scope(&body.query.stmts, |walk| walk.body(body));
                }
            });
            // Each `else` is tried inside the one before.
            walk.deepest += bodies.len();
        }
        Rule::Default { span: _, refr, args, op: _, value } => walk.scope(&[], |walk| {
            walk.head_ref(refr);
            walk.patterns(args);
            walk.expr(value);
        }),
    }
    walk.deepest
}

/// Walks one statement of a body.
pub(crate) fn statement<'a>(stmt: &'a LiteralStmt, visit: &mut dyn FnMut(Seen<'a>)) {
    Walk { visit, depth: 0, deepest: 0 }.statement(stmt);
}

/// Walks one expression.
pub(crate) fn expression<'a>(expr: &'a Ref<Expr>, visit: &mut dyn FnMut(Seen<'a>)) {
    Walk { visit, depth: 0, deepest: 0 }.expr(expr);
}

/// Walks what a statement says, without the values of its `with`.
pub(crate) fn literal<'a>(stmt: &'a LiteralStmt, visit: &mut dyn FnMut(Seen<'a>)) {
    Walk { visit, depth: 0, deepest: 0 }.literal(stmt);
}

/// The expressions that an expression is made of; none of a query in it. What is called is a name, and none of them.
pub(crate) fn parts<'a>(expr: &'a Expr, visit: &mut dyn FnMut(&'a Expr)) {
    match expr {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. }
        | Expr::ArrayCompr { .. }
        | Expr::SetCompr { .. }
        | Expr::ObjectCompr { .. } => {}
        Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().for_each(|item| visit(item)),
        Expr::Object { fields, .. } => fields.iter().for_each(|(_, key, value)| {
            visit(key);
            visit(value);
        }),
        Expr::Call { params, .. } => params.iter().for_each(|param| visit(param)),
        Expr::UnaryExpr { expr, .. } | Expr::RefDot { refr: expr, .. } => visit(expr),
        Expr::RefBrack { refr: one, index: other, .. }
        | Expr::BinExpr { lhs: one, rhs: other, .. }
        | Expr::BoolExpr { lhs: one, rhs: other, .. }
        | Expr::ArithExpr { lhs: one, rhs: other, .. }
        | Expr::AssignExpr { lhs: one, rhs: other, .. } => {
            visit(one);
            visit(other);
        }
        Expr::Membership { key, value, collection, .. } => {
            key.iter().chain([value, collection]).for_each(|expr| visit(expr));
        }
    }
}

/// The value of text, a number, `true`, `false` or `null` that is written out.
pub(crate) const fn constant(expr: &Expr) -> Option<&Value> {
    match expr {
        Expr::String { value, .. }
        | Expr::RawString { value, .. }
        | Expr::Number { value, .. }
        | Expr::Bool { value, .. }
        | Expr::Null { value, .. } => Some(value),
        _ => None,
    }
}

/// Whether OPA calls something for it.
pub(crate) fn is_call(expr: &Expr) -> bool {
    match expr {
        Expr::UnaryExpr { expr, .. } => !is_scalar(expr),
        Expr::Call { .. }
        | Expr::BinExpr { .. }
        | Expr::ArithExpr { .. }
        | Expr::BoolExpr { .. }
        | Expr::AssignExpr { .. }
        | Expr::Membership { .. } => true,
        _ => false,
    }
}

/// Whether this is text, a number, `true`, `false` or `null`, written out.
pub(crate) const fn is_scalar(expr: &Expr) -> bool {
    constant(expr).is_some()
}

struct Walk<'a, 'v> {
    visit: &'v mut dyn FnMut(Seen<'a>),
    depth: usize,
    deepest: usize,
}

impl<'a> Walk<'a, '_> {
    fn scope(&mut self, stmts: &'a [LiteralStmt], inside: impl FnOnce(&mut Self)) {
        (self.visit)(Seen::Opens(stmts));
        inside(self);
        (self.visit)(Seen::Closes);
    }

    fn arguments(&mut self, head: &'a RuleHead) {
        if let RuleHead::Func { args, .. } = head {
            self.patterns(args);
        }
    }

    fn body(&mut self, body: &'a RuleBody) {
        if let Some(assign) = &body.assign {
            self.expr(&assign.value);
        }
        self.statements(&body.query);
    }

    fn head(&mut self, head: &'a RuleHead) {
        match head {
            RuleHead::Compr { span: _, refr, assign } | RuleHead::Func { span: _, refr, args: _, assign } => {
                self.head_ref(refr);
                if let Some(assign) = assign {
                    self.expr(&assign.value);
                }
            }
            RuleHead::Set { span: _, refr, key } => {
                self.head_ref(refr);
                if let Some(key) = key {
                    self.expr(key);
                }
            }
        }
    }

    /// The head's own name is no reference, the keys in its brackets may be.
    fn head_ref(&mut self, refr: &'a Expr) {
        match refr {
            Expr::RefDot { refr, .. } => self.head_ref(refr),
            Expr::RefBrack { refr, index, .. } => {
                self.head_ref(refr);
                self.expr(index);
            }
            _ => {}
        }
    }

    /// A query, and what is said by its names.
    fn query(&mut self, query: &'a Ref<Query>, inside: impl FnOnce(&mut Self)) {
        self.scope(&query.stmts, |walk| {
            walk.statements(query);
            inside(walk);
        });
    }

    fn statements(&mut self, query: &'a Ref<Query>) {
        self.deeper(|walk| query.stmts.iter().for_each(|stmt| walk.statement(stmt)));
    }

    fn statement(&mut self, stmt: &'a LiteralStmt) {
        for with in &stmt.with_mods {
            (self.visit)(Seen::With(with));
            self.expr(&with.r#as);
        }
        (self.visit)(Seen::Replaces(stmt));
        self.literal(stmt);
        (self.visit)(Seen::Restores);
    }

    fn literal(&mut self, stmt: &'a LiteralStmt) {
        match &stmt.literal {
            Literal::SomeVars { span: _, vars } => vars.iter().for_each(|var| self.bind(var)),
            Literal::SomeIn { span: _, key, value, collection } => {
                self.patterns(key.as_slice());
                self.pattern(value);
                self.expr(collection);
            }
            Literal::Expr { span: _, expr } => self.stands(expr, Stands::Alone),
            Literal::NotExpr { span: _, expr } => self.stands(expr, Stands::Negated),
            Literal::Every { span: _, key, value, domain, query } => {
                self.expr(domain);
                self.scope(&[], |walk| {
                    if let Some(key) = key {
                        walk.bind(key);
                    }
                    (walk.visit)(Seen::Binds(value, Some(domain)));
                    walk.scope(&query.stmts, |walk| walk.statements(query));
                });
            }
        }
    }

    fn bind(&mut self, name: &'a Span) {
        (self.visit)(Seen::Binds(name, None));
    }

    /// What is written to: its variables are bound, the rest is read.
    fn pattern(&mut self, expr: &'a Ref<Expr>) {
        self.deeper(|walk| match expr.as_ref() {
            Expr::Var { span, .. } => walk.bind(span),
            Expr::Array { items, .. } => walk.patterns(items),
            Expr::Object { fields, .. } => fields.iter().for_each(|(_, key, value)| {
                walk.expr(key);
                walk.pattern(value);
            }),
            _ => walk.expr(expr),
        });
    }

    fn patterns(&mut self, patterns: &'a [Ref<Expr>]) {
        for pattern in patterns {
            self.pattern(pattern);
        }
    }

    fn exprs(&mut self, exprs: &'a [Ref<Expr>]) {
        for expr in exprs {
            self.expr(expr);
        }
    }

    fn expr(&mut self, expr: &'a Ref<Expr>) {
        self.stands(expr, Stands::Inside);
    }

    fn stands(&mut self, expr: &'a Ref<Expr>, stands: Stands) {
        self.deeper(|walk| walk.node(expr, stands));
    }

    fn node(&mut self, expr: &'a Ref<Expr>, stands: Stands) {
        match expr.as_ref() {
            Expr::String { .. } | Expr::RawString { .. } | Expr::Bool { .. } | Expr::Null { .. } => {}
            Expr::Number { .. } => (self.visit)(Seen::Number(expr)),
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                (self.visit)(Seen::Ref(expr));
                self.indexes(expr);
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                self.exprs(items);
            }
            Expr::Object { fields, .. } => {
                (self.visit)(Seen::Object(expr));
                for (_, key, value) in fields {
                    self.expr(key);
                    self.expr(value);
                }
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                (self.visit)(Seen::Comprehension(expr));
                self.query(query, |walk| walk.expr(term));
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                (self.visit)(Seen::Comprehension(expr));
                self.query(query, |walk| {
                    walk.expr(key);
                    walk.expr(value);
                });
            }
            Expr::Call { span, fcn, params, .. } => {
                (self.visit)(Seen::Call { span, fcn, params, stands });
                self.exprs(params);
            }
            Expr::UnaryExpr { expr: of, .. } => {
                (self.visit)(Seen::Minus(expr));
                self.expr(of);
            }
            Expr::BoolExpr { lhs, rhs, .. }
            | Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. }
            | Expr::BinExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. } => {
                (self.visit)(Seen::Compares(expr));
                self.expr(lhs);
                self.expr(rhs);
            }
            Expr::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. } => {
                self.pattern(lhs);
                self.expr(rhs);
            }
            Expr::Membership { key, value, collection, .. } => {
                (self.visit)(Seen::Compares(expr));
                (self.visit)(Seen::Member(expr));
                self.exprs(key.as_slice());
                self.expr(value);
                self.expr(collection);
            }
        }
    }

    /// The computed members of a reference, and what it begins with when that is no name.
    fn indexes(&mut self, expr: &'a Ref<Expr>) {
        let mut rest = expr;
        loop {
            match rest.as_ref() {
                Expr::RefDot { refr, .. } => rest = refr,
                Expr::RefBrack { refr, index, .. } => {
                    self.expr(index);
                    rest = refr;
                }
                Expr::Var { .. } => return,
                _ => return self.expr(rest),
            }
            // The engine evaluates a reference from its beginning, one call inside the other.
            self.depth += 1;
            self.deepest = self.deepest.max(self.depth);
        }
    }

    fn deeper(&mut self, inside: impl FnOnce(&mut Self)) {
        let depth = self.depth;
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        if self.depth < GIVE_UP {
            inside(self);
        }
        self.depth = depth;
    }
}
