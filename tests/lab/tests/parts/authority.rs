use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use postern_lab::{Authority, authority::Entry};
use spiffe::{JwtSvid, TrustDomain, WorkloadApiClient, WorkloadApiError, X509Context};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_stream::StreamExt;

use super::{PATIENCE, caller_program, own_program};

const ID: &str = "spiffe://lab.example/test";

struct Site {
    authority: Authority,
    folder: TempDir,
}

impl Site {
    /// An authority that knows this very test as [`ID`].
    fn new() -> Self {
        let site = Self::without_entries();
        site.authority.admit(Entry::for_program(ID, &own_program()).unwrap());
        site
    }

    fn without_entries() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::start("lab.example", &folder.path().join("agent.sock")).unwrap();
        Self { authority, folder }
    }

    async fn client(&self) -> WorkloadApiClient {
        WorkloadApiClient::connect_to(self.authority.endpoint()).await.unwrap()
    }

    fn run(&self, program: &Path) -> Output {
        let mut command = Command::new(program);
        command.arg("caller").env("SPIFFE_ENDPOINT_SOCKET", self.authority.endpoint());
        loop {
            match command.output() {
                // A program just written, its descriptor still held by what another test is starting.
                Err(busy) if busy.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
                output => return output.unwrap(),
            }
        }
    }
}

fn authorities_in(context: &X509Context) -> usize {
    let trust_domain = TrustDomain::new("lab.example").unwrap();
    context.bundle_set().get(&trust_domain).unwrap().authorities().len()
}

fn leaf_of(context: &X509Context) -> Vec<u8> {
    context.default_svid().unwrap().cert_chain()[0].as_bytes().to_vec()
}

async fn next<T, E: std::fmt::Debug>(
    stream: &mut (impl tokio_stream::Stream<Item = Result<T, E>> + Unpin),
) -> Result<T, E> {
    tokio::time::timeout(PATIENCE, stream.next()).await.expect("a message in time").expect("not the end")
}

#[tokio::test]
async fn an_attested_process_gets_x509_and_jwt_svids_and_both_bundles() {
    let site = Site::new();
    let client = site.client().await;

    let context = client.fetch_x509_context().await.unwrap();
    let token = client.fetch_jwt_svid(["vault"], None).await.unwrap();
    let bundles = client.fetch_jwt_bundles().await.unwrap();

    assert_eq!(context.default_svid().unwrap().spiffe_id().to_string(), ID);
    assert_eq!(authorities_in(&context), 1);
    assert_eq!(client.fetch_x509_bundles().await.unwrap().len(), 1);
    assert_eq!(token.spiffe_id().to_string(), ID);
    JwtSvid::parse_and_validate(token.token(), &bundles, &["vault"]).expect("a foreign verifier accepts it");
    client.validate_jwt_token("vault", token.token()).await.expect("so does the authority");
    let other = client.validate_jwt_token("elsewhere", token.token()).await.unwrap_err();
    assert!(other.is_invalid_argument(), "{other}");
}

#[tokio::test]
async fn a_stream_brings_a_new_svid_at_half_its_life_before_the_old_one_ends() {
    let site = Site::new();
    site.authority.set_x509_ttl(Duration::from_secs(4));
    let client = site.client().await;
    let mut contexts = Box::pin(client.stream_x509_contexts().await.unwrap());

    let first = next(&mut contexts).await.unwrap();
    let begun = tokio::time::Instant::now();
    let second = next(&mut contexts).await.unwrap();
    let waited = begun.elapsed();

    assert_ne!(leaf_of(&first), leaf_of(&second));
    assert!(waited > Duration::from_millis(1600) && waited < Duration::from_millis(3900), "{waited:?}");
}

#[tokio::test]
async fn old_and_new_authorities_are_both_trusted_until_the_old_is_retired() {
    let site = Site::new();
    let client = site.client().await;
    let mut contexts = Box::pin(client.stream_x509_contexts().await.unwrap());
    let before = next(&mut contexts).await.unwrap();
    let token = client.fetch_jwt_svid(["vault"], None).await.unwrap();

    site.authority.rotate().unwrap();
    let both = next(&mut contexts).await.unwrap();
    client.validate_jwt_token("vault", token.token()).await.expect("the old key is still in the bundle");
    site.authority.retire();
    let after = next(&mut contexts).await.unwrap();

    assert_eq!([&before, &both, &after].map(authorities_in), [1, 2, 1]);
    assert_ne!(leaf_of(&before), leaf_of(&both));
    assert!(client.validate_jwt_token("vault", token.token()).await.is_err());
}

#[tokio::test]
async fn who_is_not_attested_is_denied_and_who_is_dismissed_loses_its_stream() {
    let site = Site::without_entries();
    let client = site.client().await;
    assert!(matches!(client.fetch_x509_svid().await, Err(WorkloadApiError::NoIdentityIssued)));
    assert!(client.fetch_jwt_svid(["vault"], None).await.is_err());
    assert!(client.fetch_jwt_bundles().await.is_err());

    site.authority.admit(Entry::for_program(ID, &own_program()).unwrap());
    let mut contexts = Box::pin(client.stream_x509_contexts().await.unwrap());
    next(&mut contexts).await.expect("now it is a workload");
    site.authority.dismiss(ID);

    assert!(matches!(next(&mut contexts).await, Err(WorkloadApiError::NoIdentityIssued)));
}

#[tokio::test]
async fn a_token_is_only_given_for_an_audience_and_for_an_id_the_caller_has() {
    let site = Site::new();
    let client = site.client().await;

    let nobody = client.fetch_jwt_svid([""], None).await.unwrap_err();
    let other = "spiffe://lab.example/other".parse().unwrap();
    let theirs = client.fetch_jwt_svid(["vault"], Some(&other)).await;

    assert!(nobody.is_invalid_argument(), "{nobody}");
    assert!(matches!(theirs, Err(WorkloadApiError::PermissionDenied(_))), "{theirs:?}");
}

#[tokio::test]
async fn a_call_without_the_security_header_is_an_invalid_argument() {
    let site = Site::new();
    let address = site.folder.path().join("agent.sock");
    let socket = tokio::net::UnixStream::connect(address).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(socket);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);

    for header in [None, Some("True"), Some("false")] {
        let mut request = http::Request::post("http://localhost/SpiffeWorkloadAPI/FetchX509SVID")
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(value) = header {
            request = request.header("workload.spiffe.io", value);
        }
        let body = http_body_util::Full::new(bytes::Bytes::from_static(&[0; 5]));
        let answer = sender.send_request(request.body(body).unwrap()).await.unwrap();

        assert_eq!(answer.headers()["grpc-status"], "3", "{header:?}");
    }
}

#[tokio::test]
async fn an_agent_that_was_killed_serves_again_at_the_same_socket() {
    let site = Site::new();
    let client = site.client().await;
    let mut contexts = Box::pin(client.stream_x509_contexts().await.unwrap());
    next(&mut contexts).await.unwrap();

    site.authority.stop();
    let cut = tokio::time::timeout(PATIENCE, contexts.next()).await.expect("the stream ends");
    assert!(!matches!(cut, Some(Ok(_))));
    assert!(WorkloadApiClient::connect_to(site.authority.endpoint()).await.is_err());

    site.authority.serve().unwrap();
    site.client().await.fetch_x509_svid().await.expect("the same entries still hold");
}

#[tokio::test]
async fn a_federated_bundle_comes_and_goes_with_the_federation() {
    let site = Site::new();
    let partner = Site::without_entries();
    let client = site.client().await;
    let mut contexts = Box::pin(client.stream_x509_contexts().await.unwrap());
    next(&mut contexts).await.unwrap();

    site.authority.federate("partner.example", Some(partner.authority.bundle()));
    assert_eq!(next(&mut contexts).await.unwrap().bundle_set().len(), 2);
    assert_eq!(client.fetch_jwt_bundles().await.unwrap().len(), 2);

    site.authority.federate("partner.example", None);
    assert_eq!(next(&mut contexts).await.unwrap().bundle_set().len(), 1);
}

#[test]
fn a_copy_is_known_by_its_path_and_digest_and_one_changed_byte_refuses_it() {
    let site = Site::without_entries();
    let program = site.folder.path().join("billing");
    fs::copy(caller_program(), &program).unwrap();
    site.authority.admit(Entry::for_program("spiffe://lab.example/billing", &program).unwrap());

    let known = site.run(&program);
    let elsewhere = site.run(caller_program());
    fs::OpenOptions::new().append(true).open(&program).unwrap().write_all(b"!").unwrap();
    let altered = site.run(&program);
    fs::copy(caller_program(), &program).unwrap();
    let restored = site.run(&program);

    assert_eq!(String::from_utf8_lossy(&known.stdout), "spiffe://lab.example/billing\n");
    assert!(
        !elsewhere.status.success() && String::from_utf8_lossy(&elsewhere.stderr).contains("no identity")
    );
    assert!(!altered.status.success() && String::from_utf8_lossy(&altered.stderr).contains("no identity"));
    assert!(restored.status.success());
}

#[tokio::test]
async fn a_client_that_names_the_socket_as_its_authority_is_answered() {
    let site = Site::new();
    let mut socket = tokio::net::UnixStream::connect(site.folder.path().join("agent.sock")).await.unwrap();
    let literal = |name: &str, value: &str| {
        let length = |text: &str| u8::try_from(text.len()).unwrap();
        [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
    };
    // `:method: POST` and `:scheme: http` by index, the rest spelt out as grpc-core does.
    let mut block = vec![0x83, 0x86];
    block.extend(literal(":path", "/SpiffeWorkloadAPI/FetchX509SVID"));
    block.extend(literal(":authority", "run%2Fagent.sock"));
    block.extend(literal("content-type", "application/grpc"));
    block.extend(literal("te", "trailers"));
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    sent.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    sent.extend([0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    sent.extend(block);
    socket.write_all(&sent).await.unwrap();

    // Frames of stream 0 aside, the first must be HEADERS (1) and not RST_STREAM (3).
    let first = async {
        loop {
            let mut head = [0; 9];
            socket.read_exact(&mut head).await.unwrap();
            let length = usize::from(head[1]) << 8 | usize::from(head[2]);
            socket.read_exact(&mut vec![0; length]).await.unwrap();
            if head[8] == 1 {
                return head[3];
            }
        }
    };

    assert_eq!(tokio::time::timeout(PATIENCE, first).await.expect("an answer"), 1);
}
