//! The real `opa` as a server on loopback: policies put and taken away by its API, rules asked one by one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use postern_tests::parts::program;
use postern_tests::process::{Process, READY, free_port};
use serde_json::Value;

use crate::compare::{Json, Place, Theirs};

const PATIENCE: Duration = Duration::from_secs(10);

/// Ends with this value.
#[derive(Debug)]
pub struct Opa {
    process: Process,
    _folder: tempfile::TempDir,
    connection: BufReader<TcpStream>,
}

impl Opa {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let mut command = Command::new(program("opa"));
        command.args(["run", "--server", "--disable-telemetry", "--log-level", "error", "--addr"]);
        command.arg(address.to_string());
        let mut process = Process::start("opa", &mut command, &folder.path().join("log"));
        let mut connected = None;
        process.wait_until("it listens", READY, || {
            connected = TcpStream::connect(address).ok();
            connected.is_some()
        });
        let stream = connected.expect("it is connected");
        stream.set_nodelay(true).expect("TCP has that");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket has that");
        Self { process, _folder: folder, connection: BufReader::new(stream) }
    }

    /// Puts one module in; what is refused is not kept.
    pub fn put(&mut self, name: &str, module: &str) -> Result<(), OpaError> {
        match self.call("PUT", &format!("/v1/policies/{name}"), module) {
            (200, _) => Ok(()),
            (_, body) => Err(error(&body)),
        }
    }

    pub fn remove(&mut self, name: &str) {
        let (status, body) = self.call("DELETE", &format!("/v1/policies/{name}"), "");
        assert!(status == 200, "DELETE {name}: {status} {body}");
    }

    /// The base document `data.d`.
    pub fn data(&mut self, json: &str) {
        let (status, body) = self.call("PUT", "/v1/data/d", json);
        assert!(status == 204, "data: {status} {body}\n{json}");
    }

    /// The rule `data.a.b` for one input.
    pub fn ask(&mut self, rule: &str, input: &str, strict: bool) -> Theirs {
        let path = rule.replace('.', "/");
        let body = format!("{{\"input\": {input}}}");
        match self.call("POST", &format!("/v1/{path}?strict-builtin-errors={strict}"), &body) {
            (200, body) => match Json::parse(&body).and_then(|mut answer| answer.take("result")) {
                Some(value) => Theirs::Value(value),
                None => Theirs::Undefined,
            },
            (_, body) => {
                let OpaError { code, message, place } = error(&body);
                Theirs::Error { code, message, place }
            }
        }
    }

    fn call(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
        let sent = self.connection.get_mut().write_all(format!("{head}{body}").as_bytes());
        sent.and_then(|()| self.answer()).unwrap_or_else(|error| {
            let (ended, log) = (self.process.ended(), self.process.log());
            panic!("opa does not answer {method} {path}: {error} (ended: {ended:?})\n{log}\n{body}")
        })
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.connection.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn answer(&mut self) -> std::io::Result<(u16, String)> {
        let status = self.line()?.split(' ').nth(1).and_then(|word| word.parse().ok());
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(": ") {
                None => break,
                Some(("content-length", value)) => length = value.parse().unwrap_or(0),
                Some(("transfer-encoding", value)) => chunked = value == "chunked",
                Some(_) => {}
            }
        }
        let mut body = Vec::new();
        loop {
            if chunked {
                length = usize::from_str_radix(&self.line()?, 16).unwrap_or(0);
            }
            let begin = body.len();
            body.resize(begin + length, 0);
            self.connection.read_exact(&mut body[begin..])?;
            if chunked {
                self.line()?;
            }
            if !chunked || length == 0 {
                break;
            }
        }
        Ok((status.ok_or(std::io::ErrorKind::InvalidData)?, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// The first error of an answer.
#[derive(Clone, Debug)]
pub struct OpaError {
    pub code: String,
    pub message: String,
    pub place: Option<Place>,
}

fn error(body: &str) -> OpaError {
    let answer: Value = serde_json::from_str(body).unwrap_or_default();
    let first = answer.get("errors").and_then(|errors| errors.get(0)).unwrap_or(&answer);
    let member = |name: &str| first.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let place = first.get("location").and_then(|location| {
        let number = |name: &str| location.get(name).and_then(Value::as_u64);
        let module = location.get("file").and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Place { module, row: number("row")?, column: number("col")? })
    });
    OpaError { code: member("code"), message: member("message"), place }
}
