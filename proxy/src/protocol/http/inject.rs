//! Puts a leased credential into a request: the one place of the dialect that sees a secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::scrub::Needles;
use crate::clock::Moment;
use crate::config::Login;
use crate::credential::{Lease, Material};
use crate::fault::{Code, Coded, codes};
use crate::model::Fingerprint;

/// A lease in the form in which one upstream takes it. Kept by a connection from one request to
/// the next, so that it is written once; checked against its end each time it is used.
pub(super) struct Injection {
    lease: Fingerprint,
    login: Login,
    value: HeaderValue,
    /// What it looks like when an upstream repeats it.
    pub(super) needles: Needles,
}

/// Why a credential could not be put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InjectError {
    /// The upstream's login wants something that the credential is not.
    #[error("the upstream's login wants {0}, and the credential is something else")]
    WrongKind(&'static str),
    /// The credential holds characters that its place cannot carry.
    #[error("the credential cannot stand in a header")]
    Unfit,
    /// Its lease is over.
    #[error("the lease ended before it was put in")]
    Ended,
}

impl Coded for InjectError {
    fn code(&self) -> &'static Code {
        match self {
            Self::WrongKind(_) | Self::Unfit => codes::VAULT_ANSWER,
            Self::Ended => codes::LEASE_ENDED,
        }
    }
}

/// Where a login puts its credential. What the caller sent there never arrives.
pub(super) fn place(login: &Login) -> &HeaderName {
    static PLACE: HeaderName = AUTHORIZATION;
    match login {
        Login::Basic | Login::Bearer => &PLACE,
        Login::Header(name) => name,
    }
}

impl Injection {
    /// Writes the credential in the login's form.
    pub(super) fn new(login: &Login, lease: &Lease) -> Result<Self, InjectError> {
        let (text, needles) = match (login, &lease.material) {
            (Login::Basic, Material::Password { username, password }) => {
                let account = account(username, password.expose())?;
                (joined(["Basic ", &account]), Needles::of(password.expose(), Some(&account)))
            }
            (Login::Bearer, Material::Token(token)) => {
                (joined(["Bearer ", token.expose()]), Needles::of(token.expose(), None))
            }
            (Login::Header(_), Material::Token(token)) => {
                (joined([token.expose(), ""]), Needles::of(token.expose(), None))
            }
            (Login::Basic, Material::Token(_)) => {
                return Err(InjectError::WrongKind("user name and password"));
            }
            (Login::Bearer | Login::Header(_), Material::Password { .. }) => {
                return Err(InjectError::WrongKind("a token"));
            }
        };
        Ok(Self { lease: lease.fingerprint, login: login.clone(), value: value(text)?, needles })
    }

    /// Whether it is this lease in the form of this login.
    pub(super) fn is_of(&self, login: &Login, lease: &Lease) -> bool {
        self.lease == lease.fingerprint && self.login == *login
    }

    /// Puts it in, unless its lease has ended by either clock.
    pub(super) fn inject(
        &self,
        headers: &mut HeaderMap,
        lease: &Lease,
        now: Moment,
    ) -> Result<(), InjectError> {
        if !lease.term.holds(now) {
            return Err(InjectError::Ended);
        }
        headers.insert(place(&self.login).clone(), self.value.clone());
        Ok(())
    }
}

/// `user:password` in base 64 (RFC 7617): the name cannot hold a colon.
fn account(username: &str, password: &str) -> Result<Zeroizing<String>, InjectError> {
    if username.contains(':') {
        return Err(InjectError::Unfit);
    }
    let plain = joined([&format!("{username}:"), password]);
    Ok(Zeroizing::new(STANDARD.encode(plain.as_bytes())))
}

/// In one piece from the start: text that grows leaves copies behind.
fn joined([first, second]: [&str; 2]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(first.len() + second.len()));
    text.push_str(first);
    text.push_str(second);
    text
}

/// A header that shares `text`, which is wiped when the last copy of the header is dropped.
fn value(text: Zeroizing<String>) -> Result<HeaderValue, InjectError> {
    if !text.is_ascii() {
        return Err(InjectError::Unfit);
    }
    let shared = Bytes::from_owner(text);
    let mut value = HeaderValue::from_maybe_shared(shared).map_err(|_| InjectError::Unfit)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use super::*;

    /// Whether `secret` stands in this process's memory at this address.
    fn stands_at(address: usize, secret: &str) -> bool {
        let mut there = vec![0; secret.len()];
        let memory = File::open("/proc/self/mem").unwrap();
        memory.read_exact_at(&mut there, address as u64).is_ok() && there == secret.as_bytes()
    }

    /// Long enough to keep a piece of memory of its own; looked at from its middle, for an allocator
    /// writes over the edges of what is given back.
    fn secret() -> String {
        (0..4096u32).map(|at| char::from(b'a' + u8::try_from(at * at % 23).unwrap())).collect()
    }

    #[test]
    fn the_last_copy_of_a_credential_wipes_it() {
        let secret = secret();
        let middle = &secret[1000..1100];
        let wiped = value(joined([&secret, ""])).unwrap();
        let address = wiped.as_bytes().as_ptr() as usize + 1000;
        let copy = wiped.clone();
        assert!(wiped.is_sensitive() && copy.is_sensitive());

        drop(wiped);
        assert!(stands_at(address, middle), "a copy still needs it");
        drop(copy);
        assert!(!stands_at(address, middle));

        let left = (0..20).any(|_| {
            let unwiped = HeaderValue::from_str(&secret).unwrap();
            let address = unwiped.as_bytes().as_ptr() as usize + 1000;
            drop(unwiped);
            stands_at(address, middle)
        });
        assert!(left, "what is not wiped is found, so that this test can fail");
    }
}
