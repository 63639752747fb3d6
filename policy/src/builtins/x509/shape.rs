//! Certificates and requests as Go's `encoding/json` writes its own of them.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ParsedPublicKey,
};
use regorus::Value;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::{ParsedCriAttribute, SubjectPublicKeyInfo, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::SignatureAlgorithm;
use x509_parser::time::ASN1Time;
use x509_parser::x509::AlgorithmIdentifier;

use super::extensions::{Extensions, location};
use super::names::{distinguished, numbers};
use super::{Fail, MALFORMED, base64, list, object};

/// Go's `x509.Certificate`, with OPA's `URIStrings`.
pub(super) fn with_texts(certificate: &X509Certificate<'_>) -> Result<Value, Fail> {
    let names = certificate.subject_alternative_name().map_err(|_| MALFORMED)?;
    let names = names.map_or(&[][..], |names| names.value.general_names.as_slice());
    let texts = list(names.iter().filter_map(location).collect());
    let mut shape = self::certificate(certificate)?;
    shape.as_object_mut().map_err(|_| MALFORMED)?.insert(Value::from("URIStrings"), texts);
    Ok(shape)
}

/// Go's `x509.Certificate`.
pub(super) fn certificate(certificate: &X509Certificate<'_>) -> Result<Value, Fail> {
    let tbs = &certificate.tbs_certificate;
    // A first bit that is set makes it negative, which Go does not take.
    if tbs.raw_serial().first().is_none_or(|first| first & 0x80 != 0)
        || tbs.signature != certificate.signature_algorithm
    {
        return Err(MALFORMED);
    }
    let extensions = Extensions::of(tbs.extensions())?;
    let said = [
        ("Raw", base64(certificate.as_raw())),
        ("RawTBSCertificate", base64(tbs.as_ref())),
        ("RawIssuer", base64(tbs.issuer.as_raw())),
        ("RawSubject", base64(tbs.subject.as_raw())),
        ("RawSubjectPublicKeyInfo", base64(tbs.subject_pki.raw)),
        ("Version", Value::from(u64::from(tbs.version.0) + 1)),
        ("SerialNumber", decimal(tbs.raw_serial())?),
        ("Issuer", distinguished(&tbs.issuer)?),
        ("Subject", distinguished(&tbs.subject)?),
        ("NotBefore", moment(&tbs.validity.not_before)),
        ("NotAfter", moment(&tbs.validity.not_after)),
        ("Signature", base64(&certificate.signature_value.data)),
        ("SignatureAlgorithm", signed_by(&certificate.signature_algorithm)?),
    ];
    Ok(object(
        said.into_iter()
            .chain(key(&tbs.subject_pki)?)
            .chain(extensions.members())
            .chain([("PolicyMappings", Value::Null)]),
    ))
}

/// Go's `x509.CertificateRequest`.
pub(super) fn request(request: &X509CertificationRequest<'_>, der: &[u8]) -> Result<Value, Fail> {
    const WANT: Fail =
        Fail::Argument("takes requests with no attribute but extensions that are not critical");
    let info = &request.certification_request_info;
    let mut attributes = Vec::new();
    let mut extensions = Extensions::of(&[])?;
    for attribute in info.attributes() {
        let ParsedCriAttribute::ExtensionRequest(asked) = attribute.parsed_attribute() else {
            return Err(WANT);
        };
        if !attributes.is_empty() || asked.extensions.iter().any(|extension| extension.critical) {
            return Err(WANT);
        }
        extensions = Extensions::of(&asked.extensions)?;
        let values = asked.extensions.iter().map(|extension| {
            Ok(object([("Type", numbers(&extension.oid)?), ("Value", base64(extension.value))]))
        });
        let values = Value::from(values.collect::<Result<Vec<_>, Fail>>()?);
        attributes.push(object([("Type", numbers(&attribute.oid)?), ("Value", Value::from(vec![values]))]));
    }
    let said = [
        ("Raw", base64(der)),
        ("RawTBSCertificateRequest", base64(info.raw)),
        ("RawSubject", base64(info.subject.as_raw())),
        ("RawSubjectPublicKeyInfo", base64(info.subject_pki.raw)),
        ("Version", Value::from(u64::from(info.version.0))),
        ("Subject", distinguished(&info.subject)?),
        ("Attributes", list(attributes)),
        ("Signature", base64(&request.signature_value.data)),
        ("SignatureAlgorithm", signed_by(&request.signature_algorithm)?),
        ("DNSNames", list(extensions.dns)),
        ("EmailAddresses", list(extensions.emails)),
        ("IPAddresses", list(extensions.ips)),
        ("URIs", list(extensions.uris)),
        ("Extensions", list(extensions.all)),
        ("ExtraExtensions", Value::Null),
    ];
    Ok(object(said.into_iter().chain(key(&info.subject_pki)?)))
}

/// Go's number for an algorithm; 0 for one that Go does not know.
fn signed_by(algorithm: &AlgorithmIdentifier<'_>) -> Result<Value, Fail> {
    let number = match algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.4" => 2,
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => 3,
        "1.2.840.113549.1.1.11" => 4,
        "1.2.840.113549.1.1.12" => 5,
        "1.2.840.113549.1.1.13" => 6,
        "1.2.840.10040.4.3" => 7,
        "2.16.840.1.101.3.4.3.2" => 8,
        "1.2.840.10045.4.1" => 9,
        "1.2.840.10045.4.3.2" => 10,
        "1.2.840.10045.4.3.3" => 11,
        "1.2.840.10045.4.3.4" => 12,
        "1.3.101.112" => 16,
        "1.2.840.113549.1.1.10" => match SignatureAlgorithm::try_from(algorithm) {
            Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) => {
                match parameters.hash_algorithm_oid().to_id_string().as_str() {
                    "2.16.840.1.101.3.4.2.1" => 13,
                    "2.16.840.1.101.3.4.2.2" => 14,
                    "2.16.840.1.101.3.4.2.3" => 15,
                    _ => 0,
                }
            }
            _ => return Err(MALFORMED),
        },
        _ => 0_u64,
    };
    Ok(Value::from(number))
}

/// The key and Go's number for its kind.
fn key(info: &SubjectPublicKeyInfo<'_>) -> Result<[(&'static str, Value); 2], Fail> {
    const WANT: Fail = Fail::Argument("takes keys of RSA, P-256, P-384, P-521 and Ed25519");
    let data = info.subject_public_key.data.as_ref();
    let (number, key) = match info.parsed() {
        _ if info.algorithm.algorithm.to_id_string() == "1.3.101.112" => (4_u64, base64(data)),
        Ok(PublicKey::RSA(key)) => (1, object([("N", decimal(key.modulus)?), ("E", decimal(key.exponent)?)])),
        Ok(PublicKey::EC(_)) => {
            let curve =
                info.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok()).ok_or(WANT)?;
            let curve = match curve.to_id_string().as_str() {
                "1.2.840.10045.3.1.7" => &ECDSA_P256_SHA256_ASN1,
                "1.3.132.0.34" => &ECDSA_P384_SHA384_ASN1,
                "1.3.132.0.35" => &ECDSA_P521_SHA512_ASN1,
                _ => return Err(WANT),
            };
            // Both coordinates are written out, and the point lies on its curve.
            let halves = data.split_first().filter(|(form, _)| **form == 4).map(|(_, halves)| halves);
            let (x, y) = halves.and_then(|halves| halves.split_at_checked(halves.len() / 2)).ok_or(WANT)?;
            ParsedPublicKey::new(curve, data).map_err(|_| WANT)?;
            (3, object([("Curve", object([])), ("X", decimal(x)?), ("Y", decimal(y)?)]))
        }
        _ => return Err(WANT),
    };
    Ok([("PublicKeyAlgorithm", Value::from(number)), ("PublicKey", key)])
}

/// A number of big-endian bytes.
fn decimal(bytes: &[u8]) -> Result<Value, Fail> {
    const WANT: Fail = Fail::Limit("numbers of at most 8192 bits");
    if bytes.len() > 1_025 {
        return Err(WANT);
    }
    // Groups of nine decimal digits, the lowest first.
    let mut groups = vec![0_u64];
    let (odd, whole) = bytes.split_at(bytes.len() % 4);
    for part in std::iter::once(odd).chain(whole.chunks(4)) {
        let mut carry = part.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        for group in &mut groups {
            let sum = (*group << 32) + carry;
            *group = sum % 1_000_000_000;
            carry = sum / 1_000_000_000;
        }
        while carry > 0 {
            groups.push(carry % 1_000_000_000);
            carry /= 1_000_000_000;
        }
    }
    let mut digits: String = groups.iter().rev().map(|group| format!("{group:09}")).collect();
    let zeros = digits.len() - digits.trim_start_matches('0').len();
    digits.drain(..zeros.min(digits.len() - 1));
    Value::from_numeric_string(&digits).map_err(|_| WANT)
}

/// RFC 3339, as Go writes it.
fn moment(time: &ASN1Time) -> Value {
    let at = time.to_datetime();
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    let month = u8::from(month);
    Value::from(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}
