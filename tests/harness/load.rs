//! A client that keeps asking, GET and POST in turn, and counts every failure: what rotation and reload must not
//! cause. It speaks plain HTTP/1.1 on kept connections, so that a [`Ghostunnel`](crate::real::Ghostunnel), which
//! renews its own SVIDs, can stand between it and Postern.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);
/// Told in full; beyond these only the number grows.
const TOLD: usize = 10;

/// Clients at work, until [`Load::stop`].
#[derive(Debug)]
pub struct Load {
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Counts>>,
}

/// What the clients counted.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// GETs answered with 200.
    pub gets: u64,
    /// POSTs answered with 200.
    pub posts: u64,
    /// Connections opened.
    pub connections: u64,
    /// Everything else: another status, a connection that ended without having said so, silence.
    pub failures: u64,
    /// The first failures, in words.
    pub told: Vec<String>,
}

impl Load {
    /// Starts `clients` threads, each with a connection of its own, a request and then `pause`.
    #[must_use]
    pub fn start(to: SocketAddr, headers: &[(&str, &str)], clients: usize, pause: Duration) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let fields: String = headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
        let client = |_| {
            let (over, fields) = (Arc::clone(&over), fields.clone());
            thread::spawn(move || ask_until(&over, to, &fields, pause))
        };
        let clients = (0..clients).map(client).collect();
        Self { over, clients }
    }

    /// Lets every client finish its request, and sums up.
    #[must_use]
    pub fn stop(mut self) -> Counts {
        self.over.store(true, Ordering::Relaxed);
        let counted = self.clients.drain(..).map(|client| client.join().expect("a client does not panic"));
        counted.fold(Counts::default(), Counts::and)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Counts {
    fn and(mut self, other: Self) -> Self {
        self.gets += other.gets;
        self.posts += other.posts;
        self.connections += other.connections;
        self.failures += other.failures;
        self.told.extend(other.told);
        self.told.truncate(TOLD);
        self
    }

    fn fail(&mut self, why: String) {
        self.failures += 1;
        if self.told.len() < TOLD {
            self.told.push(why);
        }
    }
}

fn ask_until(over: &AtomicBool, to: SocketAddr, fields: &str, pause: Duration) -> Counts {
    let mut counts = Counts::default();
    let mut kept = None;
    let mut number = 0_u64;
    while !over.load(Ordering::Relaxed) {
        number += 1;
        let method = if number.is_multiple_of(2) { "POST" } else { "GET" };
        match ask(&mut kept, &mut counts, to, method, fields) {
            Ok(200) if method == "GET" => counts.gets += 1,
            Ok(200) => counts.posts += 1,
            Ok(status) => counts.fail(format!("{method} number {number}: {status}")),
            Err(error) => {
                kept = None;
                counts.fail(format!("{method} number {number}: {error}"));
            }
        }
        thread::sleep(pause);
    }
    counts
}

/// One request on the kept connection, or on a new one where the last answer said that it ends.
fn ask(
    kept: &mut Option<BufReader<TcpStream>>,
    counts: &mut Counts,
    to: SocketAddr,
    method: &str,
    fields: &str,
) -> io::Result<u16> {
    let mut stream = if let Some(stream) = kept.take() {
        stream
    } else {
        counts.connections += 1;
        connect(to)?
    };
    let body = if method == "POST" { "x".repeat(1024) } else { String::new() };
    let length = body.len();
    let head =
        format!("{method} /load HTTP/1.1\r\nHost: old.example\r\n{fields}Content-Length: {length}\r\n\r\n");
    stream.get_mut().write_all((head + &body).as_bytes())?;
    let answered = read_answer(&mut stream)?;
    if !answered.last {
        *kept = Some(stream);
    }
    Ok(answered.status)
}

/// An HTTP/1.1 answer.
#[derive(Debug)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
    /// Whether the connection ends with it.
    pub last: bool,
}

/// Reads one whole answer.
pub fn read_answer(stream: &mut impl BufRead) -> io::Result<Answered> {
    let (status, length, last) = answer(stream)?;
    let mut body = Vec::new();
    let got = stream.take(length).read_to_end(&mut body)?;
    if (got as u64) < length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(Answered { status, body, last })
}

fn connect(to: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// The status, the body's length, and whether the connection ends with it.
fn answer(stream: &mut impl BufRead) -> io::Result<(u16, u64, bool)> {
    let first = line(stream)?;
    let status =
        first.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or(ErrorKind::UnexpectedEof)?;
    let (mut length, mut last) = (None, false);
    loop {
        let field = line(stream)?.to_ascii_lowercase();
        match field.split_once(':').map(|(name, value)| (name, value.trim())) {
            None => break,
            Some(("content-length", value)) => length = value.parse().ok(),
            Some(("connection", value)) => last = value == "close",
            Some(_) => {}
        }
    }
    // Asked for services that give a length; another framing would go unread, and be seen as the next answer.
    Ok((status, length.ok_or(ErrorKind::Unsupported)?, last))
}

fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut text = String::new();
    stream.by_ref().take(16 * 1024).read_line(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
