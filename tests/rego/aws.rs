//! `providers.aws.sign_req`: every request is signed as OPA signs it.

use std::fmt::Write as _;

use crate::{differ, opa, ours};

const REQUESTS: [&str; 13] = [
    r#"{"method": "get", "url": "http://example.com"}"#,
    r#"{"method": "GET", "url": "https://Example.com:8443/?"}"#,
    r#"{"method": "GET", "url": "https://b.example/a/../b//c%2Fd%e9/~x!$&'()*+,;=:@"}"#,
    r#"{"method": "GET", "url": "https://b.example?z=1&a=%20b+c&a&B=/?:@\"<>|^"}"#,
    r#"{"method": "PUT", "url": "https://b.example/k", "headers": {"Foo": " a  b ", "X-Amz-Meta-A": "é", "bar": ""}}"#,
    r#"{"method": "PUT", "url": "https://b.example/k", "headers": {"Host": "other", "x-amz-date": "then", "User-Agent": "u"}}"#,
    r#"{"method": "PUT", "url": "https://b.example/k", "headers": {"authorization": "mine", "X-Amzn-Trace-Id": "t"}}"#,
    r#"{"method": "PUT", "url": "https://b.example/k", "headers": {"X-Amz-Security-Token": "t", "X-Amz-Content-Sha256": "c"}}"#,
    r#"{"method": "POST", "url": "https://b.example/k", "body": {"b": "<&>\u2028\u007f\u0001é\"\\/", "a": [{3, 1, 2}, null, true, -7]}}"#,
    r#"{"method": "POST", "url": "https://b.example/k", "body": "text"}"#,
    r#"{"method": "POST", "url": "https://b.example/k", "raw_body": "a\n<b>", "body": {"a": 1}}"#,
    r#"{"method": "POST", "url": "https://b.example/k", "raw_body": ""}"#,
    r#"{"method": "", "url": "https://b.example/k"}"#,
];

const CONFIGS: [&str; 6] = [
    r#""aws_service": "s3""#,
    r#""aws_service": "glacier", "aws_session_token": "token+/=""#,
    r#""aws_service": "execute-api", "aws_session_token": """#,
    r#""aws_service": "s3", "disable_payload_signing": true"#,
    r#""aws_service": "es", "disable_payload_signing": true, "more": 1"#,
    r#""aws_service": "", "disable_payload_signing": false"#,
];

#[test]
fn requests_of_every_shape_are_signed_as_opa_signs_them() {
    let key =
        r#""aws_access_key": "AKID", "aws_secret_access_key": "wJalr+/=é", "aws_region": "eu-central-1""#;
    let mut module = String::from("package a\n");
    for (r, request) in REQUESTS.iter().enumerate() {
        for (c, config) in CONFIGS.iter().enumerate() {
            let time = ["1451311705000000000", "0", "951782399999999999"][(r + c) % 3];
            let _written = writeln!(
                module,
                "x{r}_{c} := providers.aws.sign_req({request}, {{{key}, {config}}}, {time})"
            );
        }
    }
    let theirs = opa(&module, "data.a").expect("a value");
    assert_eq!(theirs.as_object().map(serde_json::Map::len), Some(REQUESTS.len() * CONFIGS.len()));
    let ours = ours(&module, "data.a").unwrap_or_else(|error| panic!("{error}"));
    differ(&ours.expect("a value"), &theirs, "data.a");
}
