//! Policies of the shapes that authors write, put to Postern and to the real `opa`: where both answer, they answer
//! the same, and where OPA does not, neither does Postern.
#![allow(missing_docs, reason = "a program; its modules say what they are for")]

mod compare;
mod conflict;
mod generate;
mod keep;
mod opa;
mod random;
mod report;
mod run;
mod shrink;
mod tree;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use compare::Verdict;
use generate::Case;
use opa::Opa;
use postern_tests::parts::present;
use report::Report;
use run::Asked;

const HELP: &str = "\
Compares Postern with the real `opa` on generated policies.

  cargo x differential [--minutes N] [--seed S] [--keep DIR] [--all] [--first]
  cargo x differential --show SEED

  --minutes N   how long, 1 by default
  --seed S      where to begin, 0 by default; each case is made from its own number, counted from there
  --keep DIR    where disagreements are written, made as small as they go, in the form of OPA's case files;
                target/differential by default
  --all         keeps examples of what is allowed, refused or denied too, by its cause
  --first       ends at the first disagreement
  --show SEED   the case of this number, and what both say of it

Exit codes: 0 no disagreement, 1 at least one, 2 wrong arguments.
";
/// Examples that are kept of one cause.
const EXAMPLES: u32 = 3;
/// Disagreements that are kept of one kind.
const MANY: u32 = 30;

struct Words {
    time: Duration,
    seed: u64,
    keep: PathBuf,
    all: bool,
    first: bool,
    show: Option<u64>,
}

fn words() -> Result<Words, String> {
    let mut words = Words {
        time: Duration::from_mins(1),
        seed: 0,
        keep: "target/differential".into(),
        all: false,
        first: false,
        show: None,
    };
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        let mut value = || given.next().ok_or(format!("{word} takes a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
        match word.as_str() {
            "--minutes" => words.time = Duration::from_secs(60 * number(value()?)?),
            "--seed" => words.seed = number(value()?)?,
            "--keep" => words.keep = value()?.into(),
            "--show" => words.show = Some(number(value()?)?),
            "--all" => words.all = true,
            "--first" => words.first = true,
            "--help" | "-h" => {
                print!("{HELP}");
                std::process::exit(0);
            }
            other => return Err(format!("no flag is called {other}")),
        }
    }
    Ok(words)
}

fn main() -> ExitCode {
    let words = match words() {
        Ok(words) => words,
        Err(why) => {
            eprint!("{why}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    if !present("differential", &["opa"]) {
        return ExitCode::from(2);
    }
    let mut opa = Opa::start();
    if let Some(seed) = words.show {
        show(&mut opa, seed);
        return ExitCode::SUCCESS;
    }
    let mut report = Report::default();
    let mut kept: BTreeMap<String, u32> = BTreeMap::new();
    let begun = Instant::now();
    let (mut told, mut next) = (0, words.seed);
    while begun.elapsed() < words.time && !(words.first && report.differs() > 0) {
        for (case, asked) in asked(&mut opa, next, &mut report) {
            report.add(&case, &asked);
            keep(&mut opa, next, &case, asked, &words, &mut kept);
        }
        next += 1;
        let minutes = begun.elapsed().as_secs() / 60;
        if minutes > told {
            told = minutes;
            eprintln!("{minutes} min: {}", report.line());
        }
    }
    println!(
        "seeds {}..{next}, {:.0?}\n{}\n\n{}",
        words.seed,
        begun.elapsed(),
        report.line(),
        report.tables()
    );
    if report.differs() > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What both say of the case of this seed. Where OPA gives no answer in time, the case is asked once more of another
/// server, and is then told and left out.
fn asked(opa: &mut Opa, seed: u64, report: &mut Report) -> Vec<(Case, Vec<Asked>)> {
    let case = generate::case(seed);
    for _ in 0..2 {
        match catch_unwind(AssertUnwindSafe(|| run::run_all(opa, &case))) {
            Ok(asked) => return asked,
            Err(_) => *opa = Opa::start(),
        }
        report.again += 1;
    }
    eprintln!("NOT COMPARED {seed}: opa gave no answer");
    report.lost += 1;
    Vec::new()
}

/// Keeps what is worth it, made small.
fn keep(
    opa: &mut Opa,
    seed: u64,
    case: &Case,
    asked: Vec<Asked>,
    words: &Words,
    kept: &mut BTreeMap<String, u32>,
) {
    let mut before = String::new();
    for one in asked {
        let folder = match &one.verdict {
            Verdict::Differs(_) => "differs",
            Verdict::Same | Verdict::BothFail => continue,
            _ if !words.all => continue,
            Verdict::Allowed(_) => "allowed",
            Verdict::Stricter(_) => "stricter",
            Verdict::Refused(_) => "refused",
            Verdict::Laxer(_) => "laxer",
        };
        // One rule is one example, whatever the input.
        let why = format!("{folder} {}", report::cause(&one));
        let many = kept.entry(why.clone()).or_default();
        if one.rule == before || *many >= if folder == "differs" { MANY } else { EXAMPLES } {
            continue;
        }
        *many += 1;
        one.rule.clone_into(&mut before);
        let shrunk = catch_unwind(AssertUnwindSafe(|| shrink::shrink(opa, case, &one)));
        let (small, shown) = shrunk.unwrap_or_else(|_| {
            *opa = Opa::start();
            (case.clone(), one.clone())
        });
        let name = format!("{seed}-{}", one.rule.rsplit('.').next().unwrap_or_default());
        keep::keep(&words.keep.join(folder), &name, &small, &shown);
        if folder == "differs" {
            eprintln!("DIFFERS {name}: {why}\n  OPA {:?}\n  Postern {:?}", shown.theirs, shown.ours);
            for module in &small.modules {
                eprintln!("{}", module.tree.written());
            }
        }
    }
}

fn show(opa: &mut Opa, seed: u64) {
    let case = generate::case(seed);
    for module in &case.modules {
        println!("# {}\n{}", module.name, module.tree.written());
    }
    println!("data.d: {}", case.data.written());
    for asked in run::run_once(opa, &case) {
        println!(
            "{} {}: {:?}\n  OPA     {:?}\n  Postern {:?}",
            asked.input, asked.rule, asked.verdict, asked.theirs, asked.ours
        );
    }
}

#[cfg(test)]
mod tests;
