//! A caller that floods its HTTP/2 connection: it is cut, and its neighbours on the same thread do not notice.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::site::{Bench, Plan, on_a_worker, read};
use crate::fault::codes;
use crate::protocol::Alpn;
use crate::record::Entry;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
/// What a neighbour may wait at the median while another floods.
const BOUND: Duration = Duration::from_millis(150);
const ASKED: usize = 40;
/// A machine that is busy with something else may hold up one of them, or two.
const ROUNDS: usize = 3;

pub(super) fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags, 0, 0, 0, stream]);
    frame.extend(payload);
    frame
}

/// What opens a connection, and what is then repeated for ever.
fn floods() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    // HEADERS of `POST / https h` by the static table, without END_STREAM.
    let post = frame(1, 4, 1, &[0x83, 0x84, 0x87, 0x41, 1, b'h']);
    let begun = frame(1, 0, 1, &[0x83, 0x84, 0x87, 0x41, 1, b'h']);
    vec![
        ("SETTINGS", Vec::new(), frame(4, 0, 0, b"")),
        ("PING", Vec::new(), frame(6, 0, 0, &[7; 8])),
        ("WINDOW_UPDATE", Vec::new(), frame(8, 0, 0, &[0, 0, 0, 1])),
        ("PRIORITY", Vec::new(), frame(2, 0, 3, &[0, 0, 0, 0, 9])),
        ("empty DATA", post, frame(0, 0, 1, b"")),
        ("CONTINUATION", begun, frame(9, 0, 1, b"")),
        ("unknown", Vec::new(), frame(77, 0, 0, b"")),
    ]
}

/// Streams that are opened and reset, each with a number of its own.
fn resets() -> Vec<u8> {
    let one = |number: u32| {
        let mut both = [frame(1, 5, 0, &[0x82, 0x84, 0x87, 0x41, 1, b'h']), frame(3, 0, 0, &[0, 0, 0, 8])];
        for frame in &mut both {
            frame[5..9].copy_from_slice(&(2 * number + 1).to_be_bytes());
        }
        both.concat()
    };
    (0..100_000).flat_map(one).collect()
}

/// Floods from a thread of its own, on one connection after another, until it is told to stop.
fn flood(port: u16, opening: Vec<u8>, repeated: Vec<u8>, stop: Arc<AtomicBool>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let first = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, 0, b"")[..], &opening].concat();
        let piece = repeated.repeat((16 * 1024 / repeated.len()).max(1));
        while !stop.load(Ordering::Relaxed) {
            let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let mut answers = socket.try_clone().unwrap();
            let reading =
                std::thread::spawn(move || while answers.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {});
            let mut going = socket.write_all(&first).is_ok();
            while going && !stop.load(Ordering::Relaxed) {
                going = socket.write_all(&piece).is_ok();
            }
            socket.shutdown(Shutdown::Both).ok();
            reading.join().unwrap();
        }
    })
}

/// How long a neighbour on a connection of its own waits for each of its answers.
async fn neighbour(bench: &Bench) -> Vec<Duration> {
    let (mut caller, _ender) = bench.connect(Alpn::Http1);
    let mut waits = Vec::new();
    for _ in 0..ASKED {
        let begun = Instant::now();
        caller.write_all(GET).await.unwrap();
        assert!(read(&mut caller).await.starts_with("HTTP/1.1 200"));
        waits.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    waits.sort_unstable();
    waits
}

async fn flooded(name: &str, opening: Vec<u8>, repeated: Vec<u8>) {
    let bench = Rc::new(Plan::default().start().await);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = Rc::clone(&bench);
    let accepting = tokio::task::spawn_local(async move {
        let mut enders = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            enders.push(serving.serve(socket, Alpn::Http2, Some(serving.peer(Duration::from_mins(10)))));
        }
    });
    let stop = Arc::new(AtomicBool::new(false));
    let flooding = [(); 2].map(|()| flood(port, opening.clone(), repeated.clone(), Arc::clone(&stop)));
    let cut = bench.next(|entry| if let Entry::Refused(refused) = entry { Some(refused.code) } else { None });

    let code = cut.await;
    assert!([codes::CALLER_FLOODS.id, codes::PROTOCOL_BROKEN.id].contains(&code), "{name}: {code}");

    let mut medians = Vec::new();
    while medians.len() < ROUNDS && medians.iter().all(|median| *median >= BOUND) {
        // Whatever was recorded meanwhile leaves its place.
        drop(bench.records());
        let waits = neighbour(&bench).await;
        let (median, worst) = (waits[ASKED / 2], waits[ASKED - 1]);
        println!("{name}: cut with {code}; a neighbour waits {median:?} at the median, {worst:?} at worst");
        medians.push(median);
    }
    assert!(medians.iter().any(|median| *median < BOUND), "{name}: {medians:?}");
    stop.store(true, Ordering::Relaxed);
    accepting.abort();
    while !flooding.iter().all(JoinHandle::is_finished) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn a_flood_is_cut_and_a_neighbour_is_served_meanwhile() {
    for (name, opening, repeated) in floods() {
        on_a_worker(flooded(name, opening, repeated));
    }
    on_a_worker(flooded("RST_STREAM", Vec::new(), resets()));
}
