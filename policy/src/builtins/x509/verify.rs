//! `crypto.x509.parse_and_verify_certificates`: the first certificate is the root, the last is the leaf.

use std::time::Duration;

use regorus::Value;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{
    ALL_VERIFICATION_ALGS, EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage,
    RequiredEkuNotFoundContext, anchor_from_trusted_cert,
};
use x509_parser::asn1_rs::{FromDer as _, Oid};
use x509_parser::oid_registry::OID_X509_EXT_EXTENDED_KEY_USAGE;
use x509_parser::prelude::X509Certificate;

use super::{Fail, MALFORMED, parsed, read, shape, text};
use crate::builtins::time_now::NO_TIME;
use crate::builtins::turn;

/// `crypto.x509.parse_and_verify_certificates(text)`, for a server at the time of the request.
pub(crate) fn verified(args: &[Value]) -> Result<Value, Fail> {
    let [certificates] = args else { return Err(Fail::Argument("takes one text")) };
    let wanted = Wanted { usages: vec![SERVER], name: None, at: now()? };
    verify(text(certificates)?, &wanted, shape::with_texts)
}

/// The same with `DNSName`, `CurrentTime` in nanoseconds, `KeyUsages` and `MaxConstraintComparisons`.
pub(crate) fn verified_with(args: &[Value]) -> Result<Value, Fail> {
    const WANT: Fail =
        Fail::Argument("takes the options DNSName, CurrentTime, KeyUsages and MaxConstraintComparisons");
    let [certificates, Value::Object(options)] = args else {
        return Err(Fail::Argument("takes a text and an object"));
    };
    let mut wanted = Wanted { usages: Vec::new(), name: None, at: 0 };
    let mut at = None;
    for (name, value) in options.iter() {
        match (text(name)?, value) {
            ("DNSName", Value::String(name)) => wanted.name = Some(name.to_string()),
            ("CurrentTime", value) => at = Some(value.as_u64().map_err(|_| WANT)? / 1_000_000_000),
            // There are no constraints of names to compare.
            ("MaxConstraintComparisons", value) => drop(value.as_u64().map_err(|_| WANT)?),
            ("KeyUsages", Value::Array(usages)) => {
                wanted.usages = usages.iter().map(usage).collect::<Result<_, _>>()?;
            }
            ("KeyUsages", Value::Set(usages)) => {
                wanted.usages = usages.iter().map(usage).collect::<Result<_, _>>()?;
            }
            _ => return Err(WANT),
        }
    }
    if wanted.usages.is_empty() {
        wanted.usages.push(SERVER);
    }
    wanted.at = at.map_or_else(now, Ok)?;
    // OPA does not add the texts of the URIs here.
    verify(text(certificates)?, &wanted, shape::certificate)
}

/// What a chain is held against.
struct Wanted {
    /// One of which every certificate must allow.
    usages: Vec<Purpose>,
    name: Option<String>,
    /// Unix seconds.
    at: u64,
}

/// A purpose of RFC 5280, 4.2.1.12: the last number of its identifier.
#[derive(Clone, Copy)]
struct Purpose(usize);

const SERVER: Purpose = Purpose(1);

impl Purpose {
    fn is(self, id: &[usize]) -> bool {
        const ANY: [usize; 5] = [2, 5, 29, 37, 0];
        id == ANY || id == [1, 3, 6, 1, 5, 5, 7, 3, self.0]
    }
}

/// As Go has it: a certificate that names no purpose allows each.
impl ExtendedKeyUsageValidator for Purpose {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        let mut none = true;
        for purpose in purposes {
            none = false;
            if self.is(&purpose?.to_decoded_oid()) {
                return Ok(());
            }
        }
        let missing = RequiredEkuNotFoundContext { required: KeyUsage::server_auth(), present: Vec::new() };
        if none { Ok(()) } else { Err(Error::RequiredEkuNotFoundContext(missing)) }
    }
}

fn now() -> Result<u64, Fail> {
    turn::now().ok_or(NO_TIME)
}

fn usage(name: &Value) -> Result<Purpose, Fail> {
    let last = match text(name)? {
        "KeyUsageServerAuth" => 1,
        "KeyUsageClientAuth" => 2,
        "KeyUsageCodeSigning" => 3,
        "KeyUsageEmailProtection" => 4,
        "KeyUsageIPSECEndSystem" => 5,
        "KeyUsageIPSECTunnel" => 6,
        "KeyUsageIPSECUser" => 7,
        "KeyUsageTimeStamping" => 8,
        "KeyUsageOCSPSigning" => 9,
        _ => {
            return Err(Fail::Argument(
                "takes the usages KeyUsageServerAuth to KeyUsageOCSPSigning of RFC 5280",
            ));
        }
    };
    Ok(Purpose(last))
}

/// `[true, chain]`, the leaf first, or `[false, []]`.
fn verify(
    certificates: &str,
    wanted: &Wanted,
    shape: fn(&X509Certificate<'_>) -> Result<Value, Fail>,
) -> Result<Value, Fail> {
    let read = read(certificates)?;
    let Some(chain) = chain(&read, wanted)? else {
        return Ok(Value::from(vec![Value::Bool(false), Value::from(Vec::new())]));
    };
    let shapes = chain.iter().map(shape);
    let shapes = shapes.collect::<Result<Vec<_>, Fail>>()?;
    Ok(Value::from(vec![Value::Bool(true), Value::from(shapes)]))
}

/// The chain from the leaf to the root; none when there is none that holds.
fn chain<'a>(read: &'a [Vec<u8>], wanted: &Wanted) -> Result<Option<Vec<X509Certificate<'a>>>, Fail> {
    let [root, between @ .., leaf] = read else { return Ok(None) };
    let root_der = CertificateDer::from(root.as_slice());
    let anchor = [anchor_from_trusted_cert(&root_der).map_err(|_| MALFORMED)?];
    let between: Vec<CertificateDer<'_>> =
        between.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let leaf_der = CertificateDer::from(leaf.as_slice());
    let end = EndEntityCert::try_from(&leaf_der).map_err(|_| MALFORMED)?;
    let root = parsed(root)?;
    let all = read.iter().map(|der| parsed(der)).collect::<Result<Vec<_>, Fail>>()?;
    for certificate in &all {
        // What Go takes into account and this chain is not built by.
        shape::certificate(certificate)?;
    }
    if let Some(name) = &wanted.name {
        let name =
            ServerName::try_from(name.as_str()).map_err(|_| Fail::Argument("takes a DNSName that is one"))?;
        match end.verify_is_valid_for_subject_name(&name) {
            Ok(()) => {}
            Err(Error::CertNotValidForName(_)) => return Ok(None),
            Err(_) => return Err(MALFORMED),
        }
    }
    for usage in &wanted.usages {
        if !allows(&root, *usage) {
            continue;
        }
        let time = UnixTime::since_unix_epoch(Duration::from_secs(wanted.at));
        match end.verify_for_usage(ALL_VERIFICATION_ALGS, &anchor, &between, time, *usage, None, None) {
            Ok(path) => {
                let mut chain = vec![parsed(leaf)?];
                for intermediate in path.intermediate_certificates() {
                    let der = intermediate.der();
                    let at = read.iter().find(|known| known.as_slice() == der.as_ref()).ok_or(MALFORMED)?;
                    chain.push(parsed(at)?);
                }
                chain.push(root);
                return Ok(holds(&chain, wanted.at).then_some(chain));
            }
            Err(
                Error::UnknownIssuer
                | Error::CertExpired { .. }
                | Error::CertNotValidYet { .. }
                | Error::InvalidSignatureForPublicKey
                | Error::EndEntityUsedAsCa
                | Error::PathLenConstraintViolated
                | Error::RequiredEkuNotFoundContext(_),
            ) => {}
            Err(_) => return Err(Fail::Argument("takes a chain whose certificates can be judged")),
        }
    }
    Ok(None)
}

/// What Go asks of the whole chain, the root too.
fn holds(chain: &[X509Certificate<'_>], at: u64) -> bool {
    let at = i64::try_from(at).unwrap_or(i64::MAX);
    chain.iter().enumerate().all(|(below, certificate)| {
        let validity = certificate.validity();
        let in_time = validity.not_before.timestamp() <= at && at <= validity.not_after.timestamp();
        let signs = || {
            let constraints = certificate.basic_constraints().ok().flatten();
            let authority = constraints.is_some_and(|constraints| {
                let most = constraints.value.path_len_constraint;
                // The leaf does not count.
                constraints.value.ca && most.is_none_or(|most| u64::from(most) >= below as u64 - 1)
            });
            let usage = certificate.key_usage().ok().flatten();
            authority && usage.is_none_or(|usage| usage.value.key_cert_sign())
        };
        in_time && (below == 0 || signs())
    })
}

/// Whether a root allows a purpose, which is not asked of it where the chain is built.
fn allows(root: &X509Certificate<'_>, purpose: Purpose) -> bool {
    let said = root.extensions().iter().find(|extension| extension.oid == OID_X509_EXT_EXTENDED_KEY_USAGE);
    let Some(said) = said else { return true };
    let Ok((_, ids)) = <Vec<Oid<'_>>>::from_der(said.value) else { return false };
    let numbers =
        |id: &Oid<'_>| Some(id.iter()?.map_while(|number| usize::try_from(number).ok()).collect::<Vec<_>>());
    ids.iter().filter_map(numbers).any(|id| purpose.is(&id))
}
