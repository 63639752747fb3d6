//! Names in a certificate: distinguished names, and the URIs among the alternative names.

use regorus::Value;
use x509_parser::asn1_rs::Oid;
use x509_parser::x509::X509Name;

use super::{Fail, list, object};

/// Go's `pkix.Name`.
pub(super) fn distinguished(name: &X509Name<'_>) -> Result<Value, Fail> {
    const WANT: Fail = Fail::Argument("takes names whose parts are text");
    let (mut common, mut serial) = (String::new(), String::new());
    let (mut lists, mut names) = (vec![Vec::new(); LISTS.len()], Vec::new());
    for attribute in name.iter_attributes() {
        let value = attribute.as_str().map_err(|_| WANT)?;
        let kind = attribute.attr_type().to_id_string();
        match kind.as_str() {
            "2.5.4.3" => value.clone_into(&mut common),
            "2.5.4.5" => value.clone_into(&mut serial),
            kind => {
                let list = LISTS.iter().zip(&mut lists).find(|((_, id), _)| *id == kind);
                if let Some((_, list)) = list {
                    list.push(Value::from(value));
                }
            }
        }
        names.push(object([("Type", numbers(attribute.attr_type())?), ("Value", Value::from(value))]));
    }
    let lists = LISTS.iter().zip(lists).map(|((name, _), items)| (*name, list(items)));
    Ok(object(lists.chain([
        ("CommonName", Value::from(common)),
        ("SerialNumber", Value::from(serial)),
        ("Names", list(names)),
        ("ExtraNames", Value::Null),
    ])))
}

const LISTS: [(&str, &str); 7] = [
    ("Country", "2.5.4.6"),
    ("Locality", "2.5.4.7"),
    ("Organization", "2.5.4.10"),
    ("OrganizationalUnit", "2.5.4.11"),
    ("PostalCode", "2.5.4.17"),
    ("Province", "2.5.4.8"),
    ("StreetAddress", "2.5.4.9"),
];

/// The numbers of an object identifier.
pub(super) fn numbers(id: &Oid<'_>) -> Result<Value, Fail> {
    let numbers = id.iter().ok_or(Fail::Argument("takes identifiers of 64 bits"))?;
    Ok(Value::from(numbers.map(Value::from).collect::<Vec<_>>()))
}

/// Go's `url.URL` of a URI that is written as Go would write it.
pub(super) fn uri(uri: &str) -> Result<Value, Fail> {
    const WANT: Fail =
        Fail::Argument("takes URIs `scheme://host/path?query` or `scheme:rest` with nothing to escape");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/:+=,;$&?".contains(c);
    let (scheme, rest) = uri.split_once(':').filter(|_| uri.chars().all(plain)).ok_or(WANT)?;
    let scheme_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    if !scheme.starts_with(|c: char| c.is_ascii_lowercase()) || !scheme.chars().all(scheme_char) {
        return Err(WANT);
    }
    let (rest, query) = match rest.split_once('?') {
        Some((_, "")) => return Err(WANT),
        Some((rest, query)) => (rest, query),
        None => (rest, ""),
    };
    let (opaque, host, path) = match rest.strip_prefix("//") {
        Some(rest) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            ("", host, path)
        }
        None => (rest, "", ""),
    };
    let host_char = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let (name, port) = host.split_once(':').unwrap_or((host, "1"));
    let good_host = !name.is_empty()
        && name.chars().all(host_char)
        && name.split('.').all(|label| !label.is_empty())
        && !port.is_empty()
        && port.chars().all(|c| c.is_ascii_digit());
    let good_opaque = !opaque.is_empty() && !opaque.starts_with('/');
    if good_host == good_opaque {
        return Err(WANT);
    }
    let no = Value::Bool(false);
    Ok(object([
        ("Scheme", Value::from(scheme)),
        ("Opaque", Value::from(opaque)),
        ("User", Value::Null),
        ("Host", Value::from(host)),
        ("Path", Value::from(path)),
        ("RawPath", Value::from("")),
        ("OmitHost", no.clone()),
        ("ForceQuery", no),
        ("RawQuery", Value::from(query)),
        ("Fragment", Value::from("")),
        ("RawFragment", Value::from("")),
    ]))
}
