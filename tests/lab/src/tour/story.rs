//! How the tour is told: what is tried, what came back, the record it left, and whether that is as told.

use std::{
    fs,
    io::{self, IsTerminal, Stdout, Write},
    path::PathBuf,
    process::Command,
    time::Duration,
};

use serde_json::Value;

use super::{
    TourError,
    stop::{Stop, Stops},
};

const LOOK: Duration = Duration::from_millis(50);

pub(super) struct Story {
    out: Stdout,
    colours: bool,
    records: PathBuf,
    stops: Stops,
    /// How many records had been written when the step began.
    told: usize,
    steps: usize,
    went_wrong: usize,
}

/// What a caller printed.
pub(super) struct Reply {
    /// None where there was no HTTP answer.
    pub(super) status: Option<u16>,
    pub(super) text: String,
}

impl Reply {
    /// The account that the old service says logged in.
    pub(super) fn user(&self) -> Option<String> {
        let body = self.text.split_once('\n')?.1;
        let told: Value = serde_json::from_str(body).ok()?;
        Some(told.get("user")?.as_str()?.to_owned())
    }
}

impl Story {
    pub(super) fn new(records: PathBuf, stops: Stops) -> Self {
        let out = io::stdout();
        let colours = out.is_terminal();
        Self { out, colours, records, stops, told: 0, steps: 0, went_wrong: 0 }
    }

    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    pub(super) fn step(&mut self, title: &str, about: &str) -> Result<(), TourError> {
        self.steps += 1;
        self.told = self.all_records()?.len();
        let title = self.painted("1", &format!("{}. {title}", self.steps));
        writeln!(self.out, "\n{title}\n   {about}\n")?;
        Ok(())
    }

    /// Runs a caller and tells what it did.
    pub(super) fn call(&mut self, command: &mut Command) -> Result<Reply, TourError> {
        let name = PathBuf::from(command.get_program());
        let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        let url = words.iter().find(|word| word.starts_with("https:")).cloned().unwrap_or_default();
        let without = if words.iter().any(|word| word == "--anyway") { ", without an SVID" } else { "" };
        self.line("tried", &format!("{name}: GET {url}{without}"))?;
        let ran = command.output()?;
        // Ctrl-C reaches the caller too: what it then says is no part of the tour.
        self.pause(Duration::ZERO)?;
        let printed = if ran.status.success() { ran.stdout } else { ran.stderr };
        let text = String::from_utf8_lossy(&printed).trim_end().to_owned();
        self.line("came back", &text)?;
        let status = text.get(..3).filter(|_| ran.status.success()).and_then(|code| code.parse().ok());
        Ok(Reply { status, text })
    }

    /// Tells something that was done or seen beside calls.
    pub(super) fn line(&mut self, label: &str, text: &str) -> io::Result<()> {
        let text = text.replace('\n', "\n             ");
        writeln!(self.out, "   {label:<9} {text}")
    }

    /// Waits for a record of this step that fits, and tells it; a missing one is a wrong.
    pub(super) fn record(
        &mut self,
        what: &str,
        patience: Duration,
        fits: impl Fn(&Value) -> bool,
    ) -> Result<(), TourError> {
        for _ in 0..=patience.as_millis() / LOOK.as_millis() {
            if let Some(record) = self.all_records()?.iter().skip(self.told).rev().find(|record| fits(record))
            {
                return Ok(self.line("record", &shown(record))?);
            }
            self.pause(LOOK)?;
        }
        self.check(&format!("there is a record of {what}"), false)
    }

    /// Waits this long, unless a signal ends the tour.
    pub(super) fn pause(&self, time: Duration) -> Result<(), TourError> {
        self.stops.pause(time)
    }

    /// Whether it holds before patience ends.
    pub(super) fn eventually(
        &self,
        patience: Duration,
        mut holds: impl FnMut() -> bool,
    ) -> Result<bool, TourError> {
        let pause = Duration::from_millis(200);
        for _ in 0..patience.as_millis() / pause.as_millis() {
            if holds() {
                return Ok(true);
            }
            self.pause(pause)?;
        }
        Ok(holds())
    }

    /// The signal to stop, however long it takes to come.
    pub(super) fn stop(&self) -> Result<Stop, TourError> {
        self.stops.next()
    }

    /// Tells whether something is as it was to be.
    pub(super) fn check(&mut self, what: &str, holds: bool) -> Result<(), TourError> {
        let mark = if holds { self.painted("32", "as told:") } else { self.painted("31", "NOT AS TOLD:") };
        self.went_wrong += usize::from(!holds);
        writeln!(self.out, "   {mark} {what}")?;
        Ok(())
    }

    /// The last words; whether all went as told.
    pub(super) fn end(&mut self) -> Result<bool, TourError> {
        let wrong = self.went_wrong;
        let text = match wrong {
            0 => format!("All {} steps went as told.", self.steps),
            _ => format!("{wrong} things did not go as told."),
        };
        let text = self.painted(if wrong == 0 { "32" } else { "31" }, &text);
        writeln!(self.out, "\n{text}")?;
        Ok(wrong == 0)
    }

    fn all_records(&self) -> Result<Vec<Value>, TourError> {
        let text = match fs::read_to_string(&self.records) {
            Err(none) if none.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text?,
        };
        // The last line may be half written.
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The whole record, a line for each member.
fn shown(record: &Value) -> String {
    let Some(members) = record.as_object() else { return record.to_string() };
    let lines: Vec<_> = members.iter().map(|(name, value)| format!("  \"{name}\": {value}")).collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}
