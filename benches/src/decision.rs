//! One decision, as three engines make it: regorus bare, our judge around it, and OPA.

use std::collections::HashMap;
use std::ffi::OsString;

use crate::Failure;
use crate::child::printed;
use crate::decide::By;
use crate::estate::Spelling;
use crate::measure::Rounds;
use crate::meter::{as_f64, callgrind, total};
use crate::site::Site;

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Decider {
    Engine,
    Judge,
    Opa,
}

impl Decider {
    /// The bare engine first, for the others are measured by it.
    pub(crate) const ALL: [Self; 3] = [Self::Engine, Self::Judge, Self::Opa];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Engine => "regorus, bare",
            Self::Judge => "postern's judge",
            Self::Opa => "OPA",
        }
    }

    const fn ours(self) -> Option<By> {
        match self {
            Self::Engine => Some(By::Engine),
            Self::Judge => Some(By::Judge),
            Self::Opa => None,
        }
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cost {
    Cpu(Spelling),
    Instructions(Spelling),
}

pub(crate) type Cells = HashMap<(Cost, Decider), Rounds>;

/// How many decisions: in a round; under callgrind, where counts hardly vary.
const DECISIONS: (usize, usize) = (5_000, 500);

/// One round of everybody.
pub(crate) fn round(site: &Site, cells: &mut Cells) {
    for spelling in Spelling::ALL {
        for decider in Decider::ALL {
            let took = match decider.ours() {
                Some(by) => alone(site, by, spelling, DECISIONS.0),
                None => opa(site, spelling),
            };
            put(cells, (Cost::Cpu(spelling), decider), took);
        }
    }
}

/// What hardly varies from round to round.
pub(crate) fn counted(site: &Site, cells: &mut Cells) {
    for spelling in Spelling::ALL {
        for decider in Decider::ALL {
            let counted = match decider.ours() {
                Some(by) => instructions(site, by, spelling, DECISIONS.1),
                None => Err("callgrind does not run Go programs".into()),
            };
            put(cells, (Cost::Instructions(spelling), decider), counted);
        }
    }
}

fn put(cells: &mut Cells, cell: (Cost, Decider), measured: Result<f64, Failure>) {
    cells.entry(cell).or_default().push(measured.map_err(|why| why.to_string()));
}

fn alone(site: &Site, by: By, spelling: Spelling, count: usize) -> Result<f64, Failure> {
    Ok(printed(&command(site, by, spelling, count)?)?.trim().parse()?)
}

fn instructions(site: &Site, by: By, spelling: Spelling, count: usize) -> Result<f64, Failure> {
    let out = site.path("callgrind.out");
    let run = |count| -> Result<f64, Failure> {
        let mut words = callgrind(&out)?;
        words.extend(command(site, by, spelling, count)?);
        printed(&words)?;
        total(&out)
    };
    Ok((run(count + 100)? - run(100)?) / as_f64(count))
}

fn command(site: &Site, by: By, spelling: Spelling, count: usize) -> Result<Vec<OsString>, Failure> {
    let mut words = vec![std::env::current_exe()?.into_os_string(), "decide".into()];
    words.extend(["--by", by.word(), "--spelling", spelling.name(), "--policy"].map(OsString::from));
    words.extend([site.policy(spelling).into(), "--count".into(), count.to_string().into()]);
    Ok(words)
}

/// OPA's own benchmark: a prepared query, the input parsed beforehand. It tells nanoseconds by the clock on the wall;
/// it has its CPU to itself.
fn opa(site: &Site, spelling: Spelling) -> Result<f64, Failure> {
    let mut words: Vec<OsString> = vec![xtask::parts::find("opa")?.into(), "bench".into()];
    words
        .extend(["--format", "gobench", "--metrics=false", "--benchmem=false", "--data"].map(OsString::from));
    words.extend([site.policy(spelling).into(), "--input".into(), site.path("input.json").into()]);
    words.push("decision := data.postern.decision; decision.allow".into());
    let said = printed(&words)?;
    let mut before = said.split_whitespace().take_while(|word| *word != "ns/op");
    let nanoseconds: f64 = before.by_ref().last().ok_or("OPA told no time")?.parse()?;
    Ok(nanoseconds / 1e3)
}
