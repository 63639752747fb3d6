use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An old system that keeps every byte it was sent, and answers as it is told.
pub(super) struct Origin {
    pub(super) port: u16,
    seen: Rc<RefCell<Vec<String>>>,
    connections: Rc<Cell<usize>>,
}

/// What an origin says to a request.
pub(super) type Answers = Rc<dyn Fn(&str) -> String>;

/// A plain answer.
pub(super) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

impl Origin {
    pub(super) async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&seen);
        let connections = Rc::new(Cell::new(0));
        let count = Rc::clone(&connections);
        tokio::task::spawn_local(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                count.set(count.get() + 1);
                tokio::task::spawn_local(converse(socket, Rc::clone(&log), Rc::clone(&answers)));
            }
        });
        Self { port, seen, connections }
    }

    /// Every request that arrived, as it was written.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.borrow().clone()
    }

    /// How many connections were opened to it.
    pub(super) fn connections(&self) -> usize {
        self.connections.get()
    }

    /// The only one.
    pub(super) fn only(&self) -> String {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }
}

async fn converse(mut socket: TcpStream, log: Rc<RefCell<Vec<String>>>, answers: Answers) {
    let mut read = Vec::new();
    while let Some(length) = request(&mut socket, &mut read).await {
        let request = String::from_utf8_lossy(&read[..length]).into_owned();
        read.drain(..length);
        let answer = answers(&request);
        log.borrow_mut().push(request);
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads until a whole request is there; its length, or nothing when the caller is done.
async fn request(socket: &mut TcpStream, read: &mut Vec<u8>) -> Option<usize> {
    loop {
        if let Some(length) = whole(&String::from_utf8_lossy(read)) {
            return Some(length);
        }
        let mut piece = [0; 4096];
        let count = socket.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&piece[..count]);
    }
}

/// The length of the message at the beginning of `text`, if it is all there. Text is ASCII here.
pub(super) fn whole(text: &str) -> Option<usize> {
    let head = text.find("\r\n\r\n")? + 4;
    let lower = text[..head].to_ascii_lowercase();
    if lower.contains("\r\ntransfer-encoding: chunked") {
        return text[head..].find("0\r\n\r\n").map(|at| head + at + 5);
    }
    let length = lower.split("\r\ncontent-length: ").nth(1);
    let length: usize = length.and_then(|rest| rest.split("\r\n").next()?.parse().ok()).unwrap_or(0);
    (text.len() >= head + length).then_some(head + length)
}
