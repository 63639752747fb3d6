//! Processes that end when we do, each on the CPU it is given.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use crate::Failure;

/// How long a proxy may take to listen, or to end.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(10);

/// The CPU of the proxy that is measured.
pub(crate) const MEASURED: &str = "0";
/// The CPU of load and backend.
pub(crate) const OTHERS: &str = "1";

#[derive(clap::Args)]
pub(crate) struct Exec {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    words: Vec<OsString>,
}

impl Exec {
    /// Becomes the program, which the kernel ends when our parent ends.
    pub(crate) fn exec(self) -> Result<(), Failure> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        let (program, rest) = self.words.split_first().ok_or("no program")?;
        Err(Command::new(program).args(rest).exec().into())
    }
}

/// A child process; ended when dropped.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// Starts `words` on `cpu` with what it says going to `log`.
    pub(crate) fn start(words: &[OsString], cpu: &str, log: &Path) -> Result<Self, Failure> {
        let mut command = command(words, cpu)?;
        command
            .stdin(Stdio::null())
            .stdout(File::create(log)?)
            .stderr(File::options().append(true).open(log)?);
        Ok(Self { child: command.spawn()? })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it listens.
    pub(crate) fn listens(&mut self, address: SocketAddr, log: &Path) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                let said = std::fs::read_to_string(log)?;
                return Err(format!("it ended with {status}: {}", last_line(&said)).into());
            }
            if Instant::now() > deadline {
                return Err("it did not listen in time".into());
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).ok_or("no process id")?;
        let mut looks = 0..PATIENCE.as_millis() / LOOK.as_millis();
        while self.child.try_wait()?.is_none() {
            let look = looks.next().ok_or("it did not end in time")?;
            // Again and again: nginx misses a signal that comes just before it waits for events.
            if look % 100 == 0 {
                kill_process(pid, Signal::TERM)?;
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A load generator; see there for the words.
pub(crate) struct Callers {
    child: Running,
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Callers {
    /// Starts it; returns when its connections are open and it waits to be told.
    pub(crate) fn ready(options: &[OsString]) -> Result<Self, Failure> {
        let mut words = vec![env::current_exe()?.into_os_string(), "load".into()];
        words.extend_from_slice(options);
        let mut command = command(&words, OTHERS)?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let child = Running { child };
        let (words, answers) = pipes.ok_or("no pipes")?;
        let mut callers = Self { child, words, answers: BufReader::new(answers) };
        callers.heard("ready")?;
        Ok(callers)
    }

    /// Tells it to go; returns when it has done what it was started for.
    pub(crate) fn go(&mut self) -> Result<(), Failure> {
        writeln!(self.words, "go")?;
        self.heard("done")
    }

    /// Waits until its connections are closed.
    pub(crate) fn leave(self) -> Result<(), Failure> {
        let Self { mut child, words, answers: _ } = self;
        drop(words);
        child.child.wait()?;
        Ok(())
    }

    fn heard(&mut self, word: &str) -> Result<(), Failure> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        if line.trim() == word { Ok(()) } else { Err(format!("load: {}", line.trim()).into()) }
    }
}

/// Runs `words` to its end on the measured CPU and gives what it printed.
pub(crate) fn printed(words: &[OsString]) -> Result<String, Failure> {
    let out = command(words, MEASURED)?.stdin(Stdio::null()).output()?;
    if out.status.success() {
        return Ok(String::from_utf8(out.stdout)?);
    }
    Err(last_line(&String::from_utf8_lossy(&out.stderr)).to_owned().into())
}

/// The last thing a program said.
fn last_line(said: &str) -> &str {
    said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing was said")
}

fn command(words: &[OsString], cpu: &str) -> Result<Command, Failure> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("child").arg("--");
    // The engine makes errors on its way to an answer; with this set, each would look through the stack.
    command.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE");
    if pinned() {
        command.args(["taskset", "--cpu-list", cpu]);
    }
    command.args(words);
    Ok(command)
}

/// Whether processes stay on the CPU they are given.
pub(crate) fn pinned() -> bool {
    installed("taskset") && thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1)
}

/// Whether a program is on the PATH.
pub(crate) fn installed(program: &str) -> bool {
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}
