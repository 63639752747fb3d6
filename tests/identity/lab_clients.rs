//! The lab's authority serves clients that nobody here wrote: `PyPI`'s `spiffe` and ghostunnel. (Crate `spiffe` is
//! what Postern itself reads it with.)

use std::fs;

use postern_lab::authority::{Authority, Entry};
use postern_tests::real::callers::python_says;
use postern_tests::real::{Ghostunnel, Nginx};
use postern_tests::{parts, plain_http};

const FETCHES: &str = "
import sys
from spiffe import WorkloadApiClient
with WorkloadApiClient(sys.argv[1]) as client:
    x509 = client.fetch_x509_svid()
    jwt = client.fetch_jwt_svid(audience={'vault'})
    known = client.validate_jwt_svid(jwt.token, 'vault')
    anchors = client.fetch_x509_bundles().get_bundle_for_trust_domain(x509.spiffe_id.trust_domain)
    keys = client.fetch_jwt_bundles().get_bundle_for_trust_domain(x509.spiffe_id.trust_domain)
    print(x509.spiffe_id, jwt.spiffe_id, known.spiffe_id, len(anchors.x509_authorities), len(keys.jwt_authorities))
";

#[test]
fn the_labs_authority_serves_the_python_client_by_what_the_kernel_says_of_it() {
    let test = "the_labs_authority_serves_the_python_client_by_what_the_kernel_says_of_it";
    if !parts::present(test, &["python"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::start("lab.example", &folder.path().join("api.sock")).unwrap();

    let refused = python_says(FETCHES, &[&authority.endpoint()]).unwrap_err();
    let interpreter = fs::canonicalize(parts::program("python")).unwrap();
    let id = "spiffe://lab.example/python";
    authority.admit(Entry::for_program(id, &interpreter).unwrap());
    let served = python_says(FETCHES, &[&authority.endpoint()]).unwrap();

    assert!(refused.contains("PermissionDenied") || refused.contains("PERMISSION_DENIED"), "{refused}");
    assert_eq!(served.trim(), format!("{id} {id} {id} 1 1"));
}

#[test]
fn ghostunnel_runs_on_svids_of_the_labs_authority() {
    let test = "ghostunnel_runs_on_svids_of_the_labs_authority";
    if !parts::present(test, &[Ghostunnel::PROGRAMS, Nginx::PROGRAMS].concat()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::start("lab.example", &folder.path().join("api.sock")).unwrap();
    let id = "spiffe://lab.example/tunnel";
    let program = fs::canonicalize(Ghostunnel::path()).unwrap();
    authority.admit(Entry::for_program(id, &program).unwrap());
    let nginx = Nginx::start(None, "location / { return 200 'through the tunnel'; }");

    let far = Ghostunnel::server(&authority.endpoint(), nginx.address(), &[id]);
    let near = Ghostunnel::client(&authority.endpoint(), far.address(), &[id]);
    let answer = plain_http::ask(near.address(), "GET", "/", &[], "").unwrap();

    assert_eq!((answer.status, answer.body.as_str()), (200, "through the tunnel"));
}
