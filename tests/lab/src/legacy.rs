//! The old service: HTTP/1.1, and nothing but user names and passwords (Basic). Every path wants a login.
//!
//! | path | answer |
//! |---|---|
//! | `/echo` | the request's body |
//! | `/stream?events=N&every=MS` | that many server-sent events |
//! | `/big?bytes=N` | a body of that length |
//! | `/slow?ms=N` | like any other, that much later |
//! | `/leak` | what no service should tell: its caller's password, in a header and in the body |
//! | any other | who logged in, and what of the request arrived, as JSON |

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use crate::{Accounts, held, part::Part};

mod answer;
mod serve;

/// The requests that [`Legacy::seen`] remembers.
const SEEN_KEPT: usize = 10_000;

/// The service, until it is dropped.
pub struct Legacy {
    shared: Arc<Shared>,
    place: Place,
    part: Part,
}

/// A request that arrived, let in or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The account it logged in with; `None` was answered 401.
    pub user: Option<String>,
    /// `GET`, `POST` …
    pub method: String,
    /// With its query.
    pub path: String,
    /// In their order, names in lower case, without `authorization`.
    pub headers: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
enum Place {
    Loopback(SocketAddr),
    Unix(PathBuf),
}

struct Shared {
    accounts: Accounts,
    seen: Mutex<VecDeque<Seen>>,
}

impl Legacy {
    /// On a free loopback port.
    pub fn start(accounts: Accounts) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let legacy = Self::new(accounts, Place::Loopback(listener.local_addr()?));
        legacy.serve_tcp(listener)?;
        Ok(legacy)
    }

    /// On a Unix socket.
    pub fn start_at(accounts: Accounts, socket: &Path) -> io::Result<Self> {
        let legacy = Self::new(accounts, Place::Unix(socket.to_owned()));
        legacy.serve()?;
        Ok(legacy)
    }

    /// Where it is, as an upstream's `address` says it: `127.0.0.1:PORT` or `unix:/path`.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.place {
            Place::Loopback(address) => address.to_string(),
            Place::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// The last ten thousand requests, oldest first.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        held(&self.shared.seen).iter().cloned().collect()
    }

    /// Is gone: connections are cut and refused.
    pub fn stop(&self) {
        self.part.stop();
    }

    /// Is back at the same address.
    pub fn serve(&self) -> io::Result<()> {
        self.part.stop();
        match &self.place {
            Place::Loopback(address) => self.serve_tcp(TcpListener::bind(address)?),
            Place::Unix(path) => self.serve_unix(path),
        }
    }

    fn new(accounts: Accounts, place: Place) -> Self {
        let shared = Arc::new(Shared { accounts, seen: Mutex::default() });
        Self { shared, place, part: Part::default() }
    }

    fn serve_tcp(&self, listener: TcpListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let shared = self.shared.clone();
        self.part.start("lab-legacy", move || serve::tcp(listener, shared))
    }

    fn serve_unix(&self, path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(failed) if failed.kind() != io::ErrorKind::NotFound => return Err(failed),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        let shared = self.shared.clone();
        self.part.start("lab-legacy", move || serve::unix(listener, shared))
    }
}

impl Shared {
    fn note(&self, request: Seen) {
        let mut seen = held(&self.seen);
        if seen.len() == SEEN_KEPT {
            seen.pop_front();
        }
        seen.push_back(request);
    }
}
