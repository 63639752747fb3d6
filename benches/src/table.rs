//! The table, in Markdown, with what must be known to read it.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::thread;

use crate::child;
use crate::measure::{AT_ONCE, CONNECTIONS, Cells, Figure, Plan};
use crate::target::Target;

/// Row titles, the unit a value is divided by, and how many decimals it has.
const ROWS: &[(Figure, &str, f64, usize)] = &[
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
    (Figure::DecisionCpu, "of a request, the decision alone, µs", 1.0, 1),
    (Figure::DecisionInstructions, "of a request, the decision alone, thousands of instructions", 1e3, 1),
];

/// Everything in one Markdown page.
pub(crate) fn report(plan: &Plan, cells: &Cells) -> String {
    let mut page = format!("# First figures\n\n{}\n\n", introduction(plan));
    let names = Target::ALL.map(Target::name).join(" | ");
    line(&mut page, &format!("| | {names} |\n|---|{}", "---|".repeat(Target::ALL.len())));
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for (figure, title, unit, decimals) in ROWS {
        let mut row = format!("| {title} |");
        for target in Target::ALL {
            let cell = cell(cells, (*figure, target), (*unit, *decimals));
            let cell = cell.unwrap_or_else(|why| {
                let reason = format!("{}: {why}", target.name());
                match reasons.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, titles)) => titles.push(title),
                    None => reasons.push((reason, vec![title])),
                }
                "not measured".into()
            });
            row.extend([" ", &cell, " |"]);
        }
        line(&mut page, &row);
    }
    for (reason, titles) in &reasons {
        line(&mut page, &format!("\nNot measured, {reason} ({})", titles.join("; ")));
    }
    page + "\n" + NOTES + "\n" + &machine()
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
- **floor**: the least proxy on hyper and rustls (`benches/src/floor.rs`): no policy, no records, no limits.
  Its program also holds the load generator, the backend and the policy engine, so the ratios of program size and of memory
  without connections flatter the others.
- **postern**: the real program with a real configuration: a decision per request (50 roles, 500 callers), a record per
  request to a file, limits, deadlines, the answer searched for the credential.
- **nginx**: the tests' own, one process. How it was built is below; a distribution's may be faster. OpenSSL has
  X25519MLKEM768 from 3.5 on.
- A handshake is a connection: connect, mutual TLS with a P-256 chain, one request, close. Nobody resumes or sends
  tickets.
- The backend refuses requests without exactly the credential; the callers check status and body of every answer.
  One wrong answer, and the cell is not measured.
- CPU time is user and kernel, from `/proc/PID/stat`. It moves with what else runs on the machine; its ratios less so.
  Differences below 1.2x are not shown by it.
- Instructions are callgrind's, user space only: a longer run minus a shorter one, once per cell. valgrind shows
  programs a CPU without the newest vector instructions, so cryptography is counted on its AVX2 paths.
- An idle connection has answered one request. A decision alone: `Judge::judge` on a recorded request whose document
  is copied, not built.
";

type Cell = (Figure, Target);

fn cell(cells: &Cells, (figure, target): Cell, (unit, decimals): (f64, usize)) -> Result<String, String> {
    let Some(rounds) = cells.get(&(figure, target)) else { return Ok("–".into()) };
    let values: Vec<f64> = rounds.iter().cloned().collect::<Result<_, _>>()?;
    let mut cell = format!("{:.decimals$}", median(values.clone()) / unit);
    if target == Target::Floor {
        return Ok(cell);
    }
    let floor = cells.get(&(figure, Target::Floor)).into_iter().flatten();
    let ratios: Vec<f64> =
        values.iter().zip(floor).filter_map(|(value, floor)| Some(value / floor.as_ref().ok()?)).collect();
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
        said("valgrind: ", Some(("valgrind".into(), "--version"))),
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
        let cells = Cells::from([
            ((Figure::RequestCpu, Target::Floor), rounds([10.0, 40.0, 20.0])),
            ((Figure::RequestCpu, Target::Postern), rounds([15.0, 48.0, 36.0])),
        ]);

        let cell = cell(&cells, (Figure::RequestCpu, Target::Postern), (1.0, 1));

        assert_eq!(cell.unwrap(), "36.0 (1.50x)");
    }

    #[test]
    fn a_round_that_failed_is_the_reason_in_the_place_of_a_figure() {
        let rounds = vec![Ok(1.0), Err("it never answered".to_owned())];
        let cells = Cells::from([((Figure::Binary, Target::Nginx), rounds)]);

        assert!(
            report(&plan(), &cells)
                .contains("Not measured, nginx: it never answered (program, stripped, MiB)")
        );
    }

    fn plan() -> Plan {
        Plan { rounds: 2, requests: 1, handshakes: 1, idle: 1 }
    }
}
