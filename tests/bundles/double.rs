//! A bundle service that does what no real one can be made to do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// One step of an answer.
#[derive(Clone)]
pub(super) enum Step {
    Send(Vec<u8>),
    Pause(Duration),
    /// Says this again and again until the other end is gone.
    Flood(Vec<u8>),
    /// Says nothing more until the other end is gone.
    Hang,
}

/// What is answered to a request of this head.
type Script = Box<dyn FnMut(&str) -> Vec<Step> + Send>;

/// Answers by a script, each request on a connection of its own.
pub(super) struct Double {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Mutex<Script>,
    heads: Mutex<Vec<String>>,
    bodies: Mutex<Vec<String>>,
    open: AtomicUsize,
    over: AtomicBool,
}

impl Double {
    pub(super) fn start(script: impl FnMut(&str) -> Vec<Step> + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback can be listened on");
        let address = listener.local_addr().expect("it has an address");
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(script)),
            heads: Mutex::default(),
            bodies: Mutex::default(),
            open: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let told = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if told.over.load(Ordering::Relaxed) {
                    return;
                }
                let told = Arc::clone(&told);
                told.open.fetch_add(1, Ordering::Relaxed);
                thread::spawn(move || {
                    // The other end may be gone: that is its own affair.
                    answer(stream, &told).unwrap_or_default();
                    told.open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Self { address, shared }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on, this is answered.
    pub(super) fn say(&self, script: impl FnMut(&str) -> Vec<Step> + Send + 'static) {
        *lock(&self.shared.script) = Box::new(script);
    }

    /// The heads of all requests so far, in small letters.
    pub(super) fn heads(&self) -> Vec<String> {
        lock(&self.shared.heads).clone()
    }

    /// How many connections are open.
    pub(super) fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// The bodies of all requests so far.
    pub(super) fn bodies(&self) -> Vec<String> {
        lock(&self.shared.bodies).clone()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
    }
}

fn answer(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone()?);
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let head = head.to_ascii_lowercase();
    lock(&shared.heads).push(head.clone());
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    lock(&shared.bodies).push(String::from_utf8_lossy(&body).into_owned());
    let steps = (lock(&shared.script))(&head);
    for step in steps {
        match step {
            Step::Send(bytes) => stream.write_all(&bytes)?,
            Step::Pause(length) => thread::sleep(length),
            Step::Flood(bytes) => loop {
                stream.write_all(&bytes)?;
            },
            Step::Hang => {
                reader.read_line(&mut String::new())?;
            }
        }
    }
    Ok(())
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer of this status line and these headers, with its length said.
pub(super) fn whole(status: &str, headers: &str, body: &[u8]) -> Vec<Step> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
    vec![Step::Send([head.as_bytes(), body].concat())]
}
