//! The old service: HTTP with user names and passwords only, which logs in to PostgreSQL with whatever Basic
//! credential arrives, request by request. An account that is gone there is refused here at once.

use crate::real::Postgres;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Its database. PostgreSQL asks for the password itself there, so that this needs no SCRAM of its own.
pub(super) const DATABASE: &str = "ledger";
const LINE: u64 = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// A running service. Each answer is JSON: `user` (as PostgreSQL has it), `method`, `path` and `bytes` (of the body).
#[derive(Debug)]
pub struct Ledger {
    address: SocketAddr,
    shared: Arc<Shared>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What the service has seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Requests it answered.
    pub served: u64,
    /// Requests it refused with 401.
    pub refused: u64,
    /// Accounts that were let in.
    pub users: BTreeSet<String>,
    /// Every credential that arrived, in its order: what must be found nowhere else.
    pub credentials: Vec<(String, String)>,
}

#[derive(Debug)]
struct Shared {
    postgres: SocketAddr,
    seen: Mutex<Seen>,
}

impl Ledger {
    /// Starts the service in front of `postgres`; one for each.
    #[must_use]
    pub fn over(postgres: &Postgres) -> Self {
        let _ = postgres.sql(&format!("create database {DATABASE}"));
        let shared = Arc::new(Shared {
            postgres: (Ipv4Addr::LOCALHOST, postgres.port()).into(),
            seen: Mutex::new(Seen::default()),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback can be listened on");
        let address = listener.local_addr().expect("it has an address");
        let over = Arc::new(AtomicBool::new(false));
        let (told, state) = (Arc::clone(&over), Arc::clone(&shared));
        let thread = thread::spawn(move || accept(&listener, &told, &state));
        Self { address, shared, over, thread: Some(thread) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has seen so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.shared.seen.lock().expect("no thread panicked with it").clone()
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the thread from its wait for a client.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap_or_default();
        }
    }
}

fn accept(listener: &TcpListener, over: &AtomicBool, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let shared = Arc::clone(shared);
        // One client's trouble is not the next one's; its thread ends with its connection or its patience.
        thread::spawn(move || serve(&stream, &shared).unwrap_or_default());
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(6 * PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut input = BufReader::new(stream);
    while let Some(head) = Head::read(&mut input)? {
        let bytes = head.drain(&mut input)?;
        let credential = head.credential.as_ref();
        let user = credential.and_then(|(user, password)| log_in(shared.postgres, user, password).ok());
        shared.note(credential, user.as_deref());
        let (status, body) = match user {
            Some(user) => {
                let told = json!({"user": user, "method": head.method, "path": head.path, "bytes": bytes});
                ("200 OK", told.to_string())
            }
            None => ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"ledger\"", "log in\n".to_owned()),
        };
        let head_of_answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut output = stream;
        output.write_all((head_of_answer + &body).as_bytes())?;
        if head.last {
            return Ok(());
        }
    }
    Ok(())
}

impl Shared {
    fn note(&self, credential: Option<&(String, String)>, user: Option<&str>) {
        let mut seen = self.seen.lock().expect("no thread panicked with it");
        seen.credentials.extend(credential.cloned());
        match user {
            Some(user) => {
                seen.served += 1;
                seen.users.insert(user.to_owned());
            }
            None => seen.refused += 1,
        }
    }
}

#[derive(Debug, Default)]
struct Head {
    method: String,
    path: String,
    length: u64,
    chunked: bool,
    last: bool,
    credential: Option<(String, String)>,
}

impl Head {
    fn read(input: &mut impl BufRead) -> io::Result<Option<Self>> {
        let first = line(input)?;
        if first.is_empty() {
            return Ok(None);
        }
        let mut words = first.split(' ').map(str::to_owned);
        let mut head = Self { method: words.next().unwrap_or_default(), ..Self::default() };
        head.path = words.next().unwrap_or_default();
        loop {
            let field = line(input)?;
            let Some((name, value)) = field.split_once(':') else { return Ok(Some(head)) };
            head.take(&name.to_ascii_lowercase(), value.trim());
        }
    }

    fn take(&mut self, name: &str, value: &str) {
        match name {
            "content-length" => self.length = value.parse().unwrap_or(0),
            "transfer-encoding" => self.chunked = value.eq_ignore_ascii_case("chunked"),
            "connection" => self.last = value.eq_ignore_ascii_case("close"),
            "authorization" => self.credential = basic(value),
            _ => {}
        }
    }

    /// Reads the body away and counts it.
    fn drain(&self, input: &mut impl BufRead) -> io::Result<u64> {
        if !self.chunked {
            return io::copy(&mut input.by_ref().take(self.length), &mut io::sink());
        }
        let mut whole = 0;
        loop {
            let size = u64::from_str_radix(line(input)?.trim(), 16).map_err(|_| ErrorKind::InvalidData)?;
            whole += io::copy(&mut input.by_ref().take(size), &mut io::sink())?;
            line(input)?;
            if size == 0 {
                return Ok(whole);
            }
        }
    }
}

fn line(input: &mut impl BufRead) -> io::Result<String> {
    let mut text = String::new();
    input.by_ref().take(LINE).read_line(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn basic(value: &str) -> Option<(String, String)> {
    let decoded = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

/// Logs in over PostgreSQL's own protocol (version 3) and asks who we are.
fn log_in(postgres: SocketAddr, user: &str, password: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&postgres, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let hello = format!("user\0{user}\0database\0{DATABASE}\0\0");
    let version = 196_608_u32.to_be_bytes();
    stream.write_all(&[&size_of_message(hello.len() + 4), &version[..], hello.as_bytes()].concat())?;
    let mut name = String::new();
    loop {
        let (kind, body) = message(&mut stream)?;
        match (kind, body.first_chunk::<4>().map(|code| u32::from_be_bytes(*code))) {
            // It asks for the password in clear text: both are on this machine.
            (b'R', Some(3)) => send(&mut stream, b'p', password)?,
            (b'R', Some(0)) => send(&mut stream, b'Q', "select current_user")?,
            // One row of one column: two bytes of count, four of length, the text.
            (b'D', _) => name = String::from_utf8_lossy(body.get(6..).unwrap_or_default()).into_owned(),
            (b'Z', _) if !name.is_empty() => {
                stream.write_all(&[b'X', 0, 0, 0, 4])?;
                return Ok(name);
            }
            (b'E' | b'R', _) => return Err(ErrorKind::PermissionDenied.into()),
            _ => {}
        }
    }
}

fn send(stream: &mut TcpStream, kind: u8, text: &str) -> io::Result<()> {
    stream.write_all(&[&[kind][..], &size_of_message(text.len() + 1), text.as_bytes(), &[0]].concat())
}

fn size_of_message(body: usize) -> [u8; 4] {
    u32::try_from(body + 4).expect("a short message").to_be_bytes()
}

fn message(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let [kind, size @ ..] = head;
    let size = u32::from_be_bytes(size).saturating_sub(4).min(64 * 1024);
    let mut body = vec![0; usize::try_from(size).expect("64 KiB fits")];
    stream.read_exact(&mut body)?;
    Ok((kind, body))
}
