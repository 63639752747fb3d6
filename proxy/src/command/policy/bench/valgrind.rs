//! Instructions counted by valgrind, for a machine whose CPU does not count them: this program runs under it with so many
//! decisions and with none, and the difference is theirs.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use postern_policy::{Bench, Cause, Deadline, Figures, Repeat};

use super::Arguments;

/// Longest time of one run.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long the decisions of one run take without valgrind, about.
const COUNTED: Duration = Duration::from_millis(50);
/// How often it is looked whether a run has ended.
const LOOK: Duration = Duration::from_millis(10);

/// `INPUT:TIMES`, behind `x10:` where it is for ten times the data.
pub(super) fn repeat(text: &str) -> Result<Repeat, String> {
    let (tenfold, rest) = text.strip_prefix("x10:").map_or((false, text), |rest| (true, rest));
    let (input, times) = rest.split_once(':').ok_or("not INPUT:TIMES")?;
    let number = |text: &str| text.parse().map_err(|error| format!("{text}: {error}"));
    Ok(Repeat { input: number(input)?, tenfold, times: number(times)? })
}

/// Instructions of one decision, for each input now and then with ten times the data, where that was measured. None for
/// decisions that were late.
pub(super) fn count(
    arguments: &Arguments,
    query: &str,
    stdin: Option<&str>,
    bench: &Bench,
) -> Result<Vec<Option<u64>>, String> {
    let run = |repeat: Repeat| run(arguments, query, stdin, repeat);
    let mut before = [None; 2];
    let mut counts = Vec::new();
    for (input, benched) in bench.inputs.iter().enumerate() {
        let sizes = [Some(&benched.now), benched.tenfold.as_ref()].into_iter().zip([false, true]);
        for ((figures, tenfold), before) in sizes.zip(&mut before) {
            let Some(figures) = figures else { continue };
            if matches!(figures.error, Some(Cause::Late { .. })) {
                counts.push(None);
                continue;
            }
            let before = match *before {
                Some(count) => count,
                None => *before.insert(run(Repeat { input: 0, tenfold, times: 0 })?),
            };
            counts.push(Some(each(figures, before, |times| run(Repeat { input, tenfold, times }))?));
        }
    }
    Ok(counts)
}

fn each(
    figures: &Figures,
    before: u64,
    run: impl FnOnce(usize) -> Result<u64, String>,
) -> Result<u64, String> {
    let times = figures.decisions_in(COUNTED);
    match run(times)?.checked_sub(before) {
        Some(all) if all > 0 => Ok(all / times as u64),
        _ => Err("under valgrind decisions took no instructions".to_owned()),
    }
}

/// What valgrind counts from the start of this program to its end.
fn run(arguments: &Arguments, query: &str, stdin: Option<&str>, repeat: Repeat) -> Result<u64, String> {
    let start = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "`valgrind` is not on the PATH: install it".to_owned(),
        _ => format!("valgrind: {error}"),
    };
    let program = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
    let mut valgrind = Command::new("valgrind");
    // What it says goes to standard output, and nothing is left in a file or a pipe.
    valgrind.args(["--command-line-only=yes", "--vgdb=no", "--log-fd=1"]);
    valgrind.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    valgrind.arg(program).args(["policy", "bench"]);
    words(&mut valgrind, arguments, repeat);
    valgrind.arg("--").arg(query);
    valgrind.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = valgrind.spawn().map_err(start)?;
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), stdin.map(str::to_owned)) {
        // Who does not read it to its end says why.
        thread::spawn(move || pipe.write_all(text.as_bytes()));
    }
    let deadline = Deadline::after(PATIENCE);
    while child.try_wait().map_err(start)?.is_none() {
        if deadline.is_over() {
            // Both may fail only where it has ended by itself.
            drop(child.kill().and_then(|()| child.wait()));
            return Err(format!(
                "under valgrind it took longer than {PATIENCE:?}: measure a smaller policy or input"
            ));
        }
        thread::sleep(LOOK);
    }
    let output = child.wait_with_output().map_err(start)?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("under valgrind it ended with {}: {}", output.status, words.trim_end()));
    }
    let log = String::from_utf8_lossy(&output.stdout);
    total(&log).ok_or_else(|| format!("valgrind told no count: {}", log.trim_end()))
}

/// The words of the command line that make the same sources and inputs.
fn words(valgrind: &mut Command, arguments: &Arguments, repeat: Repeat) {
    let Arguments { data, input, stdin_input, ignore, config, .. } = arguments;
    for path in data {
        valgrind.arg("--data").arg(path);
    }
    for file in input {
        valgrind.arg("--input").arg(file);
    }
    if *stdin_input {
        valgrind.arg("--stdin-input");
    }
    for pattern in ignore {
        valgrind.arg("--ignore").arg(pattern.to_string());
    }
    if let Some(file) = config {
        valgrind.arg("--config").arg(file);
    }
    let Repeat { input, tenfold, times } = repeat;
    let size = if tenfold { "x10:" } else { "" };
    valgrind.arg("--timeout").arg(format!("{}s", PATIENCE.as_secs()));
    valgrind.arg("--repeat").arg(format!("{size}{input}:{times}"));
}

/// Of its log's last line, `==7== I   refs:      512,323,699`.
fn total(log: &str) -> Option<u64> {
    let (_, count) = log.lines().rev().find_map(|line| line.split_once(" refs:"))?;
    count.trim().replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_and_nothing_is_taken_for_it() {
        let log = "==7== Cachegrind, a profiler\n==7== Command: postern\n==7== \n==7== I   refs:      512,323,699\n";
        assert_eq!(total(log), Some(512_323_699));
        for log in ["", "==7== Cachegrind\n", "==7== I   refs:      \n", "==7== I   refs:      some\n"] {
            assert_eq!(total(log), None, "{log}");
        }
    }

    #[test]
    fn what_is_repeated_is_read_as_it_is_written() {
        let (input, times) = (3, 50);
        assert_eq!(repeat("3:50"), Ok(Repeat { input, tenfold: false, times }));
        assert_eq!(repeat("x10:3:50"), Ok(Repeat { input, tenfold: true, times }));
        for wrong in ["", "3", "x10:3", "x2:3:50", "3:50:7", "-1:5"] {
            assert!(repeat(wrong).is_err(), "{wrong}");
        }
    }
}
