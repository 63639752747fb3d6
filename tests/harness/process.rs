//! Child processes that do not outlive the test, and whose words are there when it fails.

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything local may take to be ready before a test gives up.
pub const READY: Duration = Duration::from_mins(1);

/// A running program in a process group of its own. Dropped: the whole group is killed and reaped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    ended: Option<ExitStatus>,
    guard: Guard,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, with all it says appended to the file `log`.
    #[must_use]
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("the log can be written");
        let twin = file.try_clone().expect("a descriptor can be doubled");
        command.stdin(Stdio::null()).stdout(file).stderr(twin).process_group(0);
        let child =
            command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}: {command:?}"));
        let guard = Guard::over(child.id());
        Self { name: name.to_owned(), child, ended: None, guard, log: log.to_owned() }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All it has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its exit status, when it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("a child can be waited for");
        }
        self.ended
    }

    /// Asks `ready` every few milliseconds until it says yes.
    pub fn wait_until(&mut self, what: &str, within: Duration, mut ready: impl FnMut() -> bool) {
        let deadline = Instant::now() + within;
        while !ready() {
            let name = &self.name;
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                panic!("{name} ended ({status}) before {what}:\n{}", self.tail());
            }
            assert!(Instant::now() < deadline, "{name}: not {what} within {within:?}:\n{}", self.tail());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal to the program itself, not to its children.
    pub fn signal(&self, signal: Signal) {
        if self.ended.is_none() {
            // It may just have ended: then there is nobody to tell.
            kill_process(pid(self.child.id()), signal).unwrap_or_default();
        }
    }

    /// Waits for it to end by itself.
    pub fn end_within(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(Instant::now() < deadline, "{} still runs after {within:?}:\n{}", self.name, self.tail());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills the whole group at once, as the kernel would, and reaps the program.
    pub fn kill(&mut self) {
        kill_process_group(pid(self.child.id()), Signal::KILL).unwrap_or_default();
        if self.ended.is_none() {
            self.ended = self.child.wait().ok();
        }
        self.guard.dismiss();
    }

    fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Kills the group when the test's own process is gone: it sees the end of its standard input.
#[derive(Debug)]
struct Guard {
    shell: Child,
}

impl Guard {
    fn over(group: u32) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "read _; kill -KILL \"-$1\"", "guard", &group.to_string()]).process_group(0);
        let shell = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self { shell: shell.expect("sh starts") }
    }

    /// Must come after the group is dead, and only from us: from then on its number may be somebody else's.
    fn dismiss(&mut self) {
        self.shell.kill().unwrap_or_default();
        self.shell.wait().map(|_| ()).unwrap_or_default();
    }
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.cast_signed()).expect("a process id is not zero")
}

/// Waits for something that is about to be so.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + READY;
    while !so() {
        assert!(Instant::now() < deadline, "not within {READY:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A loopback port that nobody listens on and that this process has not given out before. It lies below the range
/// that the kernel takes outgoing ports from, so that no client of another test takes it meanwhile.
#[must_use]
pub fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const MANY: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test programs that run side by side begin at different places.
    let offset = std::process::id().wrapping_mul(137) % u32::from(MANY);
    for _ in 0..MANY {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from((offset + step) % u32::from(MANY)).expect("it is below MANY");
        if is_free(port) {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + MANY);
}

/// Whether a server could listen there. The probe itself does not listen: what another thread starts meanwhile has a copy
/// of its socket until its own program runs, and one that listens would keep the port from the server.
fn is_free(port: u16) -> bool {
    let probe = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let bound = |probe: OwnedFd| {
        set_socket_reuseaddr(&probe, true)?;
        bind(&probe, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
    };
    probe.and_then(bound).is_ok()
}

/// Runs `command` to its end and gives its standard output, or what it said otherwise.
pub fn told_by(command: &mut Command) -> Result<String, String> {
    let out = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    if out.status.success() {
        return Ok(text);
    }
    Err(format!("{}\n{text}{}", out.status, String::from_utf8_lossy(&out.stderr)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_is_free_beside_a_probe_and_taken_beside_a_server() {
        let port = free_port();
        let probe = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        set_socket_reuseaddr(&probe, true).unwrap();
        bind(&probe, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).unwrap();
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(!is_free(port));
        drop((probe, server));
        assert!(is_free(port));
    }

    #[test]
    fn a_dropped_process_is_gone_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 300 & echo $!; wait"]);
        let mut process = Process::start("shell", &mut command, &log);
        process.wait_until("it has told its child's id", READY, || {
            fs::read_to_string(&log).is_ok_and(|text| text.ends_with('\n'))
        });
        let grandchild: u32 = process.log().trim().parse().unwrap();
        assert!(Path::new(&format!("/proc/{grandchild}")).exists());

        drop(process);

        let gone = || match fs::read_to_string(format!("/proc/{grandchild}/stat")) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        let deadline = Instant::now() + READY;
        while !gone() {
            assert!(Instant::now() < deadline, "the grandchild still runs");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_guard_whose_test_is_gone_kills_the_group() {
        let mut sleeper = Command::new("sleep").arg("300").process_group(0).spawn().unwrap();
        let mut guard = Guard::over(sleeper.id());

        drop(guard.shell.stdin.take());

        let deadline = Instant::now() + READY;
        while sleeper.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the sleeper still sleeps");
            thread::sleep(Duration::from_millis(5));
        }
        guard.dismiss();
    }

    #[test]
    #[should_panic(expected = "the last words")]
    fn a_server_that_dies_at_start_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo the last words; exit 1"]);
        let mut process = Process::start("shell", &mut command, &folder.path().join("log"));
        process.wait_until("it listens", READY, || false);
    }

    #[test]
    fn no_port_is_given_out_twice() {
        let ports: std::collections::HashSet<_> = (0..50).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 50);
    }
}
