//! Running other programs, and saying what to install when one is missing.

use std::fmt;
use std::io;
use std::process::{Command, Stdio};

/// Why another program did not do what it was asked.
#[derive(Debug)]
pub enum RunError {
    /// The program is not on this machine.
    Missing {
        /// What was called.
        program: String,
        /// How to get it.
        hint: &'static str,
    },
    /// It could not be started or its output not read.
    Start {
        /// What was called.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// It ran and failed.
    Failed {
        /// The whole command.
        command: String,
        /// The exit code, none after a signal.
        code: Option<i32>,
        /// The end of what it said.
        said: String,
    },
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { program, hint } => write!(f, "`{program}` is not installed: {hint}"),
            Self::Start { program, source } => write!(f, "`{program}` could not be started: {source}"),
            Self::Failed { command, code: Some(code), said } => {
                write!(f, "`{command}` ended with {code}:\n{said}")
            }
            Self::Failed { command, code: None, said } => write!(f, "`{command}` was killed:\n{said}"),
        }
    }
}

impl std::error::Error for RunError {}

/// Runs `command` to its end and gives what it wrote to standard output.
pub fn output(command: &mut Command) -> Result<String, RunError> {
    let out = command.stdin(Stdio::null()).output().map_err(|source| not_started(command, source))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    Err(RunError::Failed { command: shown(command), code: out.status.code(), said: last_lines(&said, 15) })
}

/// Runs `command` to its end with its output going where ours goes.
pub fn shown_to_the_reader(command: &mut Command) -> Result<(), RunError> {
    let status = command.status().map_err(|source| not_started(command, source))?;
    if status.success() {
        return Ok(());
    }
    Err(RunError::Failed { command: shown(command), code: status.code(), said: "see above".into() })
}

fn not_started(command: &Command, source: io::Error) -> RunError {
    let program = command.get_program().to_string_lossy().into_owned();
    if source.kind() == io::ErrorKind::NotFound {
        let hint = hint_for(&program);
        return RunError::Missing { program, hint };
    }
    RunError::Start { program, source }
}

fn hint_for(program: &str) -> &'static str {
    match program {
        "go" => "install Go 1.25 or newer and a C compiler (SPIRE's SQLite is C)",
        "python3" => "install Python 3.11 or newer with pip (Debian: python3-pip python3-venv)",
        "apt-get" | "dpkg" => "this part comes from Debian's packages, so it needs Debian or Ubuntu",
        "cargo" => "install Rust with rustup",
        _ => "put it on PATH",
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn last_lines(text: &str, many: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(many)..).unwrap_or_default();
    format!("    {}\n", last.join("\n    "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_says_what_to_install() {
        let error = output(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(matches!(error, RunError::Missing { .. }), "{error}");
        assert!(hint_for("go").contains("Go 1.25"));
    }

    #[test]
    fn a_failed_program_is_quoted_with_its_last_words() {
        let error = output(Command::new("sh").args(["-c", "echo the reason >&2; exit 3"])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("ended with 3") && text.contains("the reason"), "{text}");
    }
}
