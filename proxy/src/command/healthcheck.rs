use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Exit, Outcome, Probe};
use crate::config::{self, Admin};

/// How long connecting and each read may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The largest answer that is read, in bytes.
const LARGEST: u64 = 64 << 10;

/// Where a running Postern answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Door {
    Socket(PathBuf),
    Address(SocketAddr),
}

pub(super) fn healthcheck(probe: Probe, admin: Option<&str>, file: &Path) -> Outcome {
    let door = match admin {
        Some(text) => match Door::parse(text) {
            Some(door) => door,
            None => {
                return Outcome::failed(
                    Exit::Usage,
                    format!("--admin {text}: expected unix:/path or ip:port\n"),
                );
            }
        },
        None => match config::load_admin(file) {
            Ok(admin) => match Door::of(&admin) {
                Some(door) => door,
                None => return Outcome::failed(Exit::Configuration, no_door(file)),
            },
            Err(errors) => return Outcome::failed(Exit::Configuration, format!("{errors}\n")),
        },
    };
    match ask(&door, probe) {
        Ok((200, body)) => Outcome::said(body),
        Ok((_, body)) => Outcome::failed(Exit::Unhealthy, body),
        Err(error) => Outcome::failed(Exit::Unhealthy, format!("no answer from {door}: {error}\n")),
    }
}

fn no_door(file: &Path) -> String {
    format!(
        "{}: admin names neither a socket nor metrics, so nothing can be asked: add \
         `admin: {{ socket: /run/postern/admin.sock }}`, or name another with --admin\n",
        file.display()
    )
}

impl Door {
    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("unix:") {
            Some(path) => Some(Self::Socket(path.into())),
            None => text.parse().ok().map(Self::Address),
        }
    }

    /// The socket, else the address.
    pub(super) fn of(admin: &Admin) -> Option<Self> {
        match (&admin.socket, admin.metrics) {
            (Some(path), _) => Some(Self::Socket(path.clone())),
            (None, Some(address)) => Some(Self::Address(reachable(address))),
            (None, None) => None,
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// An address to connect to, for one that is listened on.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// The status and body of the answer.
pub(super) fn ask(door: &Door, probe: Probe) -> io::Result<(u16, String)> {
    match door {
        Door::Socket(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            exchange(stream, probe)
        }
        Door::Address(address) => {
            let stream = TcpStream::connect_timeout(address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            exchange(stream, probe)
        }
    }
}

fn exchange(mut stream: impl Read + Write, probe: Probe) -> io::Result<(u16, String)> {
    let path = match probe {
        Probe::Started => "/started",
        Probe::Live => "/live",
        Probe::Ready => "/ready",
    };
    // In one piece: who answers the first line need not read on.
    let request = format!("GET {path} HTTP/1.1\r\nhost: postern\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(LARGEST).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let status =
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let ended = body.ends_with('\n');
    Ok((status, if ended { body.to_owned() } else { format!("{body}\n") }))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one request with this text; says what was asked.
    fn answers(text: &'static str) -> (Door, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = Door::Address(listener.local_addr().unwrap());
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 1024];
            let length = stream.read(&mut asked).unwrap();
            stream.write_all(text.as_bytes()).unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        (door, asked)
    }

    #[test]
    fn the_probe_is_asked_for_by_its_path() {
        let (door, asked) = answers("HTTP/1.1 200 OK\r\n\r\nstarted\n");
        assert_eq!(ask(&door, Probe::Started).unwrap(), (200, "started\n".into()));
        assert!(asked.join().unwrap().starts_with("GET /started HTTP/1.1\r\n"));
    }

    #[test]
    fn who_is_not_ready_or_does_not_answer_is_unhealthy() {
        let (Door::Address(address), _asked) = answers("HTTP/1.1 503 Service Unavailable\r\n\r\n{}") else {
            panic!("an address")
        };
        let not_ready = healthcheck(Probe::Ready, Some(&address.to_string()), Path::new("/unread"));
        assert_eq!((not_ready.exit, not_ready.err.as_str()), (Exit::Unhealthy, "{}\n"));
        let gone = healthcheck(Probe::Live, Some("unix:/nonexistent.sock"), Path::new("/unread"));
        assert_eq!(gone.exit, Exit::Unhealthy);
        let (Door::Address(address), _asked) = answers("nonsense") else { panic!("an address") };
        assert_eq!(healthcheck(Probe::Live, Some(&address.to_string()), Path::new("")).exit, Exit::Unhealthy);
    }

    #[test]
    fn an_address_that_listens_everywhere_is_asked_here() {
        assert_eq!(reachable("0.0.0.0:1".parse().unwrap()), "127.0.0.1:1".parse().unwrap());
        assert_eq!(reachable("[::]:1".parse().unwrap()), "[::1]:1".parse().unwrap());
        assert_eq!(healthcheck(Probe::Live, Some("localhost"), Path::new("")).exit, Exit::Usage);
    }
}
