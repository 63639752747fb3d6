//! Real leases: an account is there while its lease is, and gone when the record says so.

use crate::rig::{Plan, Rig, account, leased};
use postern::clock::{Clock, SystemClock};
use postern::config;
use postern::credential::Material;
use postern::fault::Coded;
use postern_lab::Authority;
use postern_tests::parts;
use postern_tests::process::until;
use postern_tests::real::openbao::{JwtKeys, JwtRole};
use postern_tests::real::{OpenBao, Postgres};
use serde_json::json;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What a sidecar's role needs: to read, and to keep house.
const POLICY: &str = r#"
path "database/creds/*" { capabilities = ["read"] }
path "database/static-creds/*" { capabilities = ["read"] }
path "secret/data/*" { capabilities = ["read"] }
path "sys/leases/revoke" { capabilities = ["update"] }
path "auth/token/revoke-accessor" { capabilities = ["update"] }
"#;

/// Who we are.
const GATE: &str = "spiffe://example.org/gate";

/// A vault over a database, and who may log in.
pub struct Site {
    pub postgres: Postgres,
    pub bao: OpenBao,
    pub svid: String,
    keys: Vec<String>,
    state: TempDir,
}

impl Site {
    /// Takes about four seconds. `ttl` and `max_ttl` are those of our logins.
    pub fn start(ttl: &str, max_ttl: &str) -> Self {
        let postgres = Postgres::start();
        let bao = OpenBao::start();
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::start("example.org", &folder.path().join("spiffe.sock")).unwrap();
        let (subject, keys) = (GATE, authority.jwt_keys_pem());
        bao.enable_jwt("jwt", &JwtKeys::Pem(keys.clone()));
        bao.policy("gate", POLICY);
        bao.jwt_role(
            "jwt",
            JwtRole { name: "gate", subject, audience: "vault", policy: "gate", ttl, max_ttl },
        );
        bao.enable_database(&postgres);
        let svid = authority.mint_jwt(subject, &["vault".to_owned()]).unwrap();
        Self { postgres, bao, svid, keys, state: tempfile::tempdir().unwrap() }
    }

    pub fn state(&self) -> &std::path::Path {
        self.state.path()
    }

    pub fn plan(&self) -> Plan {
        Plan::new(self.bao.url(), self.svid.clone())
    }

    pub fn rig(&self) -> Rig {
        self.plan().start(self.state())
    }
}

/// The parts that a [`Site`] needs, or the test is recorded as not run.
pub fn present(test: &str) -> bool {
    parts::present(test, &[OpenBao::PROGRAMS, Postgres::PROGRAMS].concat())
}

#[test]
fn an_account_is_there_while_its_lease_is_and_gone_when_the_record_says_so() {
    if !present("an_account_is_there_while_its_lease_is_and_gone_when_the_record_says_so") {
        return;
    }
    let site = Site::start("60s", "120s");
    site.bao.database_role("app", "60s", "120s");
    let rig = site.rig();

    let access = rig.access("app", "eod").unwrap();
    let again = rig.access("app", "eod").unwrap();

    let (user, password) = account(&access);
    assert!(Arc::ptr_eq(&access, &again));
    assert!(site.postgres.lets_in(&user, &password));
    let opened = rig.records("access.opened");
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert_eq!(opened[0]["caller"], "spiffe://example.org/eod");

    let drained = rig.drain();

    assert_eq!((drained.held, drained.unproven), (1, 0));
    let ended = rig.ended(&access);
    assert_eq!((&ended["reason"], &ended["proof"]), (&"drained".into(), &"vault:lookup:gone".into()));
    assert!(!site.postgres.lets_in(&user, &password));
    assert_eq!(site.postgres.accounts(), [""; 0]);
    assert!(rig.access("app", "eod").is_err());
}

#[test]
fn a_lease_is_renewed_to_its_most_and_then_replaced_before_its_end() {
    if !present("a_lease_is_renewed_to_its_most_and_then_replaced_before_its_end") {
        return;
    }
    let site = Site::start("60s", "120s");
    site.bao.database_role("app", "3s", "7s");
    let rig = site.rig();

    let (begun, mut accounts) = (Instant::now(), Vec::new());
    while begun.elapsed() < Duration::from_secs(16) {
        let access = rig.access("app", "eod").unwrap();
        let (user, password) = account(&access);
        // A login that took longer than what was left of the lease says nothing.
        let lets_in = site.postgres.lets_in(&user, &password);
        assert!(lets_in || !access.lease.term.holds(SystemClock.now()), "{user} after {:?}", begun.elapsed());
        if !accounts.contains(&user) {
            accounts.push(user);
        }
        thread::sleep(Duration::from_millis(100));
    }

    // Seven seconds each at most, and more than three: renewed, then replaced.
    assert!((3..=5).contains(&accounts.len()), "{accounts:?}");
    until("replaced accounts are gone", || site.postgres.accounts().len() <= 2);
}

#[test]
fn logins_come_and_go_and_what_they_leased_is_replaced_before_they_end() {
    if !present("logins_come_and_go_and_what_they_leased_is_replaced_before_they_end") {
        return;
    }
    let site = Site::start("3s", "5s");
    site.bao.database_role("app", "300s", "600s");
    let rig = site.rig();

    let (begun, mut accounts, mut refused) = (Instant::now(), Vec::new(), 0);
    while begun.elapsed() < Duration::from_secs(14) {
        // A vault on a busy machine may be late for a while.
        let Ok(access) = rig.access("app", "eod") else {
            refused += 1;
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        let (user, password) = account(&access);
        // A login that took longer than what was left of the lease says nothing.
        let lets_in = site.postgres.lets_in(&user, &password);
        assert!(lets_in || !access.lease.term.holds(SystemClock.now()), "{user} after {:?}", begun.elapsed());
        if !accounts.contains(&user) {
            accounts.push(user);
        }
        thread::sleep(Duration::from_millis(100));
    }

    assert!((3..=8).contains(&accounts.len()) && refused < 50, "{accounts:?}, {refused} refused");
    drop(rig);
    // Nobody revokes anything any more: the last login's end alone takes the account along.
    until("nothing outlives the login", || site.postgres.accounts().is_empty());
}

#[test]
fn a_sealed_vault_leaves_good_leases_good_and_gives_no_new_ones() {
    if !present("a_sealed_vault_leaves_good_leases_good_and_gives_no_new_ones") {
        return;
    }
    let mut site = Site::start("20s", "60s");
    site.bao.database_role("app", "6s", "60s");
    let rig = site.rig();
    let access = rig.access("app", "eod").unwrap();
    let (user, password) = account(&access);

    site.bao.seal();
    let refused = rig.access("app", "other").unwrap_err();

    assert_eq!(refused.code().id, "PST-CR-002", "{refused:?}");
    let held = rig.access("app", "eod").unwrap();
    assert!(Arc::ptr_eq(&access, &held) && site.postgres.lets_in(&user, &password));
    until("the lease ends by its own clock", || rig.access("app", "eod").is_err());
    assert!(!access.lease.term.holds(SystemClock.now()));

    site.bao.unseal();
    until("the vault is asked again", || rig.access("app", "other").is_ok());
    let ended = rig.ended(&access);
    assert_eq!((&ended["reason"], &ended["proof"]), (&"lease_expired".into(), &"vault:lookup:gone".into()));
    until("the account is gone", || !site.postgres.accounts().contains(&user));
}

#[test]
fn a_refused_credential_is_replaced_once_and_revoked() {
    if !present("a_refused_credential_is_replaced_once_and_revoked") {
        return;
    }
    let site = Site::start("60s", "120s");
    site.bao.database_role("app", "60s", "120s");
    let rig = site.rig();
    let first = rig.access("app", "eod").unwrap();

    let second = rig.replace(&first).unwrap();
    let third = rig.replace(&second);
    let other = rig.access("app", "other").unwrap();
    let others = rig.replace(&other);

    assert_ne!(account(&first), account(&second));
    assert_eq!(third.unwrap_err().code().id, "PST-CR-012");
    assert_eq!(others.unwrap_err().code().id, "PST-CR-012");
    assert_eq!(rig.ended(&first)["reason"], "refused_by_upstream");
    until("the refused account is gone", || !site.postgres.accounts().contains(&account(&first).0));
    // Whoever comes late with the one refused long ago is simply given the present one.
    assert!(Arc::ptr_eq(&rig.replace(&first).unwrap(), &second));
}

#[test]
fn a_thousand_requests_at_once_make_one_account_a_caller_and_no_more_than_most() {
    if !present("a_thousand_requests_at_once_make_one_account_a_caller_and_no_more_than_most") {
        return;
    }
    let site = Site::start("60s", "120s");
    site.bao.database_role("app", "60s", "120s");
    let mut plan = site.plan();
    let (most, idle) = (3.try_into().unwrap(), Duration::from_secs(2));
    plan.credentials =
        vec![Arc::new(config::Credential { most, idle, ..leased("app", "database/creds/app") })];
    let rig = plan.start(site.state());
    let callers: Vec<_> = (0..1000).map(|n| format!("caller-{}", n % 4)).collect();

    let answers = rig.all("app", &callers);

    let refused: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert_eq!(refused.len(), 250, "{:?}", refused.first());
    let accounts = site.postgres.accounts();
    assert_eq!(accounts.len(), 3, "{:?}", rig.records("access.ended"));
    assert!(refused.iter().all(|error| error.code().id == "PST-CR-008"), "{:?}", refused.first());

    drop(answers);
    until("idle leases go back", || site.postgres.accounts().is_empty());
    until("each end is recorded", || rig.records("access.ended").len() == 3);
    assert!(rig.records("access.ended").iter().all(|record| record["reason"] == "idle"));
    assert!(rig.access("app", "caller-3").is_ok());
}

#[test]
fn what_policy_sets_is_kept_whatever_the_vault_gave() {
    if !present("what_policy_sets_is_kept_whatever_the_vault_gave") {
        return;
    }
    let site = Site::start("60s", "120s");
    site.bao.database_role("app", "60s", "120s");
    let rig = site.rig();
    let first = rig.access("app", "eod").unwrap();
    thread::sleep(Duration::from_millis(1500));

    let young = rig.access_with("app", "eod", Some(Duration::from_secs(1)), None).unwrap();

    assert_ne!(account(&first), account(&young));
    let until_then = postern::clock::unix_seconds(std::time::SystemTime::now()) + 2;
    let bound = rig.access_with("app", "eod", None, Some(until_then)).unwrap();
    assert!(Arc::ptr_eq(&bound, &young));
    assert_eq!(rig.ended(&bound)["reason"], "until");
    until("the lease went back", || !site.postgres.accounts().contains(&account(&young).0));
    let over = rig.access_with("app", "eod", None, Some(until_then)).unwrap_err();
    assert_eq!(over.code().id, "PST-CR-011");
}

#[test]
fn secrets_without_a_lease_are_read_and_read_again() {
    if !present("secrets_without_a_lease_are_read_and_read_again") {
        return;
    }
    let site = Site::start("60s", "120s");
    site.bao.write("secret/data/app", json!({"data": {"username": "u", "password": "p1"}}));
    assert_eq!(site.postgres.sql("create role fixed login"), "");
    site.bao.write(
        "database/static-roles/fixed",
        json!({"db_name": "main", "username": "fixed", "rotation_period": "5s"}),
    );
    let mut plan = site.plan();
    plan.vault = site.bao.tls_url();
    plan.roots = Some(site.bao.roots().to_owned());
    let read = [
        leased("app", "secret/data/app"),
        leased("fixed", "database/static-creds/fixed"),
        leased("none", "secret/data/none"),
        leased("forbidden", "sys/mounts"),
    ];
    plan.credentials = read.map(Arc::new).to_vec();
    let rig = plan.start(site.state());

    assert_eq!(account(&rig.access("app", "eod").unwrap()), ("u".to_owned(), "p1".to_owned()));
    assert_eq!(rig.access("none", "eod").unwrap_err().code().id, "PST-CR-007");
    assert_eq!(rig.access("forbidden", "eod").unwrap_err().code().id, "PST-CR-004");
    let (user, first) = account(&rig.access("fixed", "eod").unwrap());
    assert!(site.postgres.lets_in(&user, &first));
    until("the rotated password is used", || {
        let (user, password) = account(&rig.access("fixed", "eod").unwrap());
        password != first && site.postgres.lets_in(&user, &password)
    });
    assert!(!site.postgres.lets_in(&user, &first));
}

#[test]
fn a_namespace_is_named_on_every_call_and_a_refused_login_has_its_code() {
    if !present("a_namespace_is_named_on_every_call_and_a_refused_login_has_its_code") {
        return;
    }
    let site = Site::start("60s", "120s");
    site.bao.write("sys/namespaces/branch", json!({}));
    site.bao.write("branch/sys/auth/jwt", json!({"type": "jwt"}));
    site.bao.write("branch/auth/jwt/config", json!({"jwt_validation_pubkeys": site.keys}));
    site.bao.write(
        "branch/sys/policies/acl/gate",
        json!({"policy": "path \"secret/app\" { capabilities = [\"read\"] }"}),
    );
    let role = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"],
        "bound_subject": GATE, "token_policies": ["gate"], "token_ttl": "60s"});
    site.bao.write("branch/auth/jwt/role/gate", role);
    site.bao.write("branch/sys/mounts/secret", json!({"type": "kv"}));
    site.bao.write("branch/secret/app", json!({"token": "of the branch"}));
    let mut plan = site.plan();
    plan.namespace = Some("branch".to_owned());
    plan.credentials = vec![leased("app", "secret/app").into()];
    let rig = plan.start(site.state());

    let access = rig.access("app", "eod").unwrap();
    drop(rig);
    let mut plan = site.plan();
    plan.role = "nobody";
    let refused = plan.start(site.state()).access("app", "eod").unwrap_err();

    assert!(matches!(&access.lease.material, Material::Token(token) if token.expose() == "of the branch"));
    assert_eq!(refused.code().id, "PST-CR-003", "{refused:?}");
}
