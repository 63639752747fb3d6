//! What a vault does wrong, on cue.

use crate::rig::{Plan, Rig, account, leased};
use postern::fault::Coded;
use postern_lab::vault::{DatabaseRole, Fault, JwtRole};
use postern_lab::{Accounts, Authority, Vault};
use postern_tests::process::until;
use serde_json::json;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The lab's vault, and who may log in.
struct Site {
    vault: Vault,
    accounts: Accounts,
    _authority: Authority,
    svid: String,
    folder: TempDir,
}

impl Site {
    fn start(ttl: u64, lease: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::start("example.org", &folder.path().join("spiffe.sock")).unwrap();
        let accounts = Accounts::new();
        let vault = Vault::start(authority.jwks(), accounts.clone()).unwrap();
        let subject = "spiffe://example.org/gate";
        vault.put_jwt_role(
            "gate",
            JwtRole {
                audiences: vec!["vault".to_owned()],
                subject: Some(subject.to_owned()),
                ttl: Duration::from_secs(ttl),
                max_ttl: Duration::from_secs(ttl * 10),
                allow: [
                    "database/creds/*",
                    "secret/data/*",
                    "sys/leases/revoke",
                    "auth/token/revoke-accessor",
                ]
                .map(str::to_owned)
                .to_vec(),
            },
        );
        let role = DatabaseRole { ttl: Duration::from_secs(lease), max_ttl: Duration::from_secs(lease * 10) };
        vault.put_database_role("app", role);
        let svid = authority.mint_jwt(subject, &["vault".to_owned()]).unwrap();
        Self { vault, accounts, _authority: authority, svid, folder }
    }

    fn rig(&self) -> Rig {
        self.plan().start(&self.folder.path().join("state"))
    }

    fn plan(&self) -> Plan {
        Plan::new(self.vault.url(), self.svid.clone())
    }

    fn calls_to(&self, path: &str) -> usize {
        self.vault.calls().iter().filter(|call| call.path == path).count()
    }
}

#[test]
fn each_trouble_has_its_code_and_asking_again_asks_the_vault_rarely() {
    let site = Site::start(60, 60);
    let rig = site.rig();
    rig.access("app", "before").unwrap();
    let troubles = [
        (Fault::Sealed, "PST-CR-002"),
        (Fault::Standby { active: Some("http://127.0.0.1:1".to_owned()) }, "PST-CR-002"),
        (Fault::RateLimited { retry_after: None }, "PST-CR-005"),
        (Fault::Failing, "PST-CR-006"),
    ];
    for (index, (fault, code)) in troubles.into_iter().enumerate() {
        site.vault.set_fault(fault);
        let (begun, calls) = (Instant::now(), site.vault.calls().len());
        while begun.elapsed() < Duration::from_secs(2) {
            let error = rig.access("app", &format!("during-{index}")).unwrap_err();
            assert_eq!(error.code().id, code, "{error:?}");
            thread::sleep(Duration::from_millis(5));
        }
        let asked = site.vault.calls().len() - calls;
        assert!(asked <= 6, "{asked} calls in two seconds of {code}");
        site.vault.set_fault(Fault::None);
        until("the vault is asked again", || rig.access("app", &format!("during-{index}")).is_ok());
    }
    assert!(rig.access("app", "before").is_ok());
    assert!(site.vault.calls().iter().all(|call| call.marked), "X-Vault-Request is on every call");
}

#[test]
fn a_vault_that_wants_to_be_left_alone_is() {
    let site = Site::start(60, 60);
    let rig = site.rig();
    rig.access("app", "before").unwrap();
    site.vault.set_fault(Fault::RateLimited { retry_after: Some(4) });
    assert!(rig.access("app", "during").is_err());
    site.vault.set_fault(Fault::None);

    let begun = Instant::now();
    until("the vault is asked again", || rig.access("app", "during").is_ok());

    assert!(begun.elapsed() > Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn what_a_slow_vault_gives_too_late_is_given_back() {
    let site = Site::start(60, 60);
    let rig = site.rig();
    rig.access("app", "before").unwrap();
    site.vault.set_fault_at("database/", Fault::Slow(Duration::from_secs(4)));

    let error = rig.access("app", "late").unwrap_err();

    assert_eq!(error.code().id, "PST-CR-001", "{error:?}");
    site.vault.set_fault_at("database/", Fault::None);
    until("it was issued after all, and given back", || {
        site.calls_to("sys/leases/revoke") > 0 && site.vault.leases().len() == 1
    });
    assert_eq!(site.accounts.users().len(), 1);
}

#[test]
fn a_request_waits_ten_seconds_for_a_credential_and_the_next_finds_what_came_late() {
    let site = Site::start(60, 60);
    let mut plan = site.plan();
    plan.timeout = Duration::from_mins(1);
    let rig = plan.start(&site.folder.path().join("state"));
    rig.access("app", "before").unwrap();
    site.vault.set_fault_at("database/", Fault::Slow(Duration::from_secs(12)));

    let error = rig.access("app", "late").unwrap_err();

    assert_eq!(error.code().id, "PST-CR-015", "{error:?}");
    until("what came late is there", || rig.access("app", "late").is_ok());
    assert_eq!(site.vault.leases().len(), 2);
}

#[test]
fn a_vault_that_is_gone_leaves_leases_good_to_their_end_and_nothing_after() {
    let site = Site::start(60, 4);
    let rig = site.rig();
    let access = rig.access("app", "eod").unwrap();

    site.vault.stop();

    let error = rig.access("app", "other").unwrap_err();
    assert_eq!(error.code().id, "PST-CR-001", "{error:?}");
    let now = || postern::clock::Clock::now(&postern::clock::SystemClock);
    let end = access.lease.term.expiry();
    while !end.has_passed(now()) {
        let given = rig.access("app", "eod");
        // Asked before the end, answered after it: then it is refused.
        assert!(given.is_ok() || end.has_passed(now()), "{given:?}");
        thread::sleep(Duration::from_millis(5));
    }
    assert!(rig.access("app", "eod").is_err());
    assert!(!access.lease.term.holds(now()));
}

#[test]
fn a_token_that_the_vault_dropped_ends_its_leases_and_a_new_login_serves() {
    let site = Site::start(60, 60);
    let rig = site.rig();
    let access = rig.access("app", "eod").unwrap();

    site.vault.revoke_tokens();
    let other = rig.access("app", "other").unwrap();

    assert_eq!(rig.ended(&access)["reason"], "revoked");
    assert!(site.accounts.log_in(&account(&other).0, &account(&other).1));
    let again = rig.access("app", "eod").unwrap();
    assert!(!Arc::ptr_eq(&access, &again));
    assert_eq!(site.calls_to("auth/jwt/login"), 2);
}

#[test]
fn a_lease_that_somebody_else_revoked_is_noticed_at_its_renewal() {
    let site = Site::start(60, 3);
    let rig = site.rig();
    let access = rig.access("app", "eod").unwrap();

    let id = site.vault.leases().first().unwrap().id.clone();
    assert!(site.vault.revoke_lease(&id));

    assert_eq!(rig.ended(&access)["reason"], "revoked");
    assert_eq!(rig.ended(&access)["proof"], "vault:lookup:gone");
    assert!(rig.access("app", "eod").is_ok());
}

#[test]
fn a_revocation_that_lies_is_not_believed() {
    let site = Site::start(60, 60);
    let rig = site.rig();
    let access = rig.access("app", "eod").unwrap();
    site.vault.set_fault(Fault::RevokeLies);

    let drained = rig.drain();

    assert_eq!((drained.held, drained.unproven), (1, 1));
    assert_eq!(rig.ended(&access)["proof"], "unproven");
}

#[test]
fn an_answer_that_is_not_meant_for_us_is_not_read_and_not_quoted() {
    let site = Site::start(60, 60);
    site.vault.put_secret("large", json!({"token": "x".repeat(2 << 20)}));
    site.vault.put_secret("other", json!({"hunter": "2", "token": 987_654_321}));
    let mut plan = site.plan();
    plan.credentials =
        ["large", "other"].map(|name| leased(name, &format!("secret/data/{name}")).into()).to_vec();
    let rig = plan.start(&site.folder.path().join("state"));

    for name in ["large", "other"] {
        let error = rig.access(name, "eod").unwrap_err();
        assert_eq!(error.code().id, "PST-CR-006", "{error:?}");
        assert!(!format!("{error:?}").contains("987") && !format!("{error:?}").contains("xx"), "{error:?}");
    }
}

#[test]
fn after_a_kill_the_login_of_before_is_revoked_with_all_it_held() {
    let site = Site::start(60, 60);
    let rig = site.rig();
    rig.access("app", "eod").unwrap();
    drop(rig);
    assert_eq!((site.vault.leases().len(), site.vault.tokens()), (1, 1));

    let rig = site.rig();

    until("the access of before is recorded as ended", || rig.records("access.ended").len() == 1);
    let ended = rig.records("access.ended").remove(0);
    assert_eq!((&ended["reason"], &ended["proof"]), (&"crash".into(), &"vault:lookup:gone".into()));
    until("its login is revoked", || site.calls_to("auth/token/revoke-accessor") == 1);
    assert_eq!((site.vault.leases().len(), site.vault.tokens()), (0, 1));
}
