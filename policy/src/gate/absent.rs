//! Names below `data` that are nowhere, neither a rule nor in the data, and nearly the name of something that is there, or
//! in a package without data: such a slip is undefined in every decision, and `not data.denid[id]` holds in each.
//!
//! Elsewhere, what is like nothing is let be: a bundle may go without data that its rules ask for.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;
use regorus::unstable::{Expr, Module, Ref};

use super::names::{self, Names, Path};
use super::walk::{self, Seen};
use crate::nearest::nearest;
use crate::problem::{Problem, Problems};

/// Most members of one object that are looked at for what was meant.
const LOOK: usize = 10_000;
/// Most members that are looked at in one load: what no look is left for is let be.
const LOOKS: usize = 20 * LOOK;
/// Most names that nothing reads that are told.
const TOLD: usize = 20;

/// A name below `data`, in full.
struct Name<'a> {
    refr: &'a Expr,
    path: Path,
    /// How many members of it an import says: what is wrong with these is told there.
    imported: usize,
}

/// What modules name below `data`.
#[derive(Default)]
struct Named<'a> {
    imported: Vec<Name<'a>>,
    read: Vec<Name<'a>>,
    /// In the place of which a `with` puts something.
    replaced: Vec<Name<'a>>,
}

impl<'a> Named<'a> {
    fn by(modules: &'a [Ref<Module>]) -> Self {
        let mut all = Self::default();
        for module in modules {
            let name = |refr: &'a Expr| {
                let written = names::constant(refr);
                let data = written.first().is_some_and(|root| root == "data");
                let path =
                    if data { Some(written.clone()) } else { names::through_imports(module, &written) }?;
                // The first name of what is written stands for all that the import says.
                let imported = if data { 0 } else { path.len() + 1 - written.len() };
                Some(Name { refr, path, imported })
            };
            all.imported.extend(module.imports.iter().filter_map(|import| name(&import.refr)));
            for rule in &module.policy {
                let (mut refs, mut bound) = (Vec::new(), BTreeSet::new());
                walk::rule(rule, &mut |seen| match seen {
                    Seen::Ref(refr) => refs.push(refr),
                    Seen::With(with) => all.replaced.extend(name(&with.refr)),
                    Seen::Binds(name, _) => drop(bound.insert(name.text())),
                    _ => {}
                });
                let free = refs.into_iter().filter(|refr| !bound.contains(names::begin(refr).text()));
                all.read.extend(free.filter_map(name));
            }
        }
        all
    }
}

fn paths(names: &[Name<'_>]) -> BTreeSet<Path> {
    names.iter().map(|name| name.path.clone()).collect()
}

/// Checks every reference and import of all modules.
pub(super) fn check(modules: &[Ref<Module>], names: &Names, data: &Value, problems: &mut Problems) {
    let Named { imported, mut read, replaced } = Named::by(modules);
    read.extend(imported);
    // What a `with` puts something in the place of may be absent otherwise, as long as it is read by the same name.
    for (those, others) in [(&read, paths(&replaced)), (&replaced, paths(&read))] {
        let mut search = Search { names, data, others, known: BTreeMap::new(), left: LOOKS };
        problems.extend(those.iter().filter_map(|name| search.wrong(name)));
    }
}

/// What a `with` puts in the place of data that nothing reads, each name once: it changes no answer.
pub(super) fn unread(modules: &[Ref<Module>]) -> Vec<Problem> {
    let names = Names::of(modules);
    let Named { read, replaced, .. } = Named::by(modules);
    let (read, mut told) = (paths(&read), BTreeSet::new());
    let unread = replaced.iter().filter(|name| {
        let path = &name.path;
        path.first().is_some_and(|root| root == "data")
            && names.read_by(path).next().is_none()
            && !is_among(&read, path)
            && told.insert(path.clone())
    });
    unread.take(TOLD).map(|name| problem_of_unread(name, &read)).collect()
}

fn problem_of_unread(name: &Name<'_>, read: &BTreeSet<Path>) -> Problem {
    // As much of it as something that is read begins with.
    let begins = |end: usize| name.path.get(..end).is_some_and(|above| is_among(read, above));
    let at = (1..name.path.len()).take_while(|end| begins(*end)).last().unwrap_or(1);
    let (above, rest) = name.path.split_at(at);
    let beside = read.range(above.to_vec()..).take_while(|path| path.starts_with(above));
    let beside = beside.filter_map(|path| path.get(at)).take(LOOK);
    let beside: Vec<&String> = beside.collect::<BTreeSet<_>>().into_iter().collect();
    let meant = rest.first().and_then(|slip| nearest(slip, &beside));
    let instead = match meant {
        Some(meant) => format!("`{}.{meant}`, which is read", above.join(".")),
        None => "the name of data that a rule reads".to_owned(),
    };
    let begin = names::begin(name.refr);
    let why = "is read by no rule: what stands in its place changes no answer";
    Problem::of(begin.source.get_path(), &name.path.join("."), why, instead).at_span(begin)
}

/// Whether this, or what is above or below it, is one of them.
fn is_among(paths: &BTreeSet<Path>, here: &[String]) -> bool {
    let below = paths.range(here.to_vec()..).next().is_some_and(|path| path.starts_with(here));
    below || (1..here.len()).any(|end| here.get(..end).is_some_and(|above| paths.contains(above)))
}

struct Search<'a> {
    names: &'a Names,
    data: &'a Value,
    /// What is named elsewhere.
    others: BTreeSet<Path>,
    /// What is meant by the names that were looked for: a policy may write each many times.
    known: BTreeMap<Path, Option<String>>,
    /// How many members may still be looked at.
    left: usize,
}

impl Search<'_> {
    fn wrong(&mut self, name: &Name<'_>) -> Option<Problem> {
        let (at, instead) = self.slip(&name.path).filter(|(at, _)| *at >= name.imported)?;
        let here = name.path.get(..=at)?.join(".");
        let why = "is neither a rule nor in the data: it is undefined in every decision";
        let begin = names::begin(name.refr);
        Some(Problem::of(begin.source.get_path(), &here, why, instead).at_span(begin))
    }

    /// The first member that is nowhere, and what to write instead.
    fn slip(&mut self, path: &[String]) -> Option<(usize, String)> {
        if path.first().is_none_or(|root| root != "data") {
            return None;
        }
        let mut value = Some(self.data);
        for at in 1..path.len() {
            let here = path.get(..=at)?;
            if self.names.rules.contains(here) {
                return None;
            }
            let object = value.and_then(|value| value.as_object().ok());
            let inside = object.and_then(|object| object.get(&Value::from(path.get(at)?.as_str())));
            let below = self.names.defines_below(here);
            if inside.is_none() && !below {
                return self.meant(path.get(..at)?, path.get(at)?, object).map(|meant| (at, meant));
            }
            value = inside;
        }
        None
    }

    fn meant(
        &mut self,
        parent: &[String],
        name: &str,
        object: Option<&regorus::value::Object>,
    ) -> Option<String> {
        let here = child(parent, name);
        if let Some(known) = self.known.get(&here) {
            return known.clone();
        }
        let meant = if is_among(&self.others, &here) { None } else { self.look(parent, name, object) };
        self.known.insert(here, meant.clone());
        meant
    }

    fn look(
        &mut self,
        parent: &[String],
        name: &str,
        object: Option<&regorus::value::Object>,
    ) -> Option<String> {
        if self.left == 0 {
            return None;
        }
        let there =
            |meant: &str| format!("`{}.{meant}`, which is there; or data of that name", parent.join("."));
        let rules: Vec<&str> = self.names.members(parent).take(LOOK).collect();
        let members = object.into_iter().flat_map(|object| object.iter().take(LOOK));
        let members: Vec<&str> =
            members.filter_map(|(key, _)| key.as_string().ok().map(AsRef::as_ref)).collect();
        self.left = self.left.saturating_sub(rules.len() + members.len());
        let rules: BTreeSet<&str> = rules.into_iter().collect();
        if parent.len() == 1 || !rules.is_empty() {
            let options: Vec<&str> = rules.iter().copied().chain(members).collect();
            let meant = nearest(name, &options).map(there);
            // A package has its rules; beside them, what data may come there.
            let rule = |name: &&str| self.names.rules.contains(&child(parent, name));
            let package = object.is_none() && rules.iter().any(rule);
            return meant
                .or_else(|| package.then(|| format!("one of the rules of the package: {}", few(&rules))));
        }
        // Keys of data that are alike may all be right, `team_a` and `team_b`: here only a lost, doubled or swapped
        // letter is a slip.
        let mut members = members.into_iter().filter(|_| !name.contains(char::is_numeric));
        members.find(|member| slipped(name, member)).map(there)
    }
}

fn child(parent: &[String], name: &str) -> Path {
    parent.iter().cloned().chain([name.to_owned()]).collect()
}

fn few(rules: &BTreeSet<&str>) -> String {
    rules.iter().take(20).copied().collect::<Vec<_>>().join(", ")
}

/// Whether one is the other with a letter more or less, or with two neighbours swapped.
fn slipped(one: &str, other: &str) -> bool {
    if one.chars().count().abs_diff(other.chars().count()) > 1 {
        return false;
    }
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let same = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let rest = |of: &[char], skip: usize| of.get(same + skip..).unwrap_or_default().to_vec();
    let swapped = || {
        let (a, b) = (rest(&one, 0), rest(&other, 0));
        matches!((a.as_slice(), b.as_slice()), ([a, b, rest @ ..], [c, d, others @ ..])
            if (a, b) == (d, c) && rest == others)
    };
    let letters = one.len().min(other.len()) >= 3;
    letters && (rest(&one, 1) == rest(&other, 0) || rest(&one, 0) == rest(&other, 1) || swapped())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The looks that are left after these names, of so many, and what was meant by each.
    fn left(names: &[&str], looks: usize) -> (usize, Vec<Option<String>>) {
        let data = Value::from_json_str(r#"{"limits": 1, "roles": 2, "teams": 3}"#).unwrap();
        let (rules, others) =
            (Names::default(), BTreeSet::from([vec!["data".to_owned(), "other".to_owned()]]));
        let mut search = Search { names: &rules, data: &data, others, known: BTreeMap::new(), left: looks };
        let mut meant =
            |name: &&str| search.slip(&["data".to_owned(), (*name).to_owned()]).map(|slip| slip.1);
        let meant = names.iter().map(&mut meant).collect();
        (search.left, meant)
    }

    #[test]
    fn each_name_is_looked_for_once_and_no_more_than_there_are_looks() {
        let (looks, meant) = left(&["role", "role", "absent", "absent", "role", "other"], 100);
        assert_eq!(looks, 100 - 2 * 3);
        assert!(meant[0].as_ref().unwrap().contains("data.roles"), "{meant:?}");
        assert_eq!((&meant[1], &meant[4]), (&meant[0], &meant[0]));
        assert_eq!((&meant[2], &meant[3], &meant[5]), (&None, &None, &None));

        let (looks, meant) = left(&["role", "limit", "team"], 4);
        assert_eq!((looks, meant[0].is_some(), meant[1].is_some(), &meant[2]), (0, true, true, &None));
    }
}
