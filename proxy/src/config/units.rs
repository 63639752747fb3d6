//! Texts that carry a unit or a shape: durations, sizes, addresses, pins. Each parses into the type that is meant.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::UpstreamAddress;

/// Why a text is not what was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a whole number and `ms`, `s`, `m`, `h` or `d`.
    #[error("`{0}` is not a duration")]
    Duration(String),
    /// Not a whole number and `B`, `KiB`, `MiB` or `GiB`.
    #[error("`{0}` is not a size")]
    Size(String),
    /// Not a time with its zone.
    #[error("`{0}` is not a time")]
    Time(String),
    /// Outside what makes sense for this key.
    #[error("`{text}` is outside {least} to {most}")]
    Range {
        /// What was written.
        text: String,
        /// The least that is accepted.
        least: &'static str,
        /// The most that is accepted.
        most: &'static str,
    },
    /// Not `ip:port`.
    #[error("`{0}` is not an address to listen on")]
    Listen(String),
    /// Neither `host:port` nor `unix:/path`.
    #[error("`{0}` is not an upstream's address")]
    Upstream(String),
    /// Neither `unix:///path` nor `tcp://ip:port` (SPIFFE Workload Endpoint, 4).
    #[error("`{0}` is not a Workload API endpoint")]
    WorkloadApi(String),
    /// Not `https://host:port`.
    #[error("`{0}` is not the URL of a vault")]
    VaultUrl(String),
    /// Not `https://host:port/path`.
    #[error("`{0}` is not the URL of a service")]
    ServiceUrl(String),
    /// `http` to something that is not this machine.
    #[error("`{0}` would speak in clear text to another machine")]
    ClearText(String),
    /// Not `sha256:` and 64 hexadecimal digits.
    #[error("`{0}` is not a pin")]
    Pin(String),
    /// Not a path inside a vault.
    #[error("`{0}` is not a constant path inside a vault")]
    VaultPath(String),
    /// Not a host name without port.
    #[error("`{0}` is not a host name")]
    Host(String),
}

impl UnitError {
    /// What is wrong, and what is accepted instead.
    pub(crate) fn told(&self) -> String {
        format!("{self}: expected {}", self.expected())
    }

    /// What is accepted instead.
    #[must_use]
    pub const fn expected(&self) -> &'static str {
        match self {
            Self::Duration(_) => "a whole number with its unit, like 20ms, 5s, 10m, 2h or 1d",
            Self::Size(_) => "a whole number with its unit, like 512B, 64KiB, 1MiB or 2GiB",
            Self::Time(_) => "a date, a time and a zone, like 2026-11-22T00:00:00Z",
            Self::Range { .. } => "a value inside that range",
            Self::Listen(_) => "an IP address and a port, like 0.0.0.0:9443 or [::]:9443",
            Self::Upstream(_) => "host:port, [ipv6]:port or unix:/absolute/path",
            Self::WorkloadApi(_) => {
                "unix:///absolute/path or tcp://IP:PORT, and nothing after it; the host is an IP address"
            }
            Self::VaultUrl(_) => {
                "https://host:port without path, query or user; http:// on this machine only"
            }
            Self::ServiceUrl(_) => {
                "https://host:port/path without query, fragment, user or dot segments; http:// on this machine only"
            }
            Self::ClearText(_) => "https://, or http:// to 127.0.0.1, [::1] or localhost",
            Self::Pin(_) => "sha256: and the 64 hexadecimal digits of the SHA-256 of the public key",
            Self::VaultPath(_) => {
                "segments like database/creds/app: no empty, `.` or `..` segment, no wildcard, no leading slash"
            }
            Self::Host(_) => "a host name in letters, digits, '-', '_' and '.', without scheme or port",
        }
    }
}

/// What a duration may be.
const LENGTHS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(366 * 24);

/// `20ms`, `5s`, `10m`, `2h`, `1d`: more than nothing, at most a year.
pub(crate) fn duration(text: &str) -> Result<Duration, UnitError> {
    let wrong = || UnitError::Duration(text.to_owned());
    let (number, unit) = split_unit(text).ok_or_else(wrong)?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    let total = number.checked_mul(millis).ok_or_else(wrong)?;
    let total = Duration::from_millis(total);
    if LENGTHS.contains(&total) {
        Ok(total)
    } else {
        Err(UnitError::Range { text: text.to_owned(), least: "1ms", most: "366d" })
    }
}

/// The same of a command line, also as Go writes it, which OPA's flags take: `1m30s`, `1.5h`. What is wrong is told with
/// what is expected.
pub(crate) fn duration_argument(text: &str) -> Result<Duration, String> {
    let range = || UnitError::Range { text: text.to_owned(), least: "1ms", most: "366d" };
    // jiff takes the forms of ISO 8601 and words apart too.
    let of_go =
        text.bytes().all(|c| c.is_ascii_digit() || b"hmsun.".contains(&c) || "µ".as_bytes().contains(&c));
    let parts = if of_go { text.parse::<jiff::SignedDuration>().ok() } else { None };
    let error = match (duration(text), parts) {
        (Ok(duration), _) => return Ok(duration),
        (Err(UnitError::Duration(_)), Some(parts)) => match Duration::try_from(parts) {
            Ok(duration) if LENGTHS.contains(&duration) => return Ok(duration),
            _ => range(),
        },
        (Err(UnitError::Duration(_)), None) => {
            return Err(format!("`{text}` is not a duration: expected one like 20ms, 5s, 1m30s, 1.5h or 1d"));
        }
        (Err(error), _) => error,
    };
    Err(error.told())
}

/// `2026-11-22T00:00:00Z`, in Unix seconds.
pub(crate) fn time(text: &str) -> Result<i64, UnitError> {
    let parsed: Result<jiff::Timestamp, _> = text.parse();
    parsed.map(jiff::Timestamp::as_second).map_err(|_| UnitError::Time(text.to_owned()))
}

/// `512B`, `64KiB`, `1MiB`, `2GiB`, in bytes.
pub(super) fn size(text: &str) -> Result<usize, UnitError> {
    let wrong = || UnitError::Size(text.to_owned());
    let (number, unit) = split_unit(text).ok_or_else(wrong)?;
    let bytes: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(bytes).and_then(|total| usize::try_from(total).ok()).ok_or_else(wrong)
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

/// `ip:port`. Port 0 would be another one on each start.
pub(super) fn listen(text: &str) -> Result<SocketAddr, UnitError> {
    text.parse::<SocketAddr>()
        .ok()
        .filter(|address| address.port() != 0)
        .ok_or_else(|| UnitError::Listen(text.to_owned()))
}

/// `host:port` or `unix:/path`.
pub(super) fn upstream(text: &str) -> Result<UpstreamAddress, UnitError> {
    let wrong = || UnitError::Upstream(text.to_owned());
    if let Some(path) = text.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return absolute(path).map(UpstreamAddress::Unix).ok_or_else(wrong);
    }
    let (host, port) = host_and_port(text).ok_or_else(wrong)?;
    Ok(UpstreamAddress::Tcp { host, port: port.ok_or_else(wrong)? })
}

/// A Workload API endpoint, in the form that its clients read (SPIFFE Workload Endpoint, 4).
pub(super) fn workload_api(text: &str) -> Result<String, UnitError> {
    let wrong = || UnitError::WorkloadApi(text.to_owned());
    if let Some(rest) = text.strip_prefix("unix:") {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        let plain = absolute(path).is_some() && !path.contains(['?', '#']);
        return if plain { Ok(format!("unix://{path}")) } else { Err(wrong()) };
    }
    let address = text.strip_prefix("tcp://").ok_or_else(wrong)?;
    listen(address).map(|address| format!("tcp://{address}")).map_err(|_| wrong())
}

/// A text in which what stands between `://` and `@` is hidden: it may hold a password.
pub(crate) fn without_user(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://…@{host}"),
            None => text.to_owned(),
        },
        None => text.to_owned(),
    }
}

/// Whether TLS is spoken, host and port of a vault's URL.
pub(super) fn vault_url(text: &str) -> Result<(bool, String, u16), UnitError> {
    let wrong = || UnitError::VaultUrl(without_user(text));
    let (tls, rest) = scheme(text).ok_or_else(wrong)?;
    server(text, tls, rest.strip_suffix('/').unwrap_or(rest)).unwrap_or_else(|| Err(wrong()))
}

/// Whether TLS is spoken, host, port and path of a service's URL. A query would hold what is secret, or what varies.
pub(super) fn service_url(text: &str) -> Result<(bool, String, u16, String), UnitError> {
    let wrong = || UnitError::ServiceUrl(without_user(text));
    let (tls, rest) = scheme(text).ok_or_else(wrong)?;
    let (place, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let plain = path.len() <= 1024
        && path.bytes().all(|b| b.is_ascii_graphic() && !b"?#\\\"<>^`{|}".contains(&b))
        && !path.split('/').any(|segment| matches!(segment, "." | ".."));
    let (tls, host, port) = server(text, tls, place).filter(|_| plain).unwrap_or_else(|| Err(wrong()))?;
    Ok((tls, host, port, path.to_owned()))
}

fn scheme(text: &str) -> Option<(bool, &str)> {
    match text.split_once("://")? {
        ("https", rest) => Some((true, rest)),
        ("http", rest) => Some((false, rest)),
        _ => None,
    }
}

/// Clear text is spoken to this machine alone.
fn server(text: &str, tls: bool, place: &str) -> Option<Result<(bool, String, u16), UnitError>> {
    let (host, port) = host_and_port(place)?;
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if !tls && !here {
        return Some(Err(UnitError::ClearText(without_user(text))));
    }
    Some(Ok((tls, host, port.unwrap_or(if tls { 443 } else { 80 }))))
}

/// A constant path inside a vault.
pub(super) fn vault_path(text: &str) -> Result<String, UnitError> {
    let segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@'))
    };
    let fits = text.len() <= 512 && text.contains('/') && text.split('/').all(segment);
    if fits { Ok(text.to_owned()) } else { Err(UnitError::VaultPath(text.to_owned())) }
}

/// `sha256:` and 64 hexadecimal digits.
pub(super) fn pin(text: &str) -> Result<[u8; 32], UnitError> {
    let wrong = || UnitError::Pin(text.to_owned());
    let digits = text.strip_prefix("sha256:").filter(|digits| digits.len() == 64 && digits.is_ascii());
    let digits = digits.ok_or_else(wrong)?;
    let mut pin = [0; 32];
    for (byte, pair) in pin.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
        // `from_str_radix` alone would take a sign.
        let hexadecimal = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
        *byte = u8::from_str_radix(pair, 16).ok().filter(|_| hexadecimal).ok_or_else(wrong)?;
    }
    Ok(pin)
}

/// A host name or address without port, in lower case.
pub(super) fn host(text: &str) -> Result<String, UnitError> {
    let fits = is_host_name(text) || text.parse::<IpAddr>().is_ok();
    if fits { Ok(text.to_ascii_lowercase()) } else { Err(UnitError::Host(text.to_owned())) }
}

fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (ip, rest) = rest.split_once(']')?;
        ip.parse::<std::net::Ipv6Addr>().ok()?;
        (ip, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
    } else {
        let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        is_host_name(host).then_some((host, port))?
    };
    let port = match port {
        None => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|p| *p > 0)?)
        }
        Some(_) => return None,
    };
    Some((host.to_ascii_lowercase(), port))
}

fn is_host_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        })
}

fn absolute(path: &str) -> Option<PathBuf> {
    (Path::new(path).is_absolute() && !path.starts_with("//") && !path.contains('\0')).then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_carries_its_unit() {
        assert_eq!(duration("20ms"), Ok(Duration::from_millis(20)));
        assert_eq!(duration("2h"), Ok(Duration::from_hours(2)));
        for bad in
            ["", "5", "s", "5 s", "-5s", "+5s", "1.5s", "5S", "99999999999999999999s", "0s", "367d", "5µs"]
        {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_duration_of_a_command_line_may_be_one_of_go() {
        for (text, millis) in [
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            ("1h2m3s4ms", 3_723_004),
            ("1500us", 1),
            ("5ms1000000ns", 6),
            ("1d", 86_400_000),
        ] {
            assert_eq!(duration_argument(text).map(|parsed| parsed.as_millis()), Ok(millis), "{text}");
        }
        for (bad, why) in [
            ("1m30", "like 20ms, 5s, 1m30s"),
            ("5", "like 20ms, 5s, 1m30s"),
            ("30x", "like 20ms, 5s, 1m30s"),
            ("-1m", "like 20ms, 5s, 1m30s"),
            ("PT1H", "like 20ms, 5s, 1m30s"),
            ("1 hour", "like 20ms, 5s, 1m30s"),
            ("1ns", "is outside 1ms to 366d"),
            ("9000h", "is outside 1ms to 366d"),
        ] {
            assert!(duration_argument(bad).unwrap_err().contains(why), "{bad}");
        }
    }

    #[test]
    fn a_size_carries_its_unit() {
        assert_eq!(size("64KiB"), Ok(65_536));
        for bad in ["", "64", "64KB", "64k", "-1B", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_workload_api_is_an_absolute_socket_or_an_ip_and_port() {
        assert_eq!(workload_api("unix:///run/spire/agent.sock").unwrap(), "unix:///run/spire/agent.sock");
        assert_eq!(workload_api("unix:/run/a.sock").unwrap(), "unix:///run/a.sock");
        assert_eq!(workload_api("tcp://127.0.0.1:8000").unwrap(), "tcp://127.0.0.1:8000");
        for bad in [
            "unix://host/x",
            "unix:///x?q",
            "unix:///x#f",
            "unix:x",
            "unix://",
            "unix:////x",
            "tcp://localhost:1",
            "tcp://1.2.3.4:1/foo",
            "tcp://1.2.3.4",
            "tcp://1.2.3.4:0",
            "http://1.2.3.4:1",
            "/run/a.sock",
            "",
        ] {
            assert!(workload_api(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_upstream_is_host_and_port_or_a_socket() {
        let tcp = |host: &str, port| Ok(UpstreamAddress::Tcp { host: host.into(), port });
        assert_eq!(upstream("Ledger.internal:8443"), tcp("ledger.internal", 8443));
        assert_eq!(upstream("[::1]:80"), tcp("::1", 80));
        assert_eq!(upstream("unix:/run/app.sock"), Ok(UpstreamAddress::Unix("/run/app.sock".into())));
        for bad in
            ["", "ledger", "ledger:", "ledger:0", "ledger:65536", "ledger:+1", "a/b:1", "u@a:1", "::1:80"]
        {
            assert!(upstream(bad).is_err(), "{bad}");
        }
        assert!(upstream("unix:app.sock").is_err());
    }

    #[test]
    fn a_vault_in_clear_text_is_on_this_machine() {
        assert_eq!(vault_url("https://bao:8200"), Ok((true, "bao".into(), 8200)));
        assert_eq!(vault_url("http://127.0.0.1:8200/"), Ok((false, "127.0.0.1".into(), 8200)));
        assert_eq!(vault_url("http://[::1]:8200"), Ok((false, "::1".into(), 8200)));
        assert!(matches!(vault_url("http://bao:8200"), Err(UnitError::ClearText(_))));
        for bad in ["bao:8200", "ftp://bao", "https://u:p@bao", "https://bao/v1", "https://bao?x", "https://"]
        {
            assert!(vault_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_service_is_reached_by_a_plain_path() {
        let parts = |tls, host: &str, port, path: &str| Ok((tls, host.to_owned(), port, path.to_owned()));
        assert_eq!(
            service_url("https://B.example/b/main.tar.gz"),
            parts(true, "b.example", 443, "/b/main.tar.gz")
        );
        assert_eq!(service_url("https://b.example:8443"), parts(true, "b.example", 8443, "/"));
        assert_eq!(service_url("http://127.0.0.1:1/a%20b/"), parts(false, "127.0.0.1", 1, "/a%20b/"));
        assert!(matches!(service_url("http://b.example/main.tar.gz"), Err(UnitError::ClearText(_))));
        for bad in [
            "b.example/x",
            "ftp://b.example/x",
            "https://u:p@b.example/x",
            "https://b.example/x?sig=secret",
            "https://b.example/x#y",
            "https://b.example/a/../b",
            "https://b.example/a b",
            "https:///x",
        ] {
            assert!(matches!(service_url(bad), Err(UnitError::ServiceUrl(_))), "{bad}");
        }
    }

    #[test]
    fn a_vault_path_is_constant() {
        assert!(vault_path("database/creds/ledger-read").is_ok());
        for bad in
            ["", "x", "/a/b", "a/b/", "a//b", "a/../b", "a/./b", "a/*", "a/{{id}}", "a/b?c", "a/%2e", "a b/c"]
        {
            assert!(vault_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pin_is_a_digest_of_a_key() {
        assert_eq!(pin(&format!("sha256:{}", "0a".repeat(32))), Ok([10; 32]));
        for bad in ["", "sha256:00", &"00".repeat(32), &format!("sha256:{}", "+1".repeat(32))] {
            assert!(pin(bad).is_err(), "{bad}");
        }
    }
}
