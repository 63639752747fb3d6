//! What the modules define, and what a name in one of them means.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead, Span};

use crate::builtins::{self, Known};
use crate::nearest::nearest;

/// A full name in parts, `["data", "postern", "decision"]`.
pub(crate) type Path = Vec<String>;

/// All rules and functions of all modules.
#[derive(Default)]
pub(crate) struct Names {
    /// Functions, and how many arguments their definitions take.
    functions: BTreeMap<Path, BTreeSet<usize>>,
    defaulted: BTreeSet<Path>,
    /// Rules and functions, in order, so that all below a name stand together.
    pub(crate) rules: BTreeSet<Path>,
    /// What the rules of each package are called in it, by their first steps.
    own: BTreeMap<Path, BTreeSet<String>>,
    /// The rules by what stands behind the second step of their names, once it is asked for.
    behind: OnceLock<BTreeMap<Path, Vec<Path>>>,
}

impl Names {
    pub(crate) fn of(modules: &[Ref<Module>]) -> Self {
        let mut names = Self::default();
        for module in modules {
            let package = package(module);
            for rule in &module.policy {
                let full = rule_path(&package, rule);
                if let Some(arity) = arity(rule) {
                    names.functions.entry(full.clone()).or_default().insert(arity);
                    if matches!(rule.as_ref(), Rule::Default { .. }) {
                        names.defaulted.insert(full.clone());
                    }
                }
                let own = names.own.entry(package.clone()).or_default();
                own.extend(full.get(package.len()).cloned());
                names.rules.insert(full);
            }
        }
        names
    }

    /// What an import of a package would be that a module names by its last step, which means nothing there yet.
    pub(crate) fn package_called(&self, module: &Module, name: &str) -> Option<String> {
        let within = |path: &Path| path.iter().take(path.len() - 1).position(|step| step == name);
        let (path, at) = self.rules.iter().find_map(|path| Some((path, within(path)?)))?;
        self.import_of(module, name, path.get(..=at)?)
    }

    /// The same where a function is called by it.
    pub(crate) fn called_of(&self, module: &Module, called: &[String]) -> Option<String> {
        let (package, function) = called.split_first()?;
        let of = |path: &&Path| path.strip_suffix(function).is_some_and(|of| of.last() == Some(package));
        let path = self.functions.keys().filter(|_| !function.is_empty()).find(of)?;
        self.import_of(module, package, path.get(..path.len() - function.len())?)
    }

    fn import_of(&self, module: &Module, name: &str, path: &[String]) -> Option<String> {
        let plain = |step: &String| step.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let new = !self.is_global(module, name) && path != package(module);
        (new && path.iter().all(plain)).then(|| path.join("."))
    }

    /// The function that a call in this module means, with its numbers of arguments; looked up as the engine does.
    pub(crate) fn function(&self, module: &Module, called: &[String]) -> Option<(Path, &BTreeSet<usize>)> {
        let candidates =
            [through_imports(module, called), Some(called.to_vec()), Some(below_package(module, called))];
        candidates.into_iter().flatten().find_map(|path| {
            let arities = self.functions.get(&path)?;
            Some((path, arities))
        })
    }

    /// A function whose name is nearly that of a call in this module, as it would be called there.
    pub(crate) fn like(&self, module: &Module, called: &[String]) -> Option<String> {
        let full = resolve(module, called);
        let (name, package) = full.split_last()?;
        let beside =
            self.functions.keys().filter(|path| path.len() == full.len() && path.starts_with(package));
        let beside: Vec<&String> = beside.filter_map(|path| path.last()).collect();
        let meant = nearest(name, &beside)?;
        let before = called.split_last()?.1.iter().map(String::as_str);
        Some(before.chain([meant]).collect::<Vec<_>>().join("."))
    }

    /// How many arguments the function of this full name takes.
    pub(crate) fn arities(&self, path: &[String]) -> Option<&BTreeSet<usize>> {
        self.functions.get(path)
    }

    /// Whether the function of this full name has a default.
    pub(super) fn has_default(&self, path: &[String]) -> bool {
        self.defaulted.contains(path)
    }

    /// Whether this is the full name of a rule.
    pub(crate) fn is_rule(&self, path: &[String]) -> bool {
        self.rules.contains(path)
    }

    /// Whether a rule stands at this path or below it.
    pub(crate) fn defines_below(&self, path: &[String]) -> bool {
        self.rules.range(path.to_vec()..).next().is_some_and(|rule| rule.starts_with(path))
    }

    /// Whether a name that nothing binds means a rule of the package, or what stands below one, or an import.
    pub(crate) fn is_global(&self, module: &Module, name: &str) -> bool {
        let own = || self.own(module).is_some_and(|own| own.contains(name));
        through_imports(module, &[name.to_owned()]).is_some() || own()
    }

    /// What the rules of a module's package are called in it. A package below it, `a.b` below `a`, is none of them.
    pub(crate) fn own(&self, module: &Module) -> Option<&BTreeSet<String>> {
        self.own.get(&package(module))
    }

    /// The names that stand right below a path, on the way to rules.
    pub(crate) fn members<'a>(&'a self, path: &[String]) -> impl Iterator<Item = &'a str> {
        let at = path.len();
        let below = self.rules.range(path.to_vec()..);
        let path = path.to_vec();
        below
            .take_while(move |rule| rule.starts_with(&path))
            .filter_map(move |rule| rule.get(at).map(String::as_str))
    }

    /// All rules that `data[…]` may read with this behind it.
    pub(crate) fn read_behind<'a>(&'a self, behind: &'a [String]) -> impl Iterator<Item = &'a Path> {
        let rules = self.behind.get_or_init(|| {
            let mut rules = BTreeMap::<Path, Vec<Path>>::new();
            for rule in &self.rules {
                rules.entry(rule.iter().skip(2).cloned().collect()).or_default().push(rule.clone());
            }
            rules
        });
        let above = (0..behind.len()).filter_map(move |end| rules.get(behind.get(..end)?));
        let below = rules.range(behind.to_vec()..).take_while(move |(rest, _)| rest.starts_with(behind));
        above.chain(below.map(|(_, rules)| rules)).flatten()
    }

    /// All rules that a reference may read: those above it, itself, and those below it.
    pub(crate) fn read_by<'a>(&'a self, path: &[String]) -> impl Iterator<Item = &'a Path> {
        let above = (1..path.len()).filter_map(|end| self.rules.get(path.get(..end)?));
        let below = self.rules.range(path.to_vec()..).take_while(|rule| rule.starts_with(path));
        above.chain(below)
    }
}

/// What stands behind the computed step of `data[input.…].x.y`, or of `data[name].x.y` by a name that has a part of the input
/// for its value; none of any other reference.
pub(crate) fn behind(refr: &Expr, input: &BTreeSet<&str>) -> Option<Path> {
    let mut rest = refr;
    while let Expr::RefDot { refr, .. } = rest {
        rest = refr;
    }
    let Expr::RefBrack { refr: root, index, .. } = rest else { return None };
    let data = matches!(root.as_ref(), Expr::Var { span, .. } if span.text() == "data");
    let input =
        is_of_input(index) || matches!(index.as_ref(), Expr::Var { span, .. } if input.contains(span.text()));
    let behind: Path = members(refr)?.into_iter().skip(2).collect::<Option<_>>()?;
    (data && input && !behind.is_empty()).then_some(behind)
}

/// Whether this is `input`, or a constant reference into it.
pub(crate) fn is_of_input(expr: &Expr) -> bool {
    path(expr).is_some_and(|path| path.first().is_some_and(|root| root == "input"))
}

/// `["data", …]` of a module's package.
pub(crate) fn package(module: &Module) -> Path {
    let mut full = vec!["data".to_owned()];
    full.extend(path(&module.package.refr).unwrap_or_default());
    full
}

/// The full name of a rule, up to the first computed member of its head.
pub(crate) fn rule_path(package: &[String], rule: &Rule) -> Path {
    let refr = match rule {
        Rule::Spec { head, .. } => head_name(head),
        Rule::Default { refr, .. } => refr,
    };
    package.iter().cloned().chain(constant(refr)).collect()
}

/// The full name of the object that a rule with several members in its head is a part of, up to the first computed
/// one; none for a rule with one, and for functions.
pub(crate) fn above(package: &[String], rule: &Rule) -> Option<Path> {
    let Rule::Spec { head: RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. }, .. } = rule else {
        return None;
    };
    let members = members(refr)?;
    let path: Path = members.iter().cloned().map_while(|member| member).collect();
    let above = if path.len() == members.len() { path.len().checked_sub(1)? } else { path.len() };
    (above > 0).then(|| package.iter().cloned().chain(path.into_iter().take(above)).collect())
}

pub(crate) fn head_name(head: &RuleHead) -> &Ref<Expr> {
    match head {
        RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. } | RuleHead::Func { refr, .. } => refr,
    }
}

fn arity(rule: &Rule) -> Option<usize> {
    match rule {
        Rule::Spec { head: RuleHead::Func { args, .. }, .. } => Some(args.len()),
        Rule::Default { args, .. } if !args.is_empty() => Some(args.len()),
        _ => None,
    }
}

/// What a reference in this module means in full: `input…` and `data…` as they are, an import by what it imports,
/// anything else below the package.
pub(crate) fn resolve(module: &Module, refr: &[String]) -> Path {
    match refr.first().map(String::as_str) {
        Some("input" | "data") => refr.to_vec(),
        _ => through_imports(module, refr).unwrap_or_else(|| below_package(module, refr)),
    }
}

fn below_package(module: &Module, name: &[String]) -> Path {
    package(module).into_iter().chain(name.iter().cloned()).collect()
}

/// What a name means that begins with the alias of an import.
pub(crate) fn through_imports(module: &Module, name: &[String]) -> Option<Path> {
    import(module, name).map(|(_, path)| path)
}

/// The same, and where that import stands.
pub(super) fn import<'a>(module: &'a Module, name: &[String]) -> Option<(&'a Span, Path)> {
    let (first, rest) = name.split_first()?;
    module.imports.iter().find_map(|import| {
        let target = path(&import.refr)?;
        let alias = import.r#as.as_ref().map(|alias| alias.text().to_owned());
        let alias = alias.or_else(|| target.last().cloned())?;
        let means = matches!(target.first().map(String::as_str), Some("data" | "input")) && alias == *first;
        means.then(|| (begin(&import.refr), target.iter().chain(rest).cloned().collect()))
    })
}

/// The members of a constant reference such as `a.b["c"]`; none when a member is computed.
pub(crate) fn path(refr: &Expr) -> Option<Path> {
    let members = members(refr)?;
    members.iter().cloned().collect()
}

/// Where a reference begins: the engine's own span of it stands at its last member.
pub(crate) fn begin(refr: &Expr) -> &Span {
    match refr {
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => begin(refr),
        _ => refr.span(),
    }
}

/// The members of a reference up to the first computed one.
pub(crate) fn constant(refr: &Expr) -> Path {
    members(refr).into_iter().flatten().map_while(|member| member).collect()
}

/// All members in order, none for a computed one; none at all when it does not begin with a name.
pub(super) fn members(refr: &Expr) -> Option<Vec<Option<String>>> {
    let text = |value: &regorus::Value| value.as_string().ok().map(ToString::to_string);
    let mut members = Vec::new();
    let mut rest = refr;
    loop {
        match rest {
            Expr::Var { value, .. } => {
                members.push(text(value));
                members.reverse();
                return Some(members);
            }
            Expr::RefDot { refr, field, .. } => {
                members.push(text(&field.1));
                rest = refr;
            }
            Expr::RefBrack { refr, index, .. } => {
                members.push(match index.as_ref() {
                    Expr::String { value, .. } | Expr::RawString { value, .. } => text(value),
                    _ => None,
                });
                rest = refr;
            }
            _ => return None,
        }
    }
}

/// The last argument of a call that has one more than its function takes: the value is put there.
pub(crate) fn result<'a>(names: &Names, module: &Module, call: &'a Expr) -> Option<&'a Ref<Expr>> {
    let Expr::Call { fcn, params, .. } = call else { return None };
    result_of(names, module, fcn, params)
}

/// The same of what is called, and its arguments.
pub(super) fn result_of<'a>(
    names: &Names,
    module: &Module,
    fcn: &Expr,
    params: &'a [Ref<Expr>],
) -> Option<&'a Ref<Expr>> {
    let called = path(fcn)?;
    let takes = params.len().checked_sub(1)?;
    let builtin = || match builtins::known(&called.join(".")) {
        Some(Known::Engines(arity) | Known::Added(arity)) => usize::from(arity) == takes,
        Some(Known::Refused(_)) | None => false,
    };
    let own = names.function(module, &called).map(|(_, arities)| arities.contains(&takes));
    params.last().filter(|_| own.unwrap_or_else(builtin))
}
