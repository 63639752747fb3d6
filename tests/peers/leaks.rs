use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::Duration;

use postern_tests::estate::{CLERK, Estate, Plan};
use postern_tests::real::Nginx;

use super::present;

#[test]
fn a_redirect_is_the_callers_to_follow_and_the_credential_goes_nowhere_else() {
    let test = "a_redirect_is_the_callers_to_follow_and_the_credential_goes_nowhere_else";
    if !present(test, Nginx::PROGRAMS) {
        return;
    }
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}/", elsewhere.local_addr().unwrap());
    let (mut estate, nginx) = before(&format!("return 302 {target};"));
    let clerk = estate.caller(CLERK);

    let (status, head) = estate.curl(&clerk, "/old", &["--head", "--request", "GET"]).unwrap();

    assert_eq!(status, 302, "{head}");
    assert!(head.to_ascii_lowercase().contains(&format!("location: {target}")), "{head}");
    assert_eq!(nginx.access_log().lines().count(), 1);
    elsewhere.set_nonblocking(true).unwrap();
    assert_eq!(elsewhere.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "somebody went there");
}

#[test]
fn a_credential_that_comes_back_is_masked_and_the_record_says_so() {
    if !present("a_credential_that_comes_back_is_masked_and_the_record_says_so", Nginx::PROGRAMS) {
        return;
    }
    let (mut estate, _nginx) = before(
        "default_type text/plain; add_header X-Echo $http_authorization always;
         return 500 'you sent <$http_authorization> as $remote_user';",
    );
    let clerk = estate.caller(CLERK);

    let (status, told) = estate.curl(&clerk, "/old", &["--include"]).unwrap();

    assert_eq!(status, 500, "{told}");
    let account = &estate.postgres.accounts()[0];
    assert!(told.contains(&format!("> as {account}")), "a user name is no secret: {told}");
    for (before, after) in [("x-echo: Basic ", "\r\n"), ("you sent <Basic ", ">")] {
        let (_, echoed) = told.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {told}"));
        let (echoed, _) = echoed.split_once(after).unwrap();
        // The padding is none of the secret.
        let masked = echoed.trim_end_matches('=');
        assert!(masked.len() > account.len() && masked.bytes().all(|byte| byte == b'*'), "{told}");
    }
    let record = estate.record("request", Duration::from_secs(2), |record| record["route"] == "old");
    assert_eq!((&record["leak"], &record["code"]), (&true.into(), &"PST-FW-009".into()), "{record}");
}

/// An estate with an nginx that does this at `/old`.
fn before(rules: &str) -> (Estate, Nginx) {
    let nginx = Nginx::start(None, &format!("location / {{ {rules} }}"));
    let keys = format!("address: \"{}\"", nginx.address());
    (Estate::start(&Plan::default().with_upstream("old", "/old", &keys)), nginx)
}
