//! The guided tour: a service that knows only passwords serves callers that have none, and what becomes of
//! those who should not be served.

use std::{
    fs,
    io::{self, Write},
    time::Duration,
};

use serde_json::Value;

use crate::{
    authority::AuthorityError,
    sidecar::{self, SidecarError},
    vault::DatabaseRole,
};
use site::{BILLING, LEASE, Site};
use stop::Stops;
use story::Story;

pub use stop::Stop;

mod site;
mod stop;
mod story;

/// Long enough for whatever a step waits for.
const PATIENCE: Duration = Duration::from_secs(12);
const MOMENT: Duration = Duration::from_secs(2);

const BAD_POLICY: &str = r#"package postern

default decision := false

decision := {"allow": true} if input.caller.id === "spiffe://lab.example/billing"
"#;

/// Told once, below the first record.
const MEMBERS: &str = "`boot` is this run of postern, whose records `seq` numbers: a missing one shows
`memo`: whether the decision was kept from an earlier request that policy saw alike
`access`: this caller's use of this lease, from its own record of opening to that of its end
`lease`: a keyed hash (`h:`), which tells leases apart and opens none
`generation`: which configuration, trust bundles (`identity`) and policy judged, counted up when replaced";

/// Why the tour broke off.
#[derive(Debug, thiserror::Error)]
pub enum TourError {
    /// The authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The sidecar.
    #[error(transparent)]
    Sidecar(#[from] SidecarError),
    /// A file, a socket or a program.
    #[error("the lab's surroundings fail it: {0}")]
    Io(#[from] io::Error),
    /// A signal, once what the tour started and wrote was gone.
    #[error("stopped by {0}: postern is ended and the lab's folder removed")]
    Stopped(Stop),
}

impl From<Stop> for TourError {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

/// Shows everything once; whether it all went as told. With `keep` it then stays until interrupted.
pub fn run(keep: bool) -> Result<bool, TourError> {
    let mut out = io::stdout();
    writeln!(
        out,
        "The Postern lab. NOT FOR PRODUCTION: keys in memory, clear HTTP on loopback, nothing kept."
    )?;
    if sidecar::is_built_first() {
        writeln!(out, "Building postern (the first time takes some minutes)...")?;
    }
    let program = sidecar::locate()?;
    // Not before: until there is a folder and a process, a signal may end the lab as it ends any program.
    let signals = Stops::listen()?;
    let folder = tempfile::Builder::new().prefix("postern-lab-").tempdir()?;
    let mut story = Story::new(folder.path().join("records.jsonl"), signals);
    story.say(
        "An authority, a vault, a service that knows only passwords, and the real postern between them,",
    )?;
    story.say(&format!("all on this machine, in {}.", folder.path().display()))?;
    let mut site = Site::start(folder, &program)?;

    let steps = [allowed, denied, unknown, renewed, revoked, vault_down, bad_policy];
    for step in steps {
        step(&site, &mut story)?;
    }
    if keep {
        let as_told = story.end()?;
        stay(&site, &mut story)?;
        return Ok(as_told);
    }
    stopped(&mut site, &mut story)?;
    story.end()
}

fn allowed(site: &Site, story: &mut Story) -> Result<(), TourError> {
    story.step(
        "A known caller is let in",
        "billing has an SVID and no password; the service knows passwords and no SVID.",
    )?;
    let reply = story.call(&mut site.caller("billing", "/postings"))?;
    story.record("the request", MOMENT, |record| of_request(record, "forwarded", None))?;
    story.line("in it", MEMBERS)?;
    let leased: Vec<_> = site.vault.leases().into_iter().map(|lease| lease.user).collect();
    story.check("the service answered 200", reply.status == Some(200))?;
    story.check(
        "it was logged in to with a leased account",
        reply.user().is_some_and(|user| leased.contains(&user)),
    )
}

fn denied(site: &Site, story: &mut Story) -> Result<(), TourError> {
    story.step(
        "A known caller is denied by policy",
        "reporting is as well known as billing, but no rule of policy/main.rego is for it.",
    )?;
    let before = site.legacy.seen().len();
    let reply = story.call(&mut site.caller("reporting", "/postings"))?;
    story.record("the denial", MOMENT, |record| of_request(record, "refused", Some("PST-AZ-010")))?;
    story.check("it was answered 403", reply.status == Some(403))?;
    story.check("the service saw nothing of it", site.legacy.seen().len() == before)
}

fn unknown(site: &Site, story: &mut Story) -> Result<(), TourError> {
    story.step(
        "An unknown caller is refused",
        "the program at billing's path is swapped for a copy with one more byte: its digest is nobody's.",
    )?;
    let before = site.legacy.seen().len();
    site.swap_billing()?;
    let asked = story.call(&mut site.caller("billing", "/postings"))?;
    let tried = story.call(site.caller("billing", "/postings").arg("--anyway"))?;
    site.restore_billing()?;
    story.record("the refused handshake", MOMENT, |record| {
        is(record, "kind", "refused") && is(record, "code", "PST-ID-001")
    })?;
    story.check(
        "the authority gave it no SVID",
        asked.status.is_none() && asked.text.contains("no identity"),
    )?;
    story.check("without one it got no answer at all", tried.status.is_none())?;
    story.check("the service saw nothing of it", site.legacy.seen().len() == before)
}

fn renewed(site: &Site, story: &mut Story) -> Result<(), TourError> {
    let about = format!("the account is leased for {:?} at a time; postern renews it ahead.", LEASE.ttl);
    story.step("A lease is renewed", &about)?;
    let first = story.call(&mut site.caller("billing", "/postings"))?;
    let renewed =
        story.eventually(PATIENCE, || site.vault.leases().iter().any(|lease| lease.renewals > 0))?;
    for lease in site.vault.leases() {
        let times = match lease.renewals {
            1 => "once".to_owned(),
            many => format!("{many} times"),
        };
        let text = format!("{} renewed {times}, {:.1?} left", lease.id, lease.remaining);
        story.line("vault", &text)?;
    }
    story.pause(LEASE.ttl / 2)?;
    let second = story.call(&mut site.caller("billing", "/postings"))?;
    story.record("the later request", MOMENT, |record| of_request(record, "forwarded", None))?;
    story.check("the vault has renewed the lease", renewed)?;
    story.check("the same account still works", second.user().is_some() && first.user() == second.user())
}

fn revoked(site: &Site, story: &mut Story) -> Result<(), TourError> {
    story.step(
        "A lease is revoked",
        "an operator revokes it at the vault; the account goes, and the caller is given another.",
    )?;
    let before = story.call(&mut site.caller("billing", "/postings"))?;
    let user = before.user().unwrap_or_default();
    let password = site.accounts.password(&user).unwrap_or_default();
    for lease in site.vault.leases().iter().filter(|lease| lease.user == user) {
        site.vault.revoke_lease(&lease.id);
        story.line("revoked", &lease.id)?;
    }
    story.line("tried", &format!("the old password of {user}, at the service itself"))?;
    let answer = site.log_in_directly(&user, &password)?;
    story.line("came back", &answer)?;
    let after = story.call(&mut site.caller("billing", "/postings"))?;
    story.record("the end of the old access", PATIENCE, |record| is(record, "kind", "access.ended"))?;
    story.record("the request", MOMENT, |record| of_request(record, "forwarded", None))?;
    story.check(
        "the old password is refused at the service",
        answer.contains("401") && !password.is_empty(),
    )?;
    let other = after.user().is_some_and(|now| now != user);
    story.check(
        "the caller noticed nothing: it was let in with another account",
        after.status == Some(200) && other,
    )
}

fn vault_down(site: &Site, story: &mut Story) -> Result<(), TourError> {
    story.step(
        "The vault is down",
        "a good lease goes on until its end; after that nobody is let in, though the account is still there.",
    )?;
    site.vault.stop();
    story.line("vault", "gone: connections are refused")?;
    let during = story.call(&mut site.caller("billing", "/postings"))?;
    story.pause(LEASE.ttl + Duration::from_secs(1))?;
    let after = story.call(&mut site.caller("billing", "/postings"))?;
    story.record("the refusal", MOMENT, |record| {
        is(record, "kind", "request") && has_code(record, "PST-CR-")
    })?;
    let still_there = during.user().is_some_and(|user| site.accounts.users().contains(&user));
    story.check("the good lease went on", during.status == Some(200))?;
    story.check("past its end the caller was answered 503", after.status == Some(503))?;
    story.check("nobody else had ended it: the service still has the account", still_there)?;
    site.vault.serve()?;
    story.line("vault", "back")?;
    let back = story.eventually(PATIENCE, || {
        site.caller("billing", "/postings").output().is_ok_and(|ran| ran.stdout.starts_with(b"200"))
    })?;
    story.check("with the vault back the caller is let in again", back)
}

fn bad_policy(site: &Site, story: &mut Story) -> Result<(), TourError> {
    story.step(
        "A bad policy is pushed and rejected",
        "what does not compile is refused as a whole, with file and line; the old one serves on.",
    )?;
    story.line("wrote", &format!("policy/main.rego, with a third `=` in line 5:\n{BAD_POLICY}"))?;
    site.write_policy(BAD_POLICY)?;
    story.record("the rejected reload", PATIENCE, |record| {
        is(record, "kind", "reload")
            && is(record, "what", "policy")
            && record.get("accepted") == Some(&false.into())
    })?;
    let allowed = story.call(&mut site.caller("billing", "/postings"))?;
    let denied = story.call(&mut site.caller("reporting", "/postings"))?;
    site.restore_policy()?;
    story.check("the old policy still allows billing", allowed.status == Some(200))?;
    story.check("and still denies reporting", denied.status == Some(403))
}

fn stopped(site: &mut Site, story: &mut Story) -> Result<(), TourError> {
    story.step("Postern is stopped", "it returns what it held, so that no account outlives it.")?;
    for user in site.accounts.users() {
        story.line("account", &user)?;
    }
    let ended = site.sidecar.stop()?;
    story.line("postern", &ended.to_string())?;
    story.record("the end of the last access", MOMENT, |record| {
        is(record, "kind", "access.ended") && is(record, "reason", "drained")
    })?;
    story.check("it ended well", ended.success())?;
    story.check("no leased account is left at the service", site.accounts.users().is_empty())
}

/// Stays until interrupted, with what is needed to go on by hand.
fn stay(site: &Site, story: &mut Story) -> Result<(), TourError> {
    site.vault.put_database_role(
        "app",
        DatabaseRole { ttl: Duration::from_mins(1), max_ttl: Duration::from_mins(10) },
    );
    let folder = site.folder.path();
    site.authority.mint_x509(BILLING)?.write_to(folder)?;
    fs::write(folder.join("bundle.pem"), site.authority.x509_bundle_pem())?;
    let (url, at) = (&site.url, folder.display());
    story.say(&format!(
        "
It all stays up until you press Ctrl-C. In another terminal, for example:

  cd {at}
  curl --cert svid.pem --key key.pem --cacert bundle.pem {url}/postings      # as billing
  curl --cert svid.pem --key key.pem --cacert bundle.pem -d x {url}/postings # policy says no
  SPIFFE_ENDPOINT_SOCKET={} bin/reporting caller {url}/postings
  tail -f records.jsonl
  bin/postern explain RECORD --config postern.yaml        # its id stands in the record and in a refusal
  $EDITOR policy/main.rego                                # takes effect when saved, or is refused
  curl --unix-socket admin.sock http://admin/ready
  curl {}/v1/sys/health                  # the vault; its root token is {}

svid.pem is good for an hour.",
        site.authority.endpoint(),
        site.vault.url(),
        site.vault.root_token(),
    ))?;
    match story.stop()? {
        Stop::INTERRUPT => Ok(()),
        other => Err(other.into()),
    }
}

fn is(record: &Value, member: &str, text: &str) -> bool {
    record.get(member).is_some_and(|value| value == text)
}

fn of_request(record: &Value, outcome: &str, code: Option<&str>) -> bool {
    is(record, "kind", "request")
        && is(record, "outcome", outcome)
        && record.get("code").and_then(Value::as_str) == code
}

/// Whether the code is of this stage: which of them it is depends on what was noticed first.
fn has_code(record: &Value, stage: &str) -> bool {
    record.get("code").and_then(Value::as_str).is_some_and(|code| code.starts_with(stage))
}
