use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::{CredentialSource, Issue, material};
use crate::LocalBoxFuture;
use crate::credential::{CredentialError, Material};
use crate::model::Secret;
use crate::state::read_bounded;

/// The largest file that is read.
const MAX_FILE: u64 = 64 * 1024;
/// How long its content is trusted after it was last seen there.
const LIFE: Duration = Duration::from_mins(1);
/// How often it is looked at.
const REFRESH: Duration = Duration::from_secs(1);

/// Why a credential's file could not be used. Says nothing of its content.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// It holds something else.
    #[error(r#"{} holds neither {{"username", "password"}} nor {{"token"}}"#, .0.display())]
    Content(PathBuf),
}

/// A JSON file that something else keeps fresh, replaced by rename.
pub(super) struct FromFile {
    path: PathBuf,
    /// What was read last, and how the file looked then: an unchanged file is not read again.
    last: RefCell<Option<(Look, Secret<Vec<u8>>)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    username: Option<String>,
    password: Option<String>,
    token: Option<String>,
}

impl FromFile {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), last: RefCell::default() }
    }

    async fn read(&self) -> Result<Issue, FileError> {
        let unreadable = |cause| FileError::Read { path: self.path.clone(), cause };
        let look = self.look().await.map_err(unreadable)?;
        let unchanged = self.last.borrow().as_ref().is_some_and(|(seen, _)| *seen == look);
        if !unchanged {
            let bytes = read_bounded(&self.path, MAX_FILE).await.map_err(unreadable)?;
            self.last.replace(Some((look, bytes)));
        }
        let last = self.last.borrow();
        let material = last.as_ref().and_then(|(_, bytes)| parsed(bytes.expose()));
        let material = material.ok_or_else(|| FileError::Content(self.path.clone()))?;
        Ok(Issue { material, life: LIFE, refresh: REFRESH, grip: None })
    }

    async fn look(&self) -> io::Result<Look> {
        use std::os::unix::fs::MetadataExt;
        let seen = tokio::fs::metadata(&self.path).await?;
        Ok(Look { modified: seen.modified().ok(), length: seen.len(), inode: seen.ino() })
    }
}

impl CredentialSource for FromFile {
    fn issue(&self) -> LocalBoxFuture<'_, Result<Issue, CredentialError>> {
        Box::pin(async { self.read().await.map_err(CredentialError::file) })
    }
}

fn parsed(bytes: &[u8]) -> Option<Material> {
    let content: Content = serde_json::from_slice(bytes).ok()?;
    let Content { username, password, token } = content;
    material(username.map(Secret::new), password.map(Secret::new), token.map(Secret::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_gives_an_account_or_a_token_and_is_read_again_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spooler.json");
        let source = FromFile::new(&path);
        assert!(matches!(source.read().await, Err(FileError::Read { .. })));

        std::fs::write(&path, r#"{"username":"u","password":"p"}"#).unwrap();
        let first = source.read().await.unwrap().material;
        assert!(first.is_same_as(&source.read().await.unwrap().material));

        let beside = folder.path().join("new");
        std::fs::write(&beside, r#"{"token":"t"}"#).unwrap();
        std::fs::rename(&beside, &path).unwrap();
        let second = source.read().await.unwrap().material;
        assert!(matches!(second, Material::Token(_)) && !first.is_same_as(&second));
    }

    #[test]
    fn what_could_not_be_put_into_a_protocol_is_not_taken() {
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"username":"u"}"#,
            r#"{"token":""}"#,
            r#"{"token":"a\nb"}"#,
            r#"{"token":"t","also":1}"#,
        ] {
            assert!(parsed(bad.as_bytes()).is_none(), "{bad}");
        }
        let long = format!(r#"{{"token":"{}"}}"#, "a".repeat(9000));
        assert!(parsed(long.as_bytes()).is_none());
    }
}
