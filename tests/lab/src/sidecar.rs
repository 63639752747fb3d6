//! Finds the `postern` program and runs it as an operator would: a configuration file, a process, sockets.

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How often readiness and exit are looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long a stopped sidecar may drain before it is killed.
const DRAIN: Duration = Duration::from_secs(10);

/// A running `postern`, stopped when dropped.
pub struct Sidecar {
    child: Child,
    admin: PathBuf,
    log: PathBuf,
}

/// Why no sidecar runs.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    /// `cargo build` of it failed; it said why.
    #[error("cargo could not build postern")]
    Build,
    /// Neither cargo nor a neighbour.
    #[error("there is no postern beside {beside}, and cargo did not start this program")]
    Missing {
        /// This program.
        beside: PathBuf,
    },
    /// It could not be started or watched.
    #[error("cannot run postern: {0}")]
    Run(#[from] io::Error),
    /// It ended before it was ready.
    #[error("postern ended ({status}) before it was ready; its log, {log}, says:\n{words}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// Its log file.
        log: PathBuf,
        /// What is in it.
        words: String,
    },
    /// It runs but is not ready.
    #[error("postern was not ready within {patience:?}; it says:\n{words}")]
    NotReady {
        /// How long was waited.
        patience: Duration,
        /// What `/ready` answered last.
        words: String,
    },
}

/// The `postern` program. Started by cargo we build it first, in our own profile; else it lies beside us.
pub fn locate() -> Result<PathBuf, SidecarError> {
    if let Some((cargo, manifest)) = started_by_cargo() {
        return build(Path::new(&cargo), Path::new(&manifest));
    }
    let beside = env::current_exe()?;
    let program = beside.with_file_name("postern");
    if program.is_file() { Ok(program) } else { Err(SidecarError::Missing { beside }) }
}

/// Whether [`locate`] builds it first.
#[must_use]
pub fn is_built_first() -> bool {
    started_by_cargo().is_some()
}

fn started_by_cargo() -> Option<(OsString, OsString)> {
    env::var_os("CARGO").zip(env::var_os("CARGO_MANIFEST_DIR"))
}

fn build(cargo: &Path, workspace: &Path) -> Result<PathBuf, SidecarError> {
    let mut command = Command::new(cargo);
    // The whole workspace is named so that dependencies are not built a second time with other features.
    command.args(["build", "--workspace", "--bin", "postern"]);
    command.arg("--message-format=json-render-diagnostics").current_dir(workspace);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let mut building = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut program = None;
    if let Some(messages) = building.stdout.take() {
        for message in BufReader::new(messages).lines() {
            program = executable(&message?).or(program);
        }
    }
    let built = building.wait()?.success();
    program.filter(|_| built).ok_or(SidecarError::Build)
}

/// Where cargo put the program, if this message says so.
fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    (message.get("target")?.get("name")? == "postern").then_some(())?;
    Some(message.get("executable")?.as_str()?.into())
}

impl Sidecar {
    /// Runs `program` on `config`, which must name `admin` as its admin socket, and waits until it is ready.
    pub fn start(program: &Path, config: &Path, admin: &Path, log: &Path) -> Result<Self, SidecarError> {
        Self::start_with(program, config, admin, log, &[])
    }

    /// The same with more environment variables.
    pub fn start_with(
        program: &Path,
        config: &Path,
        admin: &Path,
        log: &Path,
        variables: &[(&str, &str)],
    ) -> Result<Self, SidecarError> {
        let child = Command::new(program)
            .args(["run", "--config"])
            .arg(config)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(File::create(log)?)
            .stderr(File::options().append(true).open(log)?)
            .spawn()?;
        Ok(Self { child, admin: admin.to_owned(), log: log.to_owned() })
    }

    /// Waits until `/ready` says yes.
    pub fn wait_until_ready(&mut self, patience: Duration) -> Result<(), SidecarError> {
        let mut words = String::new();
        for _ in 0..patience.as_millis() / LOOK.as_millis() {
            if let Some(status) = self.child.try_wait()? {
                let words = std::fs::read_to_string(&self.log)?;
                return Err(SidecarError::Ended { status, log: self.log.clone(), words });
            }
            match self.ask("/ready") {
                Ok((200, _)) => return Ok(()),
                Ok((_, answer)) => words = answer,
                Err(not_yet) => words = not_yet.to_string(),
            }
            thread::sleep(LOOK);
        }
        Err(SidecarError::NotReady { patience, words })
    }

    /// Status and body of a GET on the admin socket.
    pub fn ask(&self, path: &str) -> io::Result<(u16, String)> {
        let mut socket = UnixStream::connect(&self.admin)?;
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(socket, "GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal: `HUP` to reload, `TERM` to drain, `KILL` to crash.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        Ok(kill_process(pid.ok_or(io::ErrorKind::InvalidInput)?, signal)?)
    }

    /// Lets it drain and end, within ten seconds; then kills it.
    pub fn stop(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        self.signal(Signal::TERM)?;
        for _ in 0..DRAIN.as_millis() / LOOK.as_millis() {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(LOOK);
        }
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, "postern could not be stopped");
        }
    }
}
