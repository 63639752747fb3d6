use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use postern_lab::{
    Accounts, Authority, Vault,
    vault::{DatabaseRole, Fault, JwtRole},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{json_of, send, until};

const ID: &str = "spiffe://lab.example/postern";

struct Site {
    authority: Authority,
    vault: Vault,
    accounts: Accounts,
    _folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::start("lab.example", &folder.path().join("agent.sock")).unwrap();
        let accounts = Accounts::new();
        let vault = Vault::start(authority.jwks(), accounts.clone()).unwrap();
        vault.put_jwt_role("postern", role(60, 120));
        vault.put_database_role("app", lives(60, 120));
        Self { authority, vault, accounts, _folder: folder }
    }

    async fn ask(&self, method: Method, path: &str, token: &str, body: Value) -> (StatusCode, Value) {
        let bytes = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let request = Request::builder()
            .method(method)
            .uri(format!("/v1/{path}"))
            .header("host", "vault")
            .header("x-vault-token", token)
            .header("x-vault-request", "true")
            .body(Full::new(bytes))
            .unwrap();
        json_of(&send(self.vault.url().strip_prefix("http://").unwrap(), request).await)
    }

    async fn get(&self, path: &str, token: &str) -> (StatusCode, Value) {
        self.ask(Method::GET, path, token, Value::Null).await
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> (StatusCode, Value) {
        self.ask(Method::POST, path, token, body).await
    }

    async fn log_in(&self) -> String {
        let jwt = self.authority.mint_jwt(ID, &["vault".into()]).unwrap();
        let (status, answer) =
            self.post("auth/jwt/login", "", json!({ "role": "postern", "jwt": jwt })).await;
        assert_eq!(status, 200, "{answer}");
        answer["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    async fn lease(&self, token: &str) -> (String, String) {
        let (status, answer) = self.get("database/creds/app", token).await;
        assert_eq!(status, 200, "{answer}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&answer["lease_id"]), text(&answer["data"]["username"]))
    }
}

fn role(ttl: u64, max_ttl: u64) -> JwtRole {
    JwtRole {
        audiences: vec!["vault".into()],
        subject: Some(ID.into()),
        ttl: Duration::from_secs(ttl),
        max_ttl: Duration::from_secs(max_ttl),
        allow: vec!["database/*".into(), "secret/data/app".into(), "sys/leases/revoke".into()],
    }
}

fn lives(ttl: u64, max_ttl: u64) -> DatabaseRole {
    DatabaseRole { ttl: Duration::from_secs(ttl), max_ttl: Duration::from_secs(max_ttl) }
}

#[tokio::test]
async fn a_leased_account_exists_until_its_lease_is_revoked() {
    let site = Site::new();
    let token = site.log_in().await;

    let (status, answer) = site.get("database/creds/app", &token).await;
    let (user, password) =
        (answer["data"]["username"].as_str().unwrap(), answer["data"]["password"].as_str().unwrap());
    assert_eq!(
        (status, &answer["lease_duration"], &answer["renewable"]),
        (StatusCode::OK, &json!(60), &json!(true))
    );
    assert!(site.accounts.log_in(user, password));

    let lease = json!({ "lease_id": answer["lease_id"] });
    let (status, found) = site.post("sys/leases/lookup", &token, lease.clone()).await;
    assert_eq!((status, &found["data"]["ttl"]), (StatusCode::OK, &json!(60)));
    assert_eq!(
        site.post("sys/leases/revoke", &token, lease.clone()).await,
        (StatusCode::NO_CONTENT, Value::Null)
    );

    assert!(!site.accounts.log_in(user, password));
    let gone = site.post("sys/leases/lookup", &token, lease.clone()).await;
    assert_eq!(gone, (StatusCode::BAD_REQUEST, json!({ "errors": ["invalid lease"] })));
    let gone = site.post("sys/leases/renew", &token, lease).await;
    assert_eq!(gone, (StatusCode::BAD_REQUEST, json!({ "errors": ["lease not found"] })));
}

#[tokio::test]
async fn a_lease_ends_by_itself_and_takes_the_account_along() {
    let site = Site::new();
    site.vault.put_database_role("app", lives(1, 10));
    let token = site.log_in().await;

    site.lease(&token).await;
    assert_eq!(site.accounts.users().len(), 1);

    until(|| site.accounts.users().is_empty().then_some(())).await;
    assert!(site.vault.leases().is_empty());
}

#[tokio::test]
async fn renewal_is_capped_by_max_ttl_with_a_warning_and_status_200() {
    let site = Site::new();
    let token = site.log_in().await;
    let (lease, _) = site.lease(&token).await;

    let (status, answer) =
        site.post("sys/leases/renew", &token, json!({ "lease_id": lease, "increment": 90 })).await;
    assert_eq!(
        (status, &answer["lease_duration"], &answer["warnings"]),
        (StatusCode::OK, &json!(90), &Value::Null)
    );

    let (status, answer) =
        site.post("sys/leases/renew", &token, json!({ "lease_id": lease, "increment": "1h" })).await;
    assert_eq!(status, 200);
    assert!(answer["lease_duration"].as_u64().unwrap() <= 120 && answer["warnings"].is_array(), "{answer}");

    let (status, answer) = site.post("auth/token/renew-self", &token, json!({ "increment": "1h" })).await;
    assert_eq!(status, 200);
    assert!(
        answer["auth"]["lease_duration"].as_u64().unwrap() <= 120 && answer["warnings"].is_array(),
        "{answer}"
    );
}

#[tokio::test]
async fn a_tokens_end_is_the_end_of_its_leases() {
    let site = Site::new();
    let token = site.log_in().await;
    site.lease(&token).await;
    site.lease(&token).await;
    assert_eq!((site.accounts.users().len(), site.vault.leases().len()), (2, 2));

    assert_eq!(site.post("auth/token/revoke-self", &token, Value::Null).await.0, 204);
    assert!(site.accounts.users().is_empty());
    assert_eq!(site.get("auth/token/lookup-self", &token).await.0, 403);

    site.vault.put_jwt_role("postern", role(1, 5));
    let token = site.log_in().await;
    site.lease(&token).await;
    until(|| site.accounts.users().is_empty().then_some(())).await;
    assert_eq!(site.get("database/creds/app", &token).await.0, 403);
}

#[tokio::test]
async fn a_login_needs_the_right_role_audience_subject_key_and_time() {
    let site = Site::new();
    let forger = Site::new();
    let mint =
        |authority: &Authority, id: &str, audience: &str| authority.mint_jwt(id, &[audience.into()]).unwrap();
    let good = mint(&site.authority, ID, "vault");
    let stale = site.authority.sign_claims(&json!({ "sub": ID, "aud": ["vault"], "exp": 1 })).unwrap();
    let refused = [
        ("nobody", good.clone()),
        ("", good.clone()),
        ("postern", mint(&site.authority, ID, "elsewhere")),
        ("postern", mint(&site.authority, "spiffe://lab.example/other", "vault")),
        ("postern", mint(&forger.authority, ID, "vault")),
        ("postern", stale),
        ("postern", "not a token".into()),
    ];

    for (role, jwt) in refused {
        let (status, answer) = site.post("auth/jwt/login", "", json!({ "role": role, "jwt": jwt })).await;
        assert_eq!(status, 400, "{role}: {answer}");
    }
    assert_eq!(site.post("auth/jwt/login", "", json!({ "role": "postern", "jwt": good })).await.0, 200);
}

#[tokio::test]
async fn a_login_follows_the_authoritys_rotation() {
    let site = Site::new();
    let old = site.authority.mint_jwt(ID, &["vault".into()]).unwrap();
    site.authority.rotate().unwrap();
    site.log_in().await;
    site.authority.retire();

    let (status, _) = site.post("auth/jwt/login", "", json!({ "role": "postern", "jwt": old })).await;

    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_token_may_do_what_its_role_allows_and_no_more() {
    let site = Site::new();
    let token = site.log_in().await;
    site.vault.put_secret("app", json!({ "username": "a", "password": "b" }));
    site.vault.put_secret("other", json!({}));

    let (status, answer) = site.get("secret/data/app", &token).await;
    assert_eq!((status, &answer["data"]["data"]["password"]), (StatusCode::OK, &json!("b")));
    assert_eq!(site.get("secret/data/other", &token).await.0, 403);
    assert_eq!(site.get("secret/data/app", "").await.0, 403);
    assert_eq!(site.get("database/creds/nobody", &token).await.0, 400);
    assert_eq!(site.ask(Method::DELETE, "database/creds/app", &token, Value::Null).await.0, 405);
}

#[tokio::test]
async fn a_deleted_secret_is_a_404_shaped_like_a_success_and_a_missing_one_an_empty_error() {
    let site = Site::new();
    let root = site.vault.root_token();
    site.vault.put_secret("app", json!({ "password": "old" }));
    site.vault.put_secret("app", json!({ "password": "new" }));
    site.vault.delete_secret("app");

    let (status, answer) = site.get("secret/data/app", &root).await;
    assert_eq!((status, &answer["data"]["data"]), (StatusCode::NOT_FOUND, &Value::Null));
    assert_ne!(answer["data"]["metadata"]["deletion_time"], json!(""));
    assert_eq!(
        site.get("secret/data/app?version=1", &root).await.1["data"]["data"]["password"],
        json!("old")
    );
    assert_eq!(
        site.get("secret/data/nothing", &root).await,
        (StatusCode::NOT_FOUND, json!({ "errors": [] }))
    );
}

#[tokio::test]
async fn a_static_account_changes_its_password_each_period() {
    let site = Site::new();
    site.vault.put_static_role("batch", "batch", Duration::from_secs(1));
    let token = site.log_in().await;

    let (_, first) = site.get("database/static-creds/batch", &token).await;
    let password = first["data"]["password"].as_str().unwrap();
    assert_eq!((&first["lease_id"], &first["data"]["ttl"]), (&json!(""), &json!(1)));
    assert!(site.accounts.log_in("batch", password));

    until(|| (!site.accounts.log_in("batch", password)).then_some(())).await;
}

#[tokio::test]
async fn every_fault_has_its_status_and_health_tells_the_state() {
    let site = Site::new();
    let token = site.log_in().await;
    let elsewhere = Some("http://127.0.0.1:1".to_owned());
    let faults = [
        (Fault::Sealed, 503, 503),
        (Fault::Standby { active: None }, 500, 429),
        (Fault::Standby { active: elsewhere }, 307, 429),
        (Fault::RateLimited { retry_after: Some(2) }, 429, 200),
        (Fault::Failing, 500, 200),
        (Fault::None, 200, 200),
    ];

    for (fault, status, health) in faults {
        site.vault.set_fault(fault.clone());
        assert_eq!(site.get("auth/token/lookup-self", &token).await.0, status, "{fault:?}");
        assert_eq!(site.get("sys/health", "").await.0, health, "{fault:?}");
    }
    site.vault.set_fault(Fault::Standby { active: None });
    assert_eq!(site.get("sys/health?standbyok=true", "").await.0, 200);
    assert_eq!(site.get("sys/health?standbycode=299", "").await.0, 299);
    site.vault.set_fault_at("database/", Fault::Failing);
    assert_eq!(site.get("database/creds/app", &token).await.0, 500);
    assert_eq!(site.get("auth/token/lookup-self", &token).await.0, 200);
}

#[tokio::test]
async fn a_lying_revocation_answers_204_and_the_account_stays() {
    let site = Site::new();
    let token = site.log_in().await;
    let (lease, user) = site.lease(&token).await;
    site.vault.set_fault(Fault::RevokeLies);

    assert_eq!(site.post("sys/leases/revoke", &token, json!({ "lease_id": lease })).await.0, 204);

    assert_eq!(site.accounts.users(), [user]);
    assert_eq!(site.post("sys/leases/lookup", &token, json!({ "lease_id": lease })).await.0, 200);
}

#[tokio::test]
async fn a_vault_that_was_gone_is_back_at_its_port_and_ends_what_is_overdue() {
    let site = Site::new();
    site.vault.put_database_role("app", lives(1, 1));
    let token = site.log_in().await;
    site.lease(&token).await;

    site.vault.stop();
    let address = site.vault.url();
    let refused = tokio::net::TcpStream::connect(address.strip_prefix("http://").unwrap()).await;
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(site.accounts.users().len(), 1, "nobody was there to end it");

    site.vault.serve().unwrap();
    until(|| site.accounts.users().is_empty().then_some(())).await;
    assert_eq!(site.vault.url(), address);
}

#[tokio::test]
async fn calls_are_noted_with_their_token_and_mark_but_without_secrets() {
    let site = Site::new();
    let token = site.log_in().await;
    site.lease(&token).await;

    let calls = site.vault.calls();
    let [login, creds] = calls.as_slice() else { panic!("{calls:?}") };

    assert_eq!((login.path.as_str(), login.status, &login.accessor), ("auth/jwt/login", 200, &None));
    assert_eq!(
        (creds.path.as_str(), creds.method.as_str(), creds.marked),
        ("database/creds/app", "GET", true)
    );
    assert_eq!(creds.accessor.as_ref(), Some(&site.vault.leases()[0].accessor));
    assert!(!format!("{calls:?}").contains(&token));
}
