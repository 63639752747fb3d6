//! The table, in Markdown, with what must be known to read it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::hash::Hash;
use std::process::Command;
use std::thread;

use crate::child;
use crate::decision::{self, Cost, Decider};
use crate::estate::Spelling;
use crate::measure::{AT_ONCE, CONNECTIONS, Cells, Figure, Plan, Rounds};
use crate::target::Target;

/// A row: its title, the unit a value is divided by, and how many decimals it has.
type Row<R> = (R, &'static str, f64, usize);

const ROWS: &[Row<Figure>] = &[
    (Figure::RequestCpu, "CPU per request, µs", 1.0, 1),
    (Figure::RequestInstructions, "user instructions per request, thousands", 1e3, 1),
    (Figure::HandshakeCpu(false), "CPU per handshake, X25519, µs", 1.0, 0),
    (Figure::HandshakeInstructions(false), "user instructions per handshake, X25519, thousands", 1e3, 0),
    (Figure::HandshakeCpu(true), "CPU per handshake, X25519MLKEM768, µs", 1.0, 0),
    (
        Figure::HandshakeInstructions(true),
        "user instructions per handshake, X25519MLKEM768, thousands",
        1e3,
        0,
    ),
    (Figure::IdleConnection, "resident memory per idle connection, KiB", 1.0, 1),
    (Figure::IdleMemory, "resident memory without connections, MiB", 1.0, 1),
    (Figure::Binary, "program, stripped, MiB", 1.0, 1),
];

const DECISIONS: &[Row<Cost>] = &[
    (Cost::Cpu(Spelling::LookedUp), "CPU, everything looked up by its key, µs", 1.0, 1),
    (Cost::Instructions(Spelling::LookedUp), "user instructions, looked up, thousands", 1e3, 1),
    (Cost::Cpu(Spelling::Searched), "CPU, searched in lists of 500 callers, µs", 1.0, 1),
    (Cost::Instructions(Spelling::Searched), "user instructions, searched, thousands", 1e3, 1),
];

/// What stands in a cell without a figure, and before the reason.
pub(crate) const NOT_RUN: &str = "**NOT RUN**";

/// Everything in one Markdown page.
pub(crate) fn report(plan: &Plan, (cells, decisions): &(Cells, decision::Cells)) -> String {
    let mut page = format!("# Figures\n\n{}\n\n", introduction(plan));
    sheet(&mut page, &Target::ALL.map(|target| (target, target.name())), ROWS, cells);
    line(&mut page, &format!("\n{NOTES}\n## One decision\n\n{DECIDING}"));
    sheet(&mut page, &Decider::ALL.map(|decider| (decider, decider.name())), DECISIONS, decisions);
    page + "\n" + DECIDERS + "\n" + &machine()
}

/// One table, and below it why some cells have no figure. The other columns are measured by the first.
fn sheet<R: Copy + Eq + Hash, C: Copy + Eq + Hash>(
    page: &mut String,
    columns: &[(C, &str)],
    rows: &[Row<R>],
    cells: &HashMap<(R, C), Rounds>,
) {
    let names: Vec<&str> = columns.iter().map(|(_, name)| *name).collect();
    line(page, &format!("| | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len())));
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for (figure, title, unit, decimals) in rows {
        let base = columns.first().and_then(|(first, _)| cells.get(&(*figure, *first)));
        let mut row = format!("| {title} |");
        for (index, (column, name)) in columns.iter().enumerate() {
            let base = base.filter(|_| index > 0);
            let cell = cell(cells.get(&(*figure, *column)), base, (*unit, *decimals));
            let cell = cell.unwrap_or_else(|why| {
                let reason = format!("{name}: {why}");
                match reasons.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, titles)) => titles.push(title),
                    None => reasons.push((reason, vec![title])),
                }
                NOT_RUN.into()
            });
            row.extend([" ", &cell, " |"]);
        }
        line(page, &row);
    }
    for (reason, titles) in &reasons {
        line(page, &format!("\n{NOT_RUN}, {reason} ({})", titles.join("; ")));
    }
}

fn line(page: &mut String, text: &str) {
    page.extend([text, "\n"]);
}

fn introduction(plan: &Plan) -> String {
    let Plan { rounds, requests, handshakes, idle } = plan;
    format!(
        "Made by `cargo x bench`, on loopback. Everybody does the same job: mutual TLS 1.3, the caller's request\n\
         forwarded over HTTP/1.1 in clear text with one credential put into it. In brackets: the median of the ratios\n\
         to the floor of the same round. {rounds} rounds, interleaved, medians; in each {requests} requests over\n\
         {CONNECTIONS} kept connections, {handshakes} handshakes with {AT_ONCE} in flight, {idle} idle connections."
    )
}

const NOTES: &str = "\
- **floor**: the least proxy on hyper and rustls (`benches/src/floor.rs`), a program of its own: no policy, no
  records, no limits.
- **postern**: the real program with a real configuration: a decision per request (50 roles, 500 callers), a record per
  request to a file, limits, deadlines, the answer searched for the credential.
- **nginx**: the tests' own, one process. How it was built is below; a distribution's may be faster. OpenSSL has
  X25519MLKEM768 from 3.5 on: with an older one only the X25519 handshakes compare, which all do alike.
- A handshake is a connection: connect, mutual TLS with a P-256 chain, one request, close. Nobody resumes or sends
  tickets.
- The backend refuses requests without exactly the credential; the callers check status and body of every answer.
  One wrong answer, and the cell is not measured.
- CPU time is user and kernel, from `/proc/PID/stat`. It moves with what else runs on the machine; its ratios less so.
  Differences below 1.2x are not shown by it.
- Instructions are callgrind's, user space only: a longer run minus a shorter one, once per cell. valgrind shows
  programs a CPU without the newest vector instructions, so cryptography is counted on its AVX2 paths.
- An idle connection has answered one request.
";

const DECIDING: &str = "\
The same policy and data (50 roles, 500 callers) asked about the same request, one decision after another on one
thread. In brackets: the median of the ratios to bare regorus in the same round.
";

const DECIDERS: &str = "\
- **regorus, bare**: as its documentation uses it: a clone of a prepared engine, the input read from JSON, `eval_rule`.
- **postern's judge**: `Judge::judge`: the input built from a request's parts, evaluated with guarded builtins within
  a fuse, the decision read strictly.
- **OPA**: `opa bench` of the version below: a prepared query whose input was parsed beforehand, in process. The way to
  an OPA of its own, over HTTP, is not in it.
- *Looked up* is how the README tells authors to write (`benches/policy/looked_up.rego`), and what Postern decides by in
  the table above; *searched* is the same policy with bindings and permissions in lists (`searched.rego`).
- CPU is the process's own; OPA tells time by the clock on the wall, with its CPU to itself.
";

/// The median, and that of the ratios to `base`, round by round.
fn cell(
    rounds: Option<&Rounds>,
    base: Option<&Rounds>,
    (unit, decimals): (f64, usize),
) -> Result<String, String> {
    let Some(rounds) = rounds else { return Ok("–".into()) };
    let values: Vec<f64> = rounds.iter().cloned().collect::<Result<_, _>>()?;
    let mut cell = format!("{:.decimals$}", median(values.clone()) / unit);
    let base = base.into_iter().flatten();
    let ratios: Vec<f64> =
        values.iter().zip(base).filter_map(|(value, base)| Some(value / base.as_ref().ok()?)).collect();
    if !ratios.is_empty() {
        let written = write!(cell, " ({:.2}x)", median(ratios));
        debug_assert!(written.is_ok(), "writing to a String");
    }
    Ok(cell)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    f64::midpoint(at((values.len().saturating_sub(1)) / 2), at(values.len() / 2))
}

/// The machine, as far as figures hang on it.
fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    let place =
        if child::pinned() { "the proxy on one CPU, load and backend on another" } else { "nothing pinned" };
    let profile =
        if cfg!(debug_assertions) { "DEVELOPMENT PROFILE: worth nothing" } else { "release profile" };
    format!(
        "Machine: {cores} cores, {}; Linux {}; {place}; load average at the end {}. Built in {profile}.\n{}{}",
        model.trim_start_matches(['\t', ' ', ':']),
        read("/proc/sys/kernel/osrelease").trim(),
        load.split(' ').take(2).collect::<Vec<_>>().join(" "),
        said("nginx: ", Target::Nginx.program().ok().map(|program| (program.into(), "-V"))),
        said("opa: ", xtask::parts::find("opa").ok().map(|program| (program.into(), "version")))
            + &said("valgrind: ", Some(("valgrind".into(), "--version"))),
    )
}

/// What a program says of its version, without how its maker's folders are called.
fn said(title: &str, asked: Option<(std::ffi::OsString, &str)>) -> String {
    let Some(out) = asked.and_then(|(program, option)| Command::new(program).arg(option).output().ok())
    else {
        return String::new();
    };
    let text = [out.stdout, out.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let told: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("configure") && !line.starts_with("TLS SNI")).collect();
    format!("{title}{}.\n", told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        let rounds = |values: [f64; 3]| values.map(Ok).to_vec();

        let cell = cell(Some(&rounds([15.0, 48.0, 36.0])), Some(&rounds([10.0, 40.0, 20.0])), (1.0, 1));

        assert_eq!(cell.unwrap(), "36.0 (1.50x)");
    }

    #[test]
    fn a_round_that_failed_is_the_reason_in_the_place_of_a_figure() {
        let rounds = vec![Ok(1.0), Err("it never answered".to_owned())];
        let cells = Cells::from([((Figure::Binary, Target::Nginx), rounds)]);

        assert!(
            report(&plan(), &(cells, decision::Cells::new()))
                .contains("**NOT RUN**, nginx: it never answered (program, stripped, MiB)")
        );
    }

    fn plan() -> Plan {
        Plan { rounds: 2, requests: 1, handshakes: 1, idle: 1 }
    }
}
