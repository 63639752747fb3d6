//! The extensions of a certificate or a request.

use std::collections::BTreeSet;
use std::net::IpAddr;

use regorus::Value;
use x509_parser::asn1_rs::{FromDer as _, Oid};
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension, X509Extension};

use super::names::{numbers, uri};
use super::{Fail, MALFORMED, base64, list, object};

/// What the extensions say.
#[derive(Default)]
pub(super) struct Extensions {
    pub(super) all: Vec<Value>,
    pub(super) dns: Vec<Value>,
    pub(super) emails: Vec<Value>,
    pub(super) ips: Vec<Value>,
    pub(super) uris: Vec<Value>,
    unhandled: Vec<Value>,
    authority_key: Option<Value>,
    subject_key: Option<Value>,
    points: Vec<Value>,
    ocsp: Vec<Value>,
    issuers: Vec<Value>,
    policies: Vec<Value>,
    policy_numbers: Vec<Value>,
    usages: Vec<Value>,
    unknown_usages: Vec<Value>,
    key_usage: u16,
    /// Whether it is a CA, and how many stand below it at most.
    constraints: Option<(bool, Option<u32>)>,
}

impl Extensions {
    pub(super) fn of(extensions: &[X509Extension<'_>]) -> Result<Self, Fail> {
        let mut known = BTreeSet::new();
        let mut said = Self::default();
        for extension in extensions {
            if !known.insert(extension.oid.to_id_string()) {
                return Err(MALFORMED);
            }
            said.all.push(object([
                ("Id", numbers(&extension.oid)?),
                ("Critical", Value::Bool(extension.critical)),
                ("Value", base64(extension.value)),
            ]));
            said.read(extension)?;
        }
        Ok(said)
    }

    fn read(&mut self, extension: &X509Extension<'_>) -> Result<(), Fail> {
        match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(_)
            | ParsedExtension::SubjectKeyIdentifier(_)
            | ParsedExtension::AuthorityInfoAccess(_)
                if extension.critical =>
            {
                return Err(MALFORMED);
            }
            ParsedExtension::AuthorityKeyIdentifier(key) => {
                self.authority_key = key.key_identifier.as_ref().map(|key| base64(key.0));
            }
            ParsedExtension::SubjectKeyIdentifier(key) => self.subject_key = Some(base64(key.0)),
            ParsedExtension::KeyUsage(usage) => self.key_usage = usage.flags,
            ParsedExtension::BasicConstraints(said) => {
                self.constraints = Some((said.ca, said.path_len_constraint));
            }
            ParsedExtension::SubjectAlternativeName(names) => {
                let before = self.dns.len() + self.emails.len() + self.ips.len() + self.uris.len();
                names.general_names.iter().try_for_each(|name| self.name(name))?;
                let after = self.dns.len() + self.emails.len() + self.ips.len() + self.uris.len();
                if extension.critical && before == after {
                    self.unhandled.push(numbers(&extension.oid)?);
                }
            }
            ParsedExtension::ExtendedKeyUsage(_) => self.usages(extension.value)?,
            ParsedExtension::CertificatePolicies(policies) => {
                for policy in policies {
                    self.policies.push(Value::from(policy.policy_id.to_id_string()));
                    self.policy_numbers.push(numbers(&policy.policy_id)?);
                }
            }
            ParsedExtension::CRLDistributionPoints(points) => {
                for point in &points.points {
                    if let Some(DistributionPointName::FullName(names)) = &point.distribution_point {
                        self.points.extend(names.iter().filter_map(location));
                    }
                }
            }
            ParsedExtension::AuthorityInfoAccess(access) => {
                for described in &access.accessdescs {
                    match described.access_method.to_id_string().as_str() {
                        "1.3.6.1.5.5.7.48.1" => self.ocsp.extend(location(&described.access_location)),
                        "1.3.6.1.5.5.7.48.2" => self.issuers.extend(location(&described.access_location)),
                        _ => {}
                    }
                }
            }
            ParsedExtension::NameConstraints(_)
            | ParsedExtension::PolicyConstraints(_)
            | ParsedExtension::PolicyMappings(_)
            | ParsedExtension::InhibitAnyPolicy(_) => {
                return Err(Fail::Argument("takes certificates without constraints of names or policies"));
            }
            ParsedExtension::ParseError { .. } => return Err(MALFORMED),
            _ if extension.critical => self.unhandled.push(numbers(&extension.oid)?),
            _ => {}
        }
        Ok(())
    }

    fn name(&mut self, name: &GeneralName<'_>) -> Result<(), Fail> {
        match name {
            GeneralName::DNSName(name) if name.is_ascii() => self.dns.push(Value::from(*name)),
            GeneralName::RFC822Name(name) if name.is_ascii() => self.emails.push(Value::from(*name)),
            GeneralName::URI(name) => {
                self.uris.push(uri(name)?);
            }
            GeneralName::IPAddress(bytes) => {
                let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
                let ip = four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
                self.ips.push(Value::from(ip.map_err(|_| MALFORMED)?.to_canonical().to_string()));
            }
            GeneralName::DNSName(_) | GeneralName::RFC822Name(_) | GeneralName::Invalid(..) => {
                return Err(MALFORMED);
            }
            _ => {}
        }
        Ok(())
    }

    /// In the order in which they are written, which the parsed extension does not keep.
    fn usages(&mut self, der: &[u8]) -> Result<(), Fail> {
        let (_, usages) = <Vec<Oid<'_>>>::from_der(der).map_err(|_| MALFORMED)?;
        for usage in usages {
            let id = usage.to_id_string();
            match USAGES.iter().position(|known| *known == id) {
                Some(number) => self.usages.push(Value::from(number)),
                None => self.unknown_usages.push(numbers(&usage)?),
            }
        }
        Ok(())
    }

    pub(super) fn members(self) -> impl Iterator<Item = (&'static str, Value)> {
        let (is_ca, most) = self.constraints.unwrap_or_default();
        let length = match (self.constraints, most) {
            (None, _) => 0,
            (Some(_), None) => -1,
            (Some(_), Some(length)) => i64::from(length),
        };
        let no = [
            "InhibitAnyPolicyZero",
            "InhibitPolicyMappingZero",
            "RequireExplicitPolicyZero",
            "PermittedDNSDomainsCritical",
        ];
        let none = ["InhibitAnyPolicy", "InhibitPolicyMapping", "RequireExplicitPolicy"];
        let null = [
            "ExcludedDNSDomains",
            "ExcludedEmailAddresses",
            "ExcludedIPRanges",
            "ExcludedURIDomains",
            "ExtraExtensions",
            "PermittedDNSDomains",
            "PermittedEmailAddresses",
            "PermittedIPRanges",
            "PermittedURIDomains",
        ];
        let said = [
            ("AuthorityKeyId", self.authority_key.unwrap_or(Value::Null)),
            ("SubjectKeyId", self.subject_key.unwrap_or(Value::Null)),
            ("BasicConstraintsValid", Value::Bool(self.constraints.is_some())),
            ("IsCA", Value::Bool(is_ca)),
            ("MaxPathLen", Value::from(length)),
            ("MaxPathLenZero", Value::Bool(self.constraints.is_some() && length == 0)),
            ("KeyUsage", Value::from(u64::from(self.key_usage))),
            ("ExtKeyUsage", list(self.usages)),
            ("UnknownExtKeyUsage", list(self.unknown_usages)),
            ("DNSNames", list(self.dns)),
            ("EmailAddresses", list(self.emails)),
            ("IPAddresses", list(self.ips)),
            ("URIs", list(self.uris)),
            ("CRLDistributionPoints", list(self.points)),
            ("OCSPServer", list(self.ocsp)),
            ("IssuingCertificateURL", list(self.issuers)),
            ("Policies", list(self.policies)),
            ("PolicyIdentifiers", list(self.policy_numbers)),
            ("Extensions", list(self.all)),
            ("UnhandledCriticalExtensions", list(self.unhandled)),
        ];
        let same =
            |names: Vec<&'static str>, value: Value| names.into_iter().map(move |name| (name, value.clone()));
        said.into_iter()
            .chain(same(no.to_vec(), Value::Bool(false)))
            .chain(same(none.to_vec(), Value::from(0_u64)))
            .chain(same(null.to_vec(), Value::Null))
    }
}

/// In the order of Go's numbers for them.
const USAGES: [&str; 14] = [
    "2.5.29.37.0",
    "1.3.6.1.5.5.7.3.1",
    "1.3.6.1.5.5.7.3.2",
    "1.3.6.1.5.5.7.3.3",
    "1.3.6.1.5.5.7.3.4",
    "1.3.6.1.5.5.7.3.5",
    "1.3.6.1.5.5.7.3.6",
    "1.3.6.1.5.5.7.3.7",
    "1.3.6.1.5.5.7.3.8",
    "1.3.6.1.5.5.7.3.9",
    "1.3.6.1.4.1.311.10.3.3",
    "2.16.840.1.113730.4.1",
    "1.3.6.1.4.1.311.2.1.22",
    "1.3.6.1.4.1.311.61.1.1",
];

/// What a URI in a certificate says.
pub(super) fn location(name: &GeneralName<'_>) -> Option<Value> {
    if let GeneralName::URI(uri) = name { Some(Value::from(*uri)) } else { None }
}
