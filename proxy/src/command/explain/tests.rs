use super::*;

const RECORDS: &str = concat!(
    r#"{"kind":"access.opened","at":"2026-11-21T18:00:00Z","access":"a-1"}"#,
    "\n{\"kind\":\"request\",\"id\":\"r-1\",\"outcome\":\"refused\",\"code\":\"PST-AZ-010\",",
    r#""caller":{"id":"spiffe://td/a","proof":"x509_svid"},"request":{"method":"GET","path":"/\u001b[2J"},"#,
    r#""decision":{"id":"d-1","allow":false,"rule":"closed","reason":"after hours","policy":{"main":"r42"}},"#,
    r#""credential":{"name":"app","access":"a-1","lease":"h:3f"}}"#,
    "\nnot json\n",
    r#"{"kind":"access.ended","at":"2026-11-21T18:10:00Z","access":"a-1","reason":"idle","proof":"vault:revoked","requests":4}"#,
    "\n{\"kind\":\"requ",
);

fn asked(what: &str, records: Option<&Path>) -> Outcome {
    let config = ConfigFile { config: "/unread".into() };
    let (what, records) = (what.to_owned(), records.map(Path::to_owned));
    explain(&Arguments { what, records, policy: Vec::new(), format: Format::Pretty, config })
}

fn explained(id: &str, records: &str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("records.jsonl");
    std::fs::write(&file, records).unwrap();
    asked(id, Some(&file))
}

#[test]
fn a_record_is_told_with_its_rule_policy_lease_end_and_hint() {
    let outcome = explained("r-1", RECORDS);
    assert_eq!(outcome.exit, Exit::Done, "{}", outcome.err);
    for word in [
        "spiffe://td/a",
        "d-1  closed  after hours",
        "denied it",
        "main  r42",
        "app  a-1  h:3f",
        "access.ended  2026-11-21T18:10:00Z  idle  vault:revoked  4 requests",
        "PST-AZ-010  policy denied the request",
        "who acts    whoever sent the request; where it should be allowed, whoever writes the policy",
        "next        the decision above says which rule",
    ] {
        assert!(outcome.out.contains(word), "`{word}` is not in:\n{}", outcome.out);
    }
    assert!(!outcome.out.contains("postern explain"), "sends in a circle:\n{}", outcome.out);
    assert!(!outcome.out.contains('\u{1b}'), "a caller's escape sequence came through");
}

#[test]
fn a_code_alone_is_told_to_machines_as_that_of_a_record_is() {
    let config = ConfigFile { config: "/unread".into() };
    let arguments = Arguments {
        what: "PST-CR-003".to_owned(),
        records: None,
        policy: Vec::new(),
        format: Format::Json,
        config,
    };

    let said: Value = serde_json::from_str(&explain(&arguments).out).unwrap();

    assert_eq!(said["code"]["code"], "PST-CR-003");
    assert_eq!(said["code"]["who_acts"], "whoever runs this sidecar, its policy or its vault");
}

#[test]
fn an_access_that_goes_on_is_said_to_go_on() {
    let outcome = explained("r-1", RECORDS.lines().nth(1).unwrap());
    assert!(outcome.out.contains("the access has not ended in these records"), "{}", outcome.out);
}

#[test]
fn what_is_not_there_is_not_found() {
    assert_eq!(explained("r-2", RECORDS).exit, Exit::NotFound);
    assert!(
        explained("r-2", RECORDS).err.contains("called r-2; line 3 is not read"),
        "the line is not named"
    );
    let whole = RECORDS.lines().nth(1).unwrap();
    assert!(explained("r-2", &format!("{whole}\n\n")).err.ends_with("no record is called r-2\n"));
    // As somebody laid it out to read it.
    let laid_out = explained("r-1", &whole.replacen(",\"caller\"", ",\n\"caller\"", 1));
    assert_eq!(laid_out.exit, Exit::NotFound);
    assert!(laid_out.err.contains("line 1 is not read, for it is no JSON object"), "{}", laid_out.err);
    // Records that cannot be read say nothing of what is in them.
    let unread = asked("r-2", Some(Path::new("/nonexistent")));
    assert_eq!(unread.exit, Exit::Configuration, "{}", unread.err);
}

#[test]
fn a_code_is_explained_without_records() {
    let outcome = asked("pst-cr-002", None);
    assert!(outcome.out.contains("the vault is sealed"), "{}", outcome.out);
    let unknown = asked("PST-CR-999", None);
    assert_eq!((unknown.exit, unknown.err.as_str()), (Exit::NotFound, "no code is called PST-CR-999\n"));
}

#[test]
fn what_stands_on_standard_input_and_is_no_record_is_not_told_as_one() {
    for (text, why) in [
        ("", "is no record"),
        ("[1]\n", "is no record"),
        ("{\n\"kind\": \"request\"}\n", "is no record"),
        ("{\"id\": \"r-1\"}\n", "without a `kind`"),
    ] {
        let refused = read_one(text.as_bytes()).err().map(|failure| failure.to_string());
        assert!(refused.as_ref().is_some_and(|said| said.contains(why)), "{text:?}: {refused:?}");
    }
    assert!(read_one(RECORDS.lines().nth(1).unwrap().as_bytes()).is_ok());
}
