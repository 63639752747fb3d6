//! Policies of the shapes that authors write, put to Postern and to the real `opa`: where both answer, they answer
//! the same, and where OPA does not, neither does Postern.
#![allow(missing_docs, reason = "a program; its modules say what they are for")]

mod compare;
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
use opa::Opa;
use postern_tests::parts::present;
use report::Report;

const HELP: &str = "\
Compares Postern with the real `opa` on generated policies.

  cargo x differential [--minutes N] [--seed S] [--keep DIR] [--all]
  cargo x differential --show SEED

  --minutes N   how long, 1 by default
  --seed S      where to begin, 0 by default; each case is made from its own number, counted from there
  --keep DIR    where disagreements are written, made as small as they go, in the form of OPA's case files;
                target/differential by default
  --all         keeps examples of each cause of a refusal or a denial too
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
    show: Option<u64>,
}

fn words() -> Result<Words, String> {
    let mut words = Words {
        time: Duration::from_mins(1),
        seed: 0,
        keep: "target/differential".into(),
        all: false,
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
    let mut told = 0;
    for seed in words.seed.. {
        if begun.elapsed() >= words.time {
            break;
        }
        let asked = catch_unwind(AssertUnwindSafe(|| one(&mut opa, seed, &words, &mut report, &mut kept)));
        if asked.is_err() {
            // Neither is to blame: its case is told, and another server asked from here on.
            eprintln!("NOT COMPARED {seed}: opa gave no answer");
            report.lost += 1;
            opa = Opa::start();
        }
        let minutes = begun.elapsed().as_secs() / 60;
        if minutes > told {
            told = minutes;
            eprintln!("{minutes} min: {}", report.line());
        }
    }
    println!("seeds from {}, {:?}\n{}\n\n{}", words.seed, begun.elapsed(), report.line(), report.tables());
    if report.differs() > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn one(opa: &mut Opa, seed: u64, words: &Words, report: &mut Report, kept: &mut BTreeMap<String, u32>) {
    for (case, asked) in run::run_all(opa, &generate::case(seed)) {
        report.add(&case, &asked);
        let mut before = String::new();
        for one in asked {
            let folder = match &one.verdict {
                Verdict::Same | Verdict::Near | Verdict::Lenient | Verdict::BothFail => continue,
                Verdict::Differs(_) => "differs",
                _ if !words.all => continue,
                Verdict::Stricter(_) => "stricter",
                Verdict::Refused(_) => "refused",
                Verdict::Laxer(_) => "laxer",
            };
            // One rule is one example, whatever the input.
            let cause = format!("{folder} {}", report::cause(&one));
            let many = kept.entry(cause.clone()).or_default();
            if one.rule == before || *many >= if folder == "differs" { MANY } else { EXAMPLES } {
                continue;
            }
            *many += 1;
            one.rule.clone_into(&mut before);
            let (small, shown) = shrink::shrink(opa, &case, &one);
            let name = format!("{seed}-{}", one.rule.rsplit('.').next().unwrap_or_default());
            keep::keep(&words.keep.join(folder), &name, &small, &shown);
            if folder == "differs" {
                eprintln!("DIFFERS {name}: {cause}\n  OPA {:?}\n  Postern {:?}", shown.theirs, shown.ours);
                for module in &small.modules {
                    eprintln!("{}", module.tree.written());
                }
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
