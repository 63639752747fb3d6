//! Certificates that are taken although their issuer departs from the standard where nothing here
//! hangs on it: the operator is told, once for each identity.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::model::SpiffeId;

/// So many are told in the life of a process; a fleet of misissued certificates is no more news.
const MOST: usize = 256;

/// How an SVID departs from the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(super) enum Oddity {
    /// X509-SVID 4.3.
    #[error("its key usage is not marked critical")]
    UsageNotCritical,
    /// X509-SVID 4.4.
    #[error("its extended key usage lacks clientAuth: it can serve, and cannot call")]
    NoClientAuth,
    /// X509-SVID 4.4.
    #[error("its extended key usage lacks serverAuth: it can call, and cannot serve")]
    NoServerAuth,
}

/// What was told.
pub(super) struct Told(BTreeSet<(String, Oddity)>);

impl Told {
    pub(super) const fn nothing() -> Self {
        Self(BTreeSet::new())
    }

    /// Whether this has not been told yet and may be.
    pub(super) fn is_news(&mut self, id: &SpiffeId, oddity: Oddity) -> bool {
        self.0.len() < MOST && self.0.insert((id.to_string(), oddity))
    }
}

/// Tells of what is odd about a certificate that was taken.
pub(super) fn tell(id: &SpiffeId, oddities: impl Iterator<Item = Oddity>) {
    // Of the whole process, for listeners, upstreams and our own certificates alike.
    static TOLD: Mutex<Told> = Mutex::new(Told::nothing());
    for oddity in oddities {
        if TOLD.lock().unwrap_or_else(PoisonError::into_inner).is_news(id, oddity) {
            tracing::warn!(%id, "an X.509-SVID is not as it should have been issued: {oddity}");
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::ExtendedKeyUsagePurpose;

    use super::*;
    use crate::identify::certificate::Leaf;
    use crate::identify::mint::{CALLER, Ca, DOMAIN, extension, leaf};

    fn oddities(params: &rcgen::CertificateParams) -> Vec<Oddity> {
        Leaf::read(&Ca::new(DOMAIN).sign(params).der).unwrap().oddities().collect()
    }

    #[test]
    fn x10_a_key_usage_that_is_not_critical_is_odd() {
        assert_eq!(oddities(&leaf(CALLER)), []);
        let mut params = leaf(CALLER);
        params.key_usages.clear();
        // digitalSignature alone, as a bit string of one bit.
        params.custom_extensions = vec![extension(&[2, 5, 29, 15], vec![3, 2, 7, 0x80], false)];
        assert_eq!(oddities(&params), [Oddity::UsageNotCritical]);
    }

    #[test]
    fn x11_one_purpose_of_the_two_is_odd_and_none_is_not() {
        let with = |purposes: &[ExtendedKeyUsagePurpose]| {
            let mut params = leaf(CALLER);
            params.extended_key_usages = purposes.to_vec();
            oddities(&params)
        };
        assert_eq!(with(&[ExtendedKeyUsagePurpose::ClientAuth]), [Oddity::NoServerAuth]);
        assert_eq!(with(&[ExtendedKeyUsagePurpose::ServerAuth]), [Oddity::NoClientAuth]);
        assert_eq!(with(&[]), []);
    }

    #[test]
    fn each_oddity_of_an_identity_is_told_once_and_a_fleet_of_them_not_for_ever() {
        let mut told = Told::nothing();
        let id = |number: usize| format!("spiffe://{DOMAIN}/{number}").parse::<SpiffeId>().unwrap();
        assert!(told.is_news(&id(0), Oddity::NoClientAuth));
        assert!(!told.is_news(&id(0), Oddity::NoClientAuth));
        assert!(told.is_news(&id(0), Oddity::UsageNotCritical));
        let more = (1..1000).filter(|number| told.is_news(&id(*number), Oddity::NoClientAuth)).count();
        assert_eq!(more, MOST - 2);
    }
}
