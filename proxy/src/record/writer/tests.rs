use std::fs;
use std::path::Path;
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::clock::{Clock as _, SystemClock};
use crate::config::WhenFull;
use crate::record::{Records, Reload};

/// How long anything may take on a busy machine before a test gives up.
const DEADLINE: Duration = Duration::from_secs(30);

/// A folder with `records.jsonl` and the state directory `state`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("state")).unwrap();
    folder
}

fn open(folder: &Path, when_full: WhenFull) -> Result<(Records, Writer, Arc<SinkState>), WriterError> {
    let (queue, drained) = mpsc::channel(QUEUE);
    let state = Arc::new(SinkState::default());
    let clock: SharedClock = Arc::new(SystemClock);
    let records = Records::new(queue, Arc::clone(&state), when_full, Arc::clone(&clock));
    let keeping = postern_policy::Keeping { show: Vec::new(), most: 0 };
    let input = config::RecordedInput { of: config::Recorded::None, keeping };
    let kept = config::Records { file: Some(folder.join("records.jsonl")), when_full, input };
    let sequence = folder.join("state/sequence");
    let metrics = Arc::new(Metrics::new().unwrap());
    let writer = Writer::open(&kept, sequence, drained, Arc::clone(&state), metrics, clock)?;
    Ok((records, writer, state))
}

fn write(records: &Records, count: usize) {
    for _ in 0..count {
        records.write_now(Entry::Reload(Reload {
            at: SystemClock.now().wall,
            what: "policy",
            accepted: true,
            generation: 1,
            revision: None,
            code: None,
            detail: String::new(),
        }));
    }
}

fn lines(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("records.jsonl")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn wait_until(what: &str, is: impl Fn() -> bool) {
    let is = (0..DEADLINE.as_millis()).any(|_| {
        thread::sleep(Duration::from_millis(1));
        is()
    });
    assert!(is, "{what}");
}

#[tokio::test]
async fn records_are_written_although_the_thread_they_come_from_is_held_up() {
    let folder = folder();
    let (records, writer, _) = open(folder.path(), WhenFull::Refuse).unwrap();
    let writing = writer.start().unwrap();

    // From here on this thread, and all tasks on it, are held up: not one await.
    for number in 1..=300 {
        write(&records, 1);
        wait_until("a record waits for this thread", || lines(folder.path()).len() >= number);
    }

    writing.finish(DEADLINE).await;
    let (_, second, _) = open(folder.path(), WhenFull::Refuse).unwrap();
    assert!(second.lines.is_empty(), "a clean end left a gap");
}

#[tokio::test]
async fn the_next_numbers_are_reserved_by_another_thread_before_they_are_needed() {
    let folder = folder();
    let (records, writer, _) = open(folder.path(), WhenFull::Refuse).unwrap();
    let writing = writer.start().unwrap();
    let reserved = || {
        let kept = fs::read_to_string(folder.path().join("state/sequence")).unwrap();
        serde_json::from_str::<Value>(&kept).unwrap()["reserved"].as_u64().unwrap()
    };
    let first = reserved();

    write(&records, usize::try_from(first).unwrap() * 3 / 4);

    wait_until("the next block is not asked for while there is one left", || reserved() > first);
    writing.finish(DEADLINE).await;
}

#[tokio::test]
async fn a_full_state_folder_holds_records_back_and_loses_none_if_so_configured() {
    let folder = folder();
    let (records, writer, state) = open(folder.path(), WhenFull::Refuse).unwrap();
    let (there, away) = (folder.path().join("state"), folder.path().join("away"));
    fs::rename(&there, &away).unwrap();
    let writing = writer.start().unwrap();

    write(&records, 1000);
    wait_until("requests are not refused", || state.full.load(Ordering::Relaxed));
    let written = lines(folder.path()).len();
    assert!(written > 0 && written < 1000, "{written}");
    fs::rename(&away, &there).unwrap();

    wait_until("what was held back never came", || lines(folder.path()).len() == 1000);
    wait_until("requests are still refused", || !state.full.load(Ordering::Relaxed));
    writing.finish(DEADLINE).await;
    let numbers: Vec<_> = lines(folder.path()).iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=1000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_state_folder_is_counted_to_the_record_if_so_configured() {
    let folder = folder();
    let (records, writer, state) = open(folder.path(), WhenFull::Count).unwrap();
    let (there, away) = (folder.path().join("state"), folder.path().join("away"));
    fs::rename(&there, &away).unwrap();
    let writing = writer.start().unwrap();

    write(&records, 1000);
    let lost = || usize::try_from(state.lost.load(Ordering::Relaxed)).unwrap();
    wait_until("records wait", || lines(folder.path()).len() + lost() == 1000);
    fs::rename(&away, &there).unwrap();
    write(&records, 1);
    wait_until("no gap", || {
        write(&records, 1);
        lines(folder.path()).iter().any(|line| line["kind"] == "gap")
    });
    writing.finish(DEADLINE).await;

    let lines = lines(folder.path());
    let before = lines.iter().position(|line| line["kind"] == "gap").unwrap();
    let gap = &lines[before];
    assert_eq!(gap["cause"], "disk_full");
    assert_eq!(gap["after_seq"], lines[before - 1]["seq"], "{gap}");
    let missing = usize::try_from(gap["missing_at_most"].as_u64().unwrap()).unwrap();
    assert!(before + missing >= 1000, "{before} written and {missing} missing of 1000");
}

#[test]
fn a_garbled_sequence_leaves_a_gap_record_behind_the_last_one_and_no_number_twice() {
    let folder = folder();
    fs::write(folder.path().join("state/sequence"), b"\x13\x37").unwrap();
    let earlier =
        "{\"kind\":\"reload\",\"boot\":\"k3hq\",\"seq\":41}\n{\"kind\":\"reload\",\"boot\":\"k3hq\",\"se";
    fs::write(folder.path().join("records.jsonl"), earlier).unwrap();

    let (_records, writer, _) = open(folder.path(), WhenFull::Refuse).unwrap();

    let gap: Value = serde_json::from_slice(&writer.lines).unwrap();
    assert_eq!((&gap["kind"], &gap["cause"]), (&"gap".into(), &"sequence_lost".into()));
    assert_eq!((&gap["after_boot"], &gap["after_seq"]), (&"k3hq".into(), &41.into()));
    assert_eq!(gap["seq"].as_u64().unwrap(), 41 + gap["missing_at_most"].as_u64().unwrap() + 1);
}

#[test]
fn a_garbled_sequence_without_records_stops_the_start() {
    let folder = folder();
    fs::write(folder.path().join("state/sequence"), b"\x13\x37").unwrap();

    let error = open(folder.path(), WhenFull::Refuse).err().unwrap();

    assert!(error.to_string().contains("state/sequence"), "{error}");
}
