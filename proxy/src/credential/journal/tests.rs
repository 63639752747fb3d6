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
async fn a_torn_last_line_costs_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let state = State::open(root.path()).unwrap();
    let (journal, _) = Journal::open(&state).unwrap();
    journal.write(vec![lease("h:1")]).await.unwrap();
    let path = state.path("leases.journal");
    let whole = fs::read_to_string(&path).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    write!(file, "{}", &whole[..whole.len() / 2]).unwrap();

    let (journal, left) = Journal::open(&state).unwrap();
    assert_eq!(left, [lease("h:1")]);

    journal.write(vec![lease("h:2")]).await.unwrap();
    assert_eq!(Journal::open(&state).unwrap().1.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_read_stops_the_start_is_named_and_stays_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let state = State::open(root.path()).unwrap();
    let (journal, _) = Journal::open(&state).unwrap();
    journal.write(vec![lease("h:1")]).await.unwrap();
    let path = state.path("leases.journal");
    let whole = fs::read(&path).unwrap();
    let random = (0..=u8::MAX).cycle().take(4096).collect::<Vec<_>>();

    for (damage, lines) in [
        ([whole.as_slice(), b"not sealed by us\n", &whole].concat(), "1 of 3 lines"),
        (random, "16 of 16 lines"),
        ([b"\0\n", whole.as_slice()].concat(), "1 of 2 lines"),
    ] {
        fs::write(&path, &damage).unwrap();
        let refused = Journal::open(&state).err().unwrap().to_string();
        for said in
            [lines, path.to_str().unwrap(), "journal.key", "revoke at the vault", "move the journal away"]
        {
            assert!(refused.contains(said), "`{said}` is not in: {refused}");
        }
        assert!(!refused.contains("  "), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), damage, "the evidence was touched");
    }
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
async fn another_key_stops_the_start() {
    let root = tempfile::tempdir().unwrap();
    let state = State::open(root.path()).unwrap();
    let (journal, _) = Journal::open(&state).unwrap();
    journal.write(vec![lease("h:1")]).await.unwrap();
    let (key, away) = (state.path("journal.key"), state.path("away"));

    fs::rename(&key, &away).unwrap();
    assert!(matches!(Journal::open(&state), Err(JournalOpenError::Unreadable { unreadable: 1, .. })));
    fs::rename(away, key).unwrap();

    assert_eq!(Journal::open(&state).unwrap().1, [lease("h:1")]);
}
