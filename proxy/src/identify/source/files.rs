use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::IdentitySource;
use crate::identify::error::{FileProblem, IdentifyError};
use crate::identify::jwk::JwtKey;
use crate::identify::pem::{certificates, fitting, read_apart};
use crate::model::Secret;

use super::{Output, SourceChange};

/// How often the files are looked at. They are small and compared whole: neither a time stamp nor
/// an inode number tells a rewritten file from an old one for certain.
const EVERY: Duration = Duration::from_secs(1);

/// The files as they were read; what is in them is not understood yet.
struct Read {
    svid: Secret<Vec<u8>>,
    key: Secret<Vec<u8>>,
    bundle: Secret<Vec<u8>>,
    jwt_bundle: Option<Secret<Vec<u8>>>,
}

impl Read {
    fn equals(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }

    fn bytes(&self) -> [Option<&Vec<u8>>; 4] {
        [Some(&self.svid), Some(&self.key), Some(&self.bundle), self.jwt_bundle.as_ref()]
            .map(|file| file.map(Secret::expose))
    }
}

/// Follows the files, for ever. What cannot be used, for instance a certificate whose key has not
/// been rewritten yet, is told once and left until the files change again.
pub(super) async fn follow(files: &IdentitySource, out: &RefCell<Output>) {
    let mut last: Option<Read> = None;
    let mut last_was_good = false;
    let mut failing = false;
    loop {
        let taken = match read_all(files).await {
            Ok(now) if last.as_ref().is_some_and(|last| last.equals(&now)) => last_was_good.then_some(Ok(())),
            Ok(now) => {
                let taken = take(files, &now, &mut out.borrow_mut());
                (last, last_was_good) = (Some(now), taken.is_ok());
                Some(taken)
            }
            Err(error) => Some(Err(error)),
        };
        match taken {
            Some(Ok(())) if std::mem::take(&mut failing) => {
                out.borrow().tell(SourceChange::Recovered, None, None, "files".to_owned());
            }
            Some(Err(error)) if !std::mem::replace(&mut failing, true) => {
                out.borrow().tell_failure(SourceChange::Failing, &error);
            }
            _ => {}
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// The JWT-SVID that something else keeps fresh for us.
pub(super) async fn token(file: Option<&PathBuf>) -> Result<Secret<String>, IdentifyError> {
    let Some(file) = file else {
        return Err(IdentifyError::file("identity.files.token", FileProblem::NotConfigured));
    };
    let bytes = read_apart(file).await?;
    let text = std::str::from_utf8(bytes.expose()).map(str::trim).unwrap_or_default();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(IdentifyError::file(file, FileProblem::NotAToken));
    }
    Ok(Secret::new(text.to_owned()))
}

async fn read_all(files: &IdentitySource) -> Result<Read, IdentifyError> {
    let IdentitySource::Files { svid, key, bundle, jwt_bundle, .. } = files else {
        return Err(IdentifyError::file("identity.files", FileProblem::NotConfigured));
    };
    let jwt_bundle = match jwt_bundle {
        Some(file) => Some(read_apart(file).await?),
        None => None,
    };
    Ok(Read {
        svid: read_apart(svid).await?,
        key: read_apart(key).await?,
        bundle: read_apart(bundle).await?,
        jwt_bundle,
    })
}

/// Everything is understood before anything is published.
fn take(files: &IdentitySource, read: &Read, out: &mut Output) -> Result<(), IdentifyError> {
    let IdentitySource::Files { svid, key, bundle, jwt_bundle, .. } = files else { return Ok(()) };
    let own = fitting(svid, &read.svid, key, &read.key)?;
    let anchors = certificates(&read.bundle).map_err(|problem| IdentifyError::file(bundle, problem))?;
    let keys = match (&read.jwt_bundle, jwt_bundle) {
        (Some(jwks), Some(file)) => Some(
            JwtKey::set(jwks.expose()).ok_or_else(|| IdentifyError::file(file, FileProblem::NotAJwkSet))?,
        ),
        _ => None,
    };
    // The files hold our own trust domain's bundle; like any other, it counts only if it is listed.
    if let Some(domain) = out.listed(own.id().trust_domain()) {
        let anchors = anchors.iter().map(|anchor| anchor.as_ref().to_vec()).collect();
        out.set_anchors(BTreeMap::from([(domain.clone(), anchors)]));
        let keys = keys.map(|keys| BTreeMap::from([(domain, Arc::from(keys))]));
        out.set_keys(keys.unwrap_or_default());
    }
    out.set_svids(vec![own]);
    Ok(())
}
