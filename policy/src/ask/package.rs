//! A query for all of a package, or for what holds packages: each of its rules is asked for by itself. Asked for the whole,
//! the engine takes a package for done after the first of its modules.

use std::collections::BTreeSet;
use std::time::Duration;

use regorus::unstable::{Module, Ref, Rule, RuleHead};
use regorus::value::Object;
use regorus::{Engine, Expression, Location, QueryResult, QueryResults, Value};

use super::Row;
use crate::deadline::Deadline;
use crate::evaluate::arm;
use crate::gate::names::{self, Path};
use crate::trial::only_value;

/// What is asked for as a whole.
pub(crate) struct Package {
    path: Path,
    /// The packages at it and below, and the rules in them, none of which is a part of another.
    packages: BTreeSet<Path>,
    rules: BTreeSet<Path>,
}

impl Package {
    /// The package that a query names and does nothing more; none where it is something else.
    pub(crate) fn of(query: &str, modules: &[Ref<Module>]) -> Option<Self> {
        let path: Path = query.trim().split('.').map(str::to_owned).collect();
        let plain = |name: &String| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if path.first()? != "data" || !path.iter().all(plain) {
            return None;
        }
        let (mut packages, mut rules) = (BTreeSet::new(), BTreeSet::new());
        for module in modules {
            let package = names::package(module);
            rules.extend(
                module
                    .policy
                    .iter()
                    .filter(|rule| !is_function(rule))
                    .map(|rule| names::rule_path(&package, rule)),
            );
            packages.insert(package);
        }
        let within = |of: &Path| of.len() >= path.len() && of.starts_with(&path);
        packages.retain(within);
        // All of `data` is one where there is no package in it too.
        if packages.is_empty() && path.len() > 1 || rules.iter().any(|rule| path.starts_with(rule)) {
            return None;
        }
        rules.retain(within);
        let mut all = BTreeSet::new();
        for rule in rules {
            // In order, what a rule is a part of stands before it.
            if all.last().is_none_or(|before: &Path| !rule.starts_with(before)) {
                all.insert(rule);
            }
        }
        Some(Self { path, packages, rules: all })
    }

    /// Its value: data, and in it what each rule gives.
    pub(crate) fn answer(&self, engine: &mut Engine, fuse: Duration) -> anyhow::Result<QueryResults> {
        let deadline = Deadline::after(fuse);
        let data =
            self.path.iter().skip(1).fold(engine.get_data(), |data, member| data[member.as_str()].clone());
        let mut whole = if data == Value::Undefined { Value::new_object() } else { data };
        for package in &self.packages {
            object(&mut whole, self.below(package))?;
        }
        for rule in &self.rules {
            let members = rule.iter().skip(1).map(|member| format!("[{}]", Value::from(member.as_str())));
            arm(engine, deadline.left());
            let value = only_value(engine.eval_query(format!("data{}", members.collect::<String>()), false)?);
            if let Some((last, above)) = self.below(rule).split_last()
                && value != Value::Undefined
            {
                object(&mut whole, above)?.insert(Value::from(last.as_str()), value);
            }
        }
        let (text, location) = (self.path.join(".").into(), Location { row: 1, col: 1 });
        let expressions = vec![Expression { value: whole, text, location }];
        Ok(QueryResults { result: vec![QueryResult { expressions, ..QueryResult::default() }] })
    }

    fn below<'a>(&self, full: &'a [String]) -> &'a [String] {
        full.get(self.path.len()..).unwrap_or_default()
    }
}

/// What was asked for and its value, as they are printed.
pub(super) fn row(row: &QueryResult) -> Result<Row, serde_json::Error> {
    let expression = |expression: &Expression| {
        let (text, Location { row, col }) = (expression.text.to_string(), &expression.location);
        Ok(super::Expression {
            value: serde_json::to_value(&expression.value)?,
            text,
            line: *row,
            column: *col,
        })
    };
    let expressions = row.expressions.iter().map(expression).collect::<Result<_, _>>()?;
    Ok(Row { expressions, bindings: serde_json::Map::new() })
}

/// The object at these members of a value, made where there is none.
fn object<'a>(value: &'a mut Value, members: &[String]) -> anyhow::Result<&'a mut Object> {
    let object = value.as_object_mut()?;
    match members.split_first() {
        None => Ok(object),
        Some((first, rest)) => {
            self::object(object.get_or_insert_with(Value::from(first.as_str()), Value::new_object), rest)
        }
    }
}

const fn is_function(rule: &Rule) -> bool {
    match rule {
        Rule::Spec { head, .. } => matches!(head, RuleHead::Func { .. }),
        Rule::Default { args, .. } => !args.is_empty(),
    }
}
