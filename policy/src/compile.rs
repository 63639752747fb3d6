//! Sources to a policy that can be asked: parsed under a watchdog, passed through the gate, prepared once.

mod v0;
mod watch;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use regorus::unstable::{Module, Ref};
use regorus::{Engine, PolicyLengthConfig, Value};

use self::watch::{PATIENCE, watched};
use crate::builtins;
use crate::deadline::Deadline;
use crate::document::exact::rounded;
use crate::document::{Document, DocumentError, MAX_DATA_VALUES};
use crate::evaluate::Evaluator;
use crate::gate::{self, Purpose};
use crate::input::LeafSet;
use crate::metadata;
use crate::problem::{LoadError, Problem, Problems, Said, column};
use crate::profile;
use crate::scans;
use crate::slips;
use crate::sources::{DataFile, Sources};
use crate::translate::marks::{self, Mark};
use crate::translate::{
    self, Translated, aliases, annotated, awaited, clock, collections, computed, every, heads, imports,
    keywords, members, negation, ordered, pairs, patterns, prints, repeated, settled, shared, sorted,
    templates, undeclared,
};

/// Times that a module is written anew at most by what is done again; one that needs more is refused.
const PASSES: usize = 32;
/// Longest line the engine takes; the gate's limit is the same, with a place in its message.
const COLUMNS: NonZeroU32 = NonZeroU32::new(gate::text::COLUMNS).unwrap();
/// The same for a text that passed the gate and in which calls of `print` are written out.
const WIDE: NonZeroU32 = NonZeroU32::new(gate::text::COLUMNS * 64).unwrap();

/// A checked and prepared policy: immutable, shared by all workers.
pub struct PolicySet {
    engine: Engine,
    entrypoint: String,
    fuse: Duration,
    revision: String,
    leaves: LeafSet,
    contact: Option<Arc<str>>,
    warnings: Vec<Problem>,
}

impl PolicySet {
    /// Parses, checks and prepares a policy. Refused are, with all their problems at once: what does not compile,
    /// lacks a default that refuses, calls what the engine lacks, nests too deep, uses a construct that the engine
    /// answers wrongly, or reads what the input cannot have. `entrypoint` is a rule's full name, `data.postern.decision`; `fuse` is the longest
    /// time of one decision.
    pub fn compile(sources: &Sources, entrypoint: &str, fuse: Duration) -> Result<Self, LoadError> {
        Self::compile_by(sources, entrypoint, fuse, &Deadline::after(PATIENCE))
    }

    pub(crate) fn compile_by(
        sources: &Sources,
        entrypoint: &str,
        fuse: Duration,
        deadline: &Deadline,
    ) -> Result<Self, LoadError> {
        let prepared = load_by(sources, Purpose::Decisions(entrypoint.to_owned()), deadline)?;
        Ok(Self {
            engine: prepared.engine,
            entrypoint: entrypoint.to_owned(),
            fuse,
            revision: sources.revision().to_owned(),
            leaves: prepared.leaves,
            contact: prepared.contact.map(Arc::from),
            warnings: prepared.warnings,
        })
    }

    /// Names the policy's sources; in every record under `decision.policy`.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Whom the policy's annotations name for those that it refuses: `custom.contact`.
    #[must_use]
    pub const fn contact(&self) -> Option<&Arc<str>> {
        self.contact.as_ref()
    }

    /// The leaves of the input that any rule of the policy reads.
    #[must_use]
    pub const fn leaves(&self) -> &LeafSet {
        &self.leaves
    }

    /// What each decision would cost much for, and what is meant otherwise, it seems, with what to write instead; the
    /// policy is loaded all the same.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The longest time of one decision.
    pub(crate) const fn fuse(&self) -> Duration {
        self.fuse
    }

    /// What its engine was prepared from, for what is asked beside decisions.
    pub(crate) fn engine(&self) -> Engine {
        self.engine.clone()
    }

    /// The same, with another fuse.
    pub(crate) fn evaluator_within(&self, fuse: Duration) -> Evaluator {
        Evaluator::new(&self.engine, &self.entrypoint, fuse)
    }

    pub(crate) fn evaluator(&self) -> Evaluator {
        Evaluator::new(&self.engine, &self.entrypoint, self.fuse)
    }
}

impl fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicySet")
            .field("entrypoint", &self.entrypoint)
            .field("revision", &self.revision)
            .field("fuse", &self.fuse)
            .finish_non_exhaustive()
    }
}

/// What loading gives: an engine that has been through the gate.
pub(crate) struct Prepared {
    pub(crate) engine: Engine,
    pub(crate) leaves: LeafSet,
    /// Whom the annotations name for what the entrypoint decides.
    pub(crate) contact: Option<String>,
    /// What is meant otherwise, it seems, where decisions or tests are asked for, and what is dear in a decision.
    pub(crate) warnings: Vec<Problem>,
    /// The text of each module as the engine read it, in its order.
    pub(crate) texts: Vec<Translated>,
    /// What a profile notes, from its second mark on.
    pub(crate) marks: Vec<Mark>,
}

/// Loads under the watchdog.
pub(crate) fn load(sources: &Sources, purpose: Purpose) -> Result<Prepared, LoadError> {
    load_by(sources, purpose, &Deadline::after(PATIENCE))
}

/// The same, where it must end by a deadline.
pub(crate) fn load_by(
    sources: &Sources,
    purpose: Purpose,
    deadline: &Deadline,
) -> Result<Prepared, LoadError> {
    let sources = sources.clone();
    watched(deadline, move || load_here(&sources, &purpose))
}

fn load_here(sources: &Sources, purpose: &Purpose) -> Result<Prepared, LoadError> {
    let mut problems = Problems::default();
    let mut texts = parseable(sources, &mut problems);
    let refused =
        |problems: Problems, texts: &[Translated]| problems.told(|problem| restore(sources, texts, problem));
    if !problems.is_empty() {
        return Err(problems.told(|problem| problem));
    }
    let annotations: Vec<_> = sources
        .modules
        .iter()
        .map(|module| metadata::of(&module.name, &module.text, &mut problems))
        .collect();
    if !problems.is_empty() {
        return Err(problems.told(|problem| problem));
    }
    for (module, text) in sources.modules.iter().zip(&texts) {
        gate::before_parsing(&module.name, &text.text, &mut problems);
    }
    if !problems.is_empty() {
        return Err(refused(problems, &texts));
    }
    let mut engine = parse(sources, &texts, &mut problems);
    if problems.is_empty() {
        gate::first_after_parsing(engine.get_modules(), &texts, purpose, &mut problems);
        let annotated = engine.get_modules().iter().zip(&annotations);
        problems.extend(annotated.flat_map(|(module, found)| metadata::misplaced(module, found)));
    }
    let (mut never, mut doubts) = (Problems::default(), Problems::default());
    if problems.is_empty() {
        gate::types(engine.get_modules(), purpose, &mut never, &mut doubts);
    }
    let doubts = refused(doubts, &texts).problems;
    let never = (!never.is_empty()).then(|| refused(never, &texts));
    let of = |text: &Translated| annotations.get(text.of).map_or(&[][..], Vec::as_slice);
    rewrite(sources, &mut engine, &mut texts, &mut problems, |modules, texts| {
        annotated::values(modules, texts, &texts.iter().map(of).collect::<Vec<_>>())
    });
    for step in translate::ONCE {
        rewrite(sources, &mut engine, &mut texts, &mut problems, step);
    }
    for pass in 0..=PASSES {
        let step = |modules: &[_], texts: &[Translated]| match translate::again(modules, texts, pass) {
            Some(written) if pass == PASSES => Err(too_deep(sources, texts, &written)),
            written => Ok(written),
        };
        if !rewrite(sources, &mut engine, &mut texts, &mut problems, step) {
            break;
        }
    }
    // A module that does not parse may be the one that defines it.
    if problems.is_empty() {
        gate::entrypoint(engine.get_modules(), purpose, &mut problems);
    }
    add_all(&mut engine, sources, &mut problems);
    let mut modules = engine.get_modules().clone();
    if problems.is_empty() {
        within_roots(sources, &texts, &modules, &mut problems);
        let names = gate::names::Names::of(&modules);
        problems.extend(texts.iter().zip(&modules).filter_map(|(text, module)| {
            gate::imports::hides_ours(module, &names, &sources.modules.get(text.of)?.text)
        }));
    }
    let leaves = gate::after_parsing(
        &modules,
        modules.len() == texts.len(),
        &engine.get_data(),
        purpose,
        &mut problems,
    );
    if !problems.is_empty() {
        return Err(refused(problems, &texts));
    }
    if let Some(never) = never {
        return Err(never);
    }
    let marks = behind_the_gate(sources, purpose, &mut engine, &mut texts, &mut problems);
    if !problems.is_empty() {
        return Err(refused(problems, &texts));
    }
    modules.clone_from(engine.get_modules());
    if let Err(problems) = prepare_settled(sources, purpose, &mut engine, &mut texts, &mut modules) {
        return Err(refused(problems, &texts));
    }
    let (contact, warnings) = match purpose {
        Purpose::Decisions(entrypoint) => {
            let contact = metadata::contact(modules.iter().zip(texts.iter().map(of)), entrypoint);
            let dear = told(sources, &texts, scans::warnings(&modules, &engine.get_data()));
            (contact, [doubts, dear].concat())
        }
        Purpose::Tests => (None, doubts),
        Purpose::Proof | Purpose::Queries | Purpose::Questions | Purpose::Profile => (None, Vec::new()),
    };
    Ok(Prepared { engine, leaves, contact, warnings, texts, marks })
}

/// Makes it ready to be asked; once more with names settled in brackets, where the engine asks for that.
fn prepare_settled(
    sources: &Sources,
    purpose: &Purpose,
    engine: &mut Engine,
    texts: &mut Vec<Translated>,
    modules: &mut Vec<Ref<Module>>,
) -> Result<(), Problems> {
    let mut prepared = prepare(engine, modules, purpose);
    if prepared.as_ref().is_err_and(|error| error.to_string().contains(settled::UNSETTLED))
        && let Some(written) = settled::indexes(modules, texts)
    {
        let mut problems = Problems::default();
        *engine = reread(sources, &written, &mut problems);
        *texts = written;
        if !problems.is_empty() {
            return Err(problems);
        }
        modules.clone_from(engine.get_modules());
        prepared = prepare(engine, modules, purpose);
    }
    prepared.map_err(|error| engines_problem(sources, texts, "", &error.to_string()).into())
}

/// What is still to be written anew when it has been often enough: left as it is, it would mean something else.
fn too_deep(sources: &Sources, texts: &[Translated], written: &[Translated]) -> Problems {
    let still = texts.iter().zip(written).filter(|(text, written)| text.text != written.text);
    let problem = |(text, _): (&Translated, _)| {
        let name = sources.modules.get(text.of).map_or("", |module| module.name.as_str());
        let why = "has more in one another than is read as OPA does: calls, `in` and comprehensions, \
                   negated or within others";
        Problem::of(name, "rego", why, "names for some of it, in statements of their own")
    };
    still.map(problem).collect()
}

/// What writes the texts of modules anew, where there is something to write.
type Write<'a> = &'a dyn Fn(&[Ref<Module>], &[Translated]) -> Option<Vec<Translated>>;

/// Writes what no gate need see anew; gives the marks of a profile.
fn behind_the_gate(
    sources: &Sources,
    purpose: &Purpose,
    engine: &mut Engine,
    texts: &mut Vec<Translated>,
    problems: &mut Problems,
) -> Vec<Mark> {
    // Nobody reads what is printed while it is profiled either.
    let printed: fn(&[Ref<Module>], &[Translated]) -> _ = match purpose {
        Purpose::Decisions(_) | Purpose::Proof | Purpose::Profile => prints::erased,
        Purpose::Tests | Purpose::Queries | Purpose::Questions => prints::kept,
    };
    let rewrite = |write: Write<'_>, engine: &mut Engine, texts: &mut Vec<_>, problems: &mut Problems| {
        let Some(written) = write(engine.get_modules(), texts) else { return false };
        let mut found = Problems::default();
        *engine = reread(sources, &written, &mut found);
        problems.extend(spoilt(found));
        *texts = written;
        true
    };
    rewrite(&every::given, engine, texts, problems);
    // Such statements may stand within one another, each time in more brackets.
    for write in [pairs::apart, shared::read, sorted::members] {
        for _ in 0..PASSES {
            if !rewrite(&write, engine, texts, problems) {
                break;
            }
        }
    }
    // Negations too may stand within one another.
    for pass in 1..=PASSES {
        if !rewrite(&|modules, texts| negation::loops(modules, texts, PASSES + pass), engine, texts, problems)
        {
            break;
        }
    }
    // Each pair is a statement of its own, and what is taken out of a negation.
    gate::bodies::long(engine.get_modules(), problems);
    if !problems.is_empty() {
        return Vec::new();
    }
    let others = [
        heads::asked_together,
        patterns::arguments,
        patterns::exact,
        imports::in_full,
        aliases::through_lists,
        collections::alone,
        ordered::calls,
        computed::calls,
        members::told_apart,
        awaited::names,
        printed,
        clock::given,
        undeclared::names,
    ];
    for write in others {
        rewrite(&write, engine, texts, problems);
    }
    if !matches!(purpose, Purpose::Profile) || !problems.is_empty() {
        return Vec::new();
    }
    let (marked, marks) = marks::marked(sources, engine.get_modules(), texts);
    *engine = reread(sources, &marked, problems);
    *texts = marked;
    marks
}

/// Refuses packages that stand where their bundle owns nothing. The engine keeps the order of the modules.
fn within_roots(sources: &Sources, texts: &[Translated], modules: &[Ref<Module>], problems: &mut Problems) {
    for (text, parsed) in texts.iter().zip(modules) {
        let Some(module) = sources.modules.get(text.of) else { continue };
        let package = gate::names::package(parsed);
        if !module.roots.own(package.get(1..).unwrap_or_default()) {
            let why = format!("stands outside its bundle's roots ({})", module.roots);
            let root = package.get(1..).unwrap_or_default().join("/");
            let instead =
                format!("another package, or \"{root}\" among the `roots` of the bundle's `.manifest`");
            problems.push(Problem::of(&module.name, &format!("package {}", package.join(".")), why, instead));
        }
    }
}

/// An engine of texts that have been through the gate and were edited since, in ways that the gate need not see.
pub(crate) fn again(
    sources: &Sources,
    texts: Vec<Translated>,
    deadline: &Deadline,
) -> Result<Engine, LoadError> {
    let sources = sources.clone();
    watched(deadline, move || {
        let mut problems = Problems::default();
        let mut engine = reread(&sources, &texts, &mut problems);
        let modules = engine.get_modules().clone();
        if problems.is_empty()
            && let Err(error) = prepare(&mut engine, &modules, &Purpose::Tests)
        {
            problems.push(engines_problem(&sources, &texts, "", &error.to_string()));
        }
        if problems.is_empty() {
            Ok(engine)
        } else {
            Err(problems.told(|problem| restore(&sources, &texts, problem)))
        }
    })
}

/// The same without making it ready.
fn reread(sources: &Sources, texts: &[Translated], problems: &mut Problems) -> Engine {
    let mut engine = parse_as_wide(sources, texts, WIDE, problems);
    add_all(&mut engine, sources, problems);
    engine
}

/// An engine with all modules that parse.
fn parse(sources: &Sources, texts: &[Translated], problems: &mut Problems) -> Engine {
    parse_as_wide(sources, texts, COLUMNS, problems)
}

fn parse_as_wide(
    sources: &Sources,
    texts: &[Translated],
    max_col: NonZeroU32,
    problems: &mut Problems,
) -> Engine {
    let mut engine = Engine::new();
    engine.set_policy_length_config(PolicyLengthConfig { max_col, ..PolicyLengthConfig::default() });
    engine.set_strict_builtin_errors(true);
    engine.set_gather_prints(true);
    for text in texts {
        let name = sources.modules.get(text.of).map_or("", |module| module.name.as_str());
        if let Some(problem) = text.unwritten(name) {
            problems.push(problem);
        } else if let Err(error) = engine.add_policy(name.to_owned(), text.text.clone()) {
            let first = engines_problem(sources, texts, name, &error.to_string());
            let others = v0::other_bodies(&engine, name, text, &first);
            problems.push(first);
            problems.extend(others);
        }
    }
    engine
}

/// All modules as far as the engine's parser needs them written anew.
fn parseable(sources: &Sources, problems: &mut Problems) -> Vec<Translated> {
    let mut texts = Vec::new();
    for (of, module) in sources.modules.iter().enumerate() {
        match templates::calls(&module.name, &module.text) {
            Ok(mut translated) => {
                translated.of = of;
                texts.push(translated);
            }
            Err(problem) => problems.push(*problem),
        }
    }
    for text in &mut texts {
        keywords::stand_ins(text);
        let name = sources.modules.get(text.of).map_or("", |module| module.name.as_str());
        problems.extend(repeated::imports(name, text));
    }
    texts
}

/// What the engine does not read though it read the author's own text.
fn spoilt(problems: Problems) -> impl Iterator<Item = Problem> {
    problems.told(|problem| problem).problems.into_iter().map(|problem| {
        let Some(why) = problem.why.strip_prefix(UNREAD) else { return problem };
        let why = format!("is written anew for the engine into what it does not read: {why}");
        let instead = "the same in other words; it is a fault of Postern's, and not of the policy".to_owned();
        Problem { why, instead, ..problem }
    })
}

/// Lets one step write modules anew, and parses them again; whether it wrote. None does where there is a problem already.
fn rewrite(
    sources: &Sources,
    engine: &mut Engine,
    texts: &mut Vec<Translated>,
    problems: &mut Problems,
    step: impl FnOnce(&[Ref<Module>], &[Translated]) -> Result<Option<Vec<Translated>>, Problems>,
) -> bool {
    if !problems.is_empty() {
        return false;
    }
    match step(engine.get_modules(), texts) {
        Ok(None) => false,
        Ok(Some(written)) => {
            *texts = written;
            let mut found = Problems::default();
            *engine = parse(sources, texts, &mut found);
            problems.extend(spoilt(found));
            true
        }
        Err(found) => {
            problems.append(found);
            false
        }
    }
}

/// Warnings by their places in the author's text.
fn told(sources: &Sources, texts: &[Translated], warnings: Vec<Problem>) -> Vec<Problem> {
    Problems::from_iter(warnings).told(|problem| restore(sources, texts, problem)).problems
}

/// The place in the author's text.
fn restore(sources: &Sources, texts: &[Translated], problem: Problem) -> Problem {
    let text = text_at(sources, texts, &problem.file, problem.line);
    let module = text.and_then(|text| sources.modules.get(text.of));
    match text.zip(module) {
        Some((text, module)) => text.restore(&module.text, problem),
        None => problem,
    }
}

/// The text that has something on this line of a file: where one module became several, all have the same lines.
fn text_at<'a>(sources: &Sources, texts: &'a [Translated], file: &str, line: u32) -> Option<&'a Translated> {
    let of = |text: &&Translated| sources.modules.get(text.of).is_some_and(|module| module.name == file);
    let index = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
    let said = |text: &&Translated| text.text.lines().nth(index).is_some_and(|line| !line.trim().is_empty());
    let mut of_file = texts.iter().filter(of);
    of_file.clone().find(said).or_else(|| of_file.next())
}

/// Puts an empty object where rules with several members in their heads stand: where none of them holds, OPA has that.
fn above_heads(engine: &mut Engine, modules: &[Ref<Module>]) -> anyhow::Result<()> {
    for module in modules {
        let package = gate::names::package(module);
        for rule in &module.policy {
            let Some(above) = gate::names::above(&package, rule) else { continue };
            let member = |inside: Value, member: &String| {
                let mut object = regorus::value::Object::new();
                object.insert(Value::from(member.as_str()), inside);
                object.into_value()
            };
            engine.add_data(above.iter().skip(1).rev().fold(Value::new_object(), member))?;
        }
    }
    Ok(())
}

/// Installs our builtins and makes the engine analyse all modules, without evaluating any rule.
fn prepare(engine: &mut Engine, modules: &[Ref<Module>], purpose: &Purpose) -> anyhow::Result<()> {
    above_heads(engine, modules)?;
    builtins::install(engine)?;
    if matches!(purpose, Purpose::Profile) {
        profile::install(engine)?;
    }
    // The only call that prepares without asking for a rule; a clone of a prepared engine stays prepared.
    engine.eval_query("true".to_owned(), false).map(drop)
}

fn add_all(engine: &mut Engine, sources: &Sources, problems: &mut Problems) {
    let added = sources.data.iter().filter_map(|file| add_data(engine, file).err());
    problems.extend(added.map(|problem| *problem));
}

fn add_data(engine: &mut Engine, file: &DataFile) -> Result<(), Box<Problem>> {
    let problem = |why: String| {
        let instead = slips::instead_in_data(&why);
        Box::new(Problem::of(&file.name, "data", why, instead).at_said(&file.text))
    };
    let document = Document::bounded_json(&file.text, MAX_DATA_VALUES).map_err(|error| {
        let said = problem(error.to_string());
        let number = matches!(error, DocumentError::Inexact).then(|| rounded(file.text.as_bytes())).flatten();
        if let Some(at) = number { Box::new(said.at_byte(at, &file.text)) } else { said }
    })?;
    let mut value = document.into_value();
    if file.path.is_empty() && !matches!(value, Value::Object(_)) {
        return Err(problem("is no object, so it has no member to be read as `data.NAME`".to_owned()));
    }
    for member in file.path.iter().rev() {
        let mut object = regorus::value::Object::new();
        object.insert(Value::from(member.as_str()), value);
        value = object.into_value();
    }
    engine.add_data(value).map_err(|error| problem(format!("does not merge: {error}")))
}

/// Begins what is said of a text that the engine's parser refuses.
const UNREAD: &str = "does not compile: ";

/// What the engine says of a module; `name` where it does not say of which.
fn engines_problem(sources: &Sources, texts: &[Translated], name: &str, message: &str) -> Problem {
    let said = Said::of(message);
    let (file, line, engines) = said.place.unwrap_or((name, 0, 0));
    // Which library reads numbers and texts for it is nothing to authors.
    let why = said.why.replace("serde_json cannot parse number: ", "").replace("serde_json ", "");
    let problem = Problem::of(file, "rego", format!("does not compile: {why}"), "");
    if line == 0 {
        return problem;
    }
    let text = text_at(sources, texts, file, line).map_or("", |text| text.text.as_str());
    let column = column(text, line, engines);
    if said.why.contains(settled::UNSETTLED) {
        let why = "asks for a member by a name that the engine then would give no other value, which another statement does";
        let instead = "that value in the place of the name";
        return Problem { why: why.to_owned(), instead: instead.to_owned(), ..problem }
            .at(line, column, text);
    }
    let instead = slips::instead(said.why, text, (line, column));
    Problem { instead, ..problem }.at(line, column, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_decision_prints_nothing_and_a_query_what_the_policy_says() {
        let text = "package postern\ndefault decision := false\ndecision if {\n\tprint(\"route\", input.route)\n\t\
                    input.route == data.route # as recorded\n}\n";
        let data = [("", r#"{"route": "go"}"#)];
        let sources = Sources::from_modules([("main.rego", text)], data);
        let entrypoint = "data.postern.decision";
        for (purpose, prints) in
            [(Purpose::Decisions(entrypoint.to_owned()), 0), (Purpose::Proof, 0), (Purpose::Queries, 1)]
        {
            let mut engine = load(&sources, purpose).unwrap().engine;
            engine.set_input(Value::from_json_str(r#"{"route": "go"}"#).unwrap());
            let mut other = engine.clone();
            assert_eq!(other.eval_rule(entrypoint.to_owned()).unwrap(), Value::Bool(true));
            assert_eq!(engine.take_prints().unwrap().len(), 0, "the engine keeps some");
            builtins::turn::begin(None);
            builtins::turn::let_print(1_000);
            engine.eval_rule(entrypoint.to_owned()).unwrap();
            assert_eq!(builtins::turn::said().lines.len(), prints);
        }
        let wrong = text.replace("input.route)", "input.rute)");
        let wrong = Sources::from_modules([("main.rego", &*wrong)], data);
        let problems = load(&wrong, Purpose::Decisions(entrypoint.to_owned())).err().unwrap().problems;
        assert_eq!((problems[0].line, problems[0].construct.as_str()), (4, "input.rute"));
    }

    #[test]
    fn data_that_is_no_object_and_a_mark_before_it_are_told() {
        for (data, why) in [
            ("[1]", "is no object, so it has no member to be read as `data.NAME`"),
            ("\u{feff}{}", "not JSON: begins with a byte order mark, U+FEFF: write it without"),
        ] {
            let text = "package postern\ndefault decision := false\n";
            let sources = Sources::from_modules([("main.rego", text)], [("", data)]);
            let problems = load(&sources, Purpose::Queries).err().unwrap().problems;
            assert_eq!((problems[0].file.as_str(), problems[0].why.as_str()), ("data.json", why));
            // Below a folder that gives it a name, a list is a value as any.
            let named = Sources::from_modules([("main.rego", text)], [("list", data)]);
            assert_eq!(load(&named, Purpose::Queries).is_ok(), data == "[1]");
        }
    }

    #[test]
    fn a_number_of_data_that_would_be_kept_as_another_is_told_with_its_place() {
        let data = "{\n  \"é\": [1, 9007199254740993.0]\n}";
        let sources = Sources::from_modules([("main.rego", "package postern\n")], [("", data)]);
        let problems = load(&sources, Purpose::Queries).err().unwrap().problems;
        assert_eq!((problems[0].line, problems[0].column), (2, 12), "{problems:?}");
    }
}
