use postern_tests::real::callers::curl;
use postern_tests::real::nginx::Tls;
use postern_tests::real::spire::Options;
use postern_tests::real::{Envoy, Ghostunnel, Nginx, Spire};
use postern_tests::{parts, plain_http, process};

#[test]
fn nginx_speaks_only_the_tls_it_is_told_to_and_asks_for_an_svid() {
    let needs = [Nginx::PROGRAMS, Spire::PROGRAMS, &["curl"]].concat();
    if !parts::present("nginx_speaks_only_the_tls_it_is_told_to_and_asks_for_an_svid", &needs) {
        return;
    }
    let mut spire = Spire::start(&Options::default());
    let caller = spire.client_at("caller");
    spire.entry_named("/caller", &[&format!("unix:path:{}", caller.display())], &["caller.example"]);
    let svid = spire.fetch_x509(&caller).unwrap();
    let (certificate, key) = (svid.certificate.clone(), svid.key.clone());
    let tls = Tls { certificate, key, versions: "TLSv1.2", client_authorities: Some(svid.bundle.clone()) };
    let nginx = Nginx::start(Some(&tls), "location / { return 200 '$ssl_protocol $ssl_client_s_dn'; }");
    let url = format!("https://{}/", nginx.address());

    let old = process::told_by(curl(&svid).arg(&url)).unwrap();
    let new = process::told_by(curl(&svid).args(["--tlsv1.3", &url]));

    assert!(old.starts_with("TLSv1.2 ") && old.contains("CN=caller.example"), "{old}");
    assert!(new.is_err());
    assert_eq!(nginx.access_log().lines().count(), 1);
}

#[test]
fn envoy_answers() {
    if !parts::present("envoy_answers", Envoy::PROGRAMS) {
        return;
    }
    let envoy = Envoy::answering("from envoy");

    let answer = plain_http::ask(envoy.address(), "GET", "/", &[], "").unwrap();

    assert_eq!((answer.status, answer.body.as_str()), (200, "from envoy"));
    assert_eq!(envoy.stat("http.front.downstream_rq_total"), Some(1));
}

#[test]
fn ghostunnel_carries_a_caller_to_a_service_on_svids_of_spire() {
    let needs = [Ghostunnel::PROGRAMS, Nginx::PROGRAMS, Spire::PROGRAMS].concat();
    if !parts::present("ghostunnel_carries_a_caller_to_a_service_on_svids_of_spire", &needs) {
        return;
    }
    let mut spire = Spire::start(&Options::default());
    spire.entry("/tunnel", &[&format!("unix:path:{}", Ghostunnel::path().display())]);
    let id = spire.id("/tunnel");
    let nginx = Nginx::start(None, "location / { return 200 'through the tunnel'; }");
    let far = Ghostunnel::server(&spire.endpoint(), nginx.address(), &[&id]);

    let near = Ghostunnel::client(&spire.endpoint(), far.address(), &[&id]);
    let wrong = Ghostunnel::client(&spire.endpoint(), far.address(), &["spiffe://example.org/other"]);

    let through = plain_http::ask(near.address(), "GET", "/", &[], "").unwrap();
    assert_eq!((through.status, through.body.as_str()), (200, "through the tunnel"));
    assert!(plain_http::ask(wrong.address(), "GET", "/", &[], "").is_err());
}
