use std::fs;
use std::path::PathBuf;

use postern::fault::codes;
use postern::identify::SourceChange;
use postern_lab::Authority;
use tempfile::TempDir;

use super::*;

/// Files as something like spiffe-helper keeps them.
struct Folder {
    authority: Authority,
    folder: TempDir,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::start(DOMAIN, &folder.path().join("agent.sock")).unwrap();
        let files = Self { authority, folder };
        files.rewrite();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn rewrite(&self) {
        self.authority.mint_x509(ID).unwrap().write_to(self.folder.path()).unwrap();
        self.rewrite_bundles();
        let token = self.authority.mint_jwt(ID, &["vault".to_owned()]).unwrap();
        fs::write(self.path("token"), format!("{token}\n")).unwrap();
    }

    fn rewrite_bundles(&self) {
        fs::write(self.path("bundle.pem"), self.authority.x509_bundle_pem()).unwrap();
        fs::write(self.path("jwks.json"), self.authority.jwks().borrow().as_str()).unwrap();
    }

    fn source(&self) -> IdentitySource {
        IdentitySource::Files {
            svid: self.path("svid.pem"),
            key: self.path("key.pem"),
            bundle: self.path("bundle.pem"),
            jwt_bundle: Some(self.path("jwks.json")),
            token: Some(self.path("token")),
        }
    }
}

#[tokio::test]
async fn svids_anchors_keys_and_a_token_come_from_files_and_follow_them() {
    let files = Folder::new();
    watching(files.source(), &[DOMAIN], async |mut seen: Watched| {
        seen.told(SourceChange::Svids).await;
        assert_eq!(seen.id().as_deref(), Some(ID));
        assert_eq!((seen.anchors(), seen.jwt_keys()), (vec![(DOMAIN.to_owned(), 1)], 1));
        let token = seen.tokens.token("vault").await.unwrap();
        assert_eq!(token.expose().split('.').count(), 3);

        files.authority.rotate().unwrap();
        files.rewrite();
        seen.told(SourceChange::Svids).await;
        seen.until(|seen| seen.anchors() == [(DOMAIN.to_owned(), 2)] && seen.jwt_keys() == 2).await;
    })
    .await;
}

#[tokio::test]
async fn half_rewritten_or_missing_files_change_nothing_until_they_are_whole() {
    let files = Folder::new();
    watching(files.source(), &[DOMAIN], async |mut seen: Watched| {
        seen.told(SourceChange::Svids).await;
        let held = seen.identities.svids.generation();
        let old_key = fs::read(files.path("key.pem")).unwrap();

        files.rewrite();
        let new_key = fs::read(files.path("key.pem")).unwrap();
        fs::write(files.path("key.pem"), &old_key).unwrap();
        let event = seen.told(SourceChange::Failing).await;
        assert_eq!(event.code, Some(codes::IDENTITY_FILE), "{}", event.detail);
        assert!(event.detail.contains("key.pem"), "{}", event.detail);
        assert_eq!((seen.id().as_deref(), seen.identities.svids.generation()), (Some(ID), held));

        fs::write(files.path("key.pem"), &new_key).unwrap();
        seen.told(SourceChange::Recovered).await;
        fs::remove_file(files.path("bundle.pem")).unwrap();
        seen.told(SourceChange::Failing).await;
        assert_eq!(seen.anchors(), [(DOMAIN.to_owned(), 1)]);
        files.rewrite_bundles();
        seen.told(SourceChange::Recovered).await;
    })
    .await;
}

#[tokio::test]
async fn a_token_file_that_holds_no_token_is_refused() {
    let files = Folder::new();
    watching(files.source(), &[DOMAIN], async |seen: Watched| {
        for content in ["", "two words", "line\nline"] {
            fs::write(files.path("token"), content).unwrap();
            let refused = seen.tokens.token("vault").await.unwrap_err();
            assert!(refused.to_string().contains("not a token"), "{refused}");
        }
        fs::remove_file(files.path("token")).unwrap();
        assert!(seen.tokens.token("vault").await.is_err());
    })
    .await;
}
