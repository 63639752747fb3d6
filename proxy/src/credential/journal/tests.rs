use std::fs;
use std::io::Write;

use super::*;

fn lease(reference: &str) -> Line {
    Line::Lease {
        reference: reference.to_owned(),
        vault: "main".to_owned(),
        lease_id: LeaseId(format!("database/creds/app/{reference}")),
        credential: "app".to_owned(),
    }
}

#[tokio::test]
async fn what_was_not_struck_out_stands_after_a_crash() {
    let root = tempfile::tempdir().unwrap();
    let state = State::open(root.path()).unwrap();
    let (journal, left) = Journal::open(&state).unwrap();
    assert!(left.is_empty());

    journal.write(vec![lease("h:1"), lease("h:2")]).await.unwrap();
    journal.strike(vec![Line::lease_key("h:1")]);
    journal.write(vec![lease("h:3")]).await.unwrap();

    // The first journal is still open, as it would be at a kill.
    let (_again, mut left) = Journal::open(&state).unwrap();
    left.sort_by_key(Line::key);
    assert_eq!(left, [lease("h:2"), lease("h:3")]);
}

#[tokio::test]
async fn the_file_shows_no_lease_id_and_belongs_to_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let state = State::open(root.path()).unwrap();
    let (journal, _) = Journal::open(&state).unwrap();

    journal.write(vec![lease("h:1")]).await.unwrap();

    let path = state.path("leases.journal");
    assert!(!fs::read_to_string(&path).unwrap().contains("database"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_torn_last_line_and_a_foreign_line_cost_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let state = State::open(root.path()).unwrap();
    let (journal, _) = Journal::open(&state).unwrap();
    journal.write(vec![lease("h:1")]).await.unwrap();
    let path = state.path("leases.journal");
    let whole = fs::read_to_string(&path).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    write!(file, "not sealed by us\n{}", &whole[..whole.len() / 2]).unwrap();

    let (journal, left) = Journal::open(&state).unwrap();
    assert_eq!(left, [lease("h:1")]);

    journal.write(vec![lease("h:2")]).await.unwrap();
    assert_eq!(Journal::open(&state).unwrap().1.len(), 2);
}

#[tokio::test]
async fn the_file_stays_small_however_much_comes_and_goes() {
    let root = tempfile::tempdir().unwrap();
    let state = State::open(root.path()).unwrap();
    let (journal, _) = Journal::open(&state).unwrap();

    for round in 0..40 {
        let lines: Vec<_> = (0..100).map(|n| lease(&format!("h:{round}-{n}"))).collect();
        let keys = lines.iter().filter_map(Line::key).collect();
        journal.write(lines).await.unwrap();
        journal.strike(keys);
    }
    journal.write(vec![lease("h:last")]).await.unwrap();

    assert!(fs::metadata(state.path("leases.journal")).unwrap().len() < 600_000);
    assert_eq!(Journal::open(&state).unwrap().1, [lease("h:last")]);
}

#[tokio::test]
async fn another_key_reads_nothing_and_does_not_stop_the_start() {
    let root = tempfile::tempdir().unwrap();
    let state = State::open(root.path()).unwrap();
    let (journal, _) = Journal::open(&state).unwrap();
    journal.write(vec![lease("h:1")]).await.unwrap();

    fs::remove_file(state.path("journal.key")).unwrap();

    assert!(Journal::open(&state).unwrap().1.is_empty());
}
