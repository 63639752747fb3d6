//! Searches an upstream's response for the credential that was put into the request, and masks
//! it: old systems echo requests in error pages. Headers are searched whole, text bodies in their
//! first 64 KiB, across the borders of chunks.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::Secret;

/// How much of a body is searched.
const DEPTH: usize = 64 * 1024;
/// Shorter secrets are not searched for: they would be found everywhere.
const SHORTEST: usize = 4;
const URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The forms in which a secret may come back.
pub(super) struct Needles(Vec<Secret<Vec<u8>>>);

impl Needles {
    /// The forms of `secret`, and of `account` (user and password in base 64) if that was sent.
    pub(super) fn of(secret: &str, account: Option<&str>) -> Self {
        let url = utf8_percent_encode(secret, URL).to_string();
        let forms = [
            account.map(|account| account.trim_end_matches('=').to_owned()),
            Some(STANDARD_NO_PAD.encode(secret)),
            Some(URL_SAFE_NO_PAD.encode(secret)),
            Some(lower_hex(&url)),
            Some(url),
            Some(secret.to_owned()),
        ];
        let mut needles: Vec<Secret<Vec<u8>>> = Vec::with_capacity(forms.len());
        for form in forms.into_iter().flatten().map(String::into_bytes) {
            if secret.len() >= SHORTEST && needles.iter().all(|needle| *needle.expose() != form) {
                needles.push(Secret::new(form));
            }
        }
        Self(needles)
    }

    /// Masks what is found with as many asterisks; says whether anything was.
    fn mask(&self, text: &mut [u8]) -> bool {
        let mut found = false;
        for needle in &self.0 {
            while let Some(at) = find(text, needle.expose()) {
                let Some(hit) = text.get_mut(at..at + needle.expose().len()) else { break };
                hit.fill(b'*');
                found = true;
            }
        }
        found
    }

    fn occur_in(&self, text: &[u8]) -> bool {
        self.0.iter().any(|needle| find(text, needle.expose()).is_some())
    }

    /// How many bytes at the end of `text` may be the beginning of a form.
    fn begun_at_end(&self, text: &[u8]) -> usize {
        let begun = |needle: &[u8]| {
            let longest = text.len().min(needle.len().saturating_sub(1));
            (1..=longest).rev().find(|len| needle.get(..*len).is_some_and(|begin| text.ends_with(begin)))
        };
        self.0.iter().filter_map(|needle| begun(needle.expose())).max().unwrap_or(0)
    }
}

/// Where `needle` begins. A searcher that prepares itself costs more than most answers are long, and
/// one that is kept would copy the secret to where it is not wiped.
fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let starts = text.get(..=text.len().checked_sub(needle.len())?)?;
    memchr::memchr_iter(first, starts).find(|at| text.get(*at..).is_some_and(|rest| rest.starts_with(needle)))
}

/// `%2F` is written `%2f` by some.
fn lower_hex(url: &str) -> String {
    let mut digits = 0;
    let lower = |c: char| {
        let digit = digits > 0;
        digits = if c == '%' { 2 } else { usize::saturating_sub(digits, 1) };
        if digit { c.to_ascii_lowercase() } else { c }
    };
    url.chars().map(lower).collect()
}

/// Masks the secret in a response's headers; says whether it was there.
pub(super) fn scrub_headers(headers: &mut HeaderMap, needles: &Needles) -> bool {
    let mut found = false;
    for value in headers.values_mut().filter(|value| needles.occur_in(value.as_bytes())) {
        let mut masked = value.as_bytes().to_vec();
        found |= needles.mask(&mut masked);
        *value = HeaderValue::from_bytes(&masked).unwrap_or_else(|_| HeaderValue::from_static("***"));
    }
    found
}

/// Whether a body of these headers can be searched: text, and not compressed.
pub(super) fn is_searchable(headers: &HeaderMap) -> bool {
    let said = |name| {
        headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("?").to_ascii_lowercase())
    };
    if said(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return false;
    }
    let textual = ["text/", "json", "xml", "javascript", "x-www-form-urlencoded"];
    said(header::CONTENT_TYPE).is_none_or(|kind| textual.iter().any(|text| kind.contains(text)))
}

/// Masks the secret in a body that passes piece by piece. Only what may be the beginning of the
/// secret at the end of a piece waits for the next one.
#[derive(Debug, Default)]
pub(super) struct Scrubber {
    seen: usize,
    held: BytesMut,
    /// Whether the secret was there.
    pub(super) found: bool,
}

impl Scrubber {
    /// The piece, masked, and without what must wait.
    pub(super) fn pass(&mut self, needles: &Needles, piece: Bytes) -> Bytes {
        if self.seen >= DEPTH && self.held.is_empty() {
            return piece;
        }
        self.seen += piece.len();
        let whole = if self.held.is_empty() {
            piece
        } else {
            self.held.extend_from_slice(&piece);
            self.held.split().freeze()
        };
        let mut clean = if needles.occur_in(&whole) {
            self.found = true;
            let mut masked = BytesMut::from(whole);
            needles.mask(&mut masked);
            masked.freeze()
        } else {
            whole
        };
        if self.seen < DEPTH {
            let waits = clean.split_off(clean.len() - needles.begun_at_end(&clean));
            self.held.extend_from_slice(&waits);
        }
        clean
    }

    /// What waited, when nothing more comes.
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        (!self.held.is_empty()).then(|| self.held.split().freeze())
    }

    /// How many bytes wait.
    pub(super) fn held(&self) -> u64 {
        self.held.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "p/ss w+rd!";

    fn pass_in(sizes: usize, body: &str, needles: &Needles) -> (String, bool) {
        let mut scrubber = Scrubber::default();
        let mut out = Vec::new();
        for piece in body.as_bytes().chunks(sizes) {
            out.extend_from_slice(&scrubber.pass(needles, Bytes::copy_from_slice(piece)));
        }
        out.extend(scrubber.rest().into_iter().flatten());
        (String::from_utf8(out).unwrap(), scrubber.found)
    }

    #[test]
    fn every_form_is_masked_whatever_the_chunks() {
        let account = base64::engine::general_purpose::STANDARD.encode(format!("user:{SECRET}"));
        let needles = Needles::of(SECRET, Some(&account));
        let forms = [
            SECRET.to_owned(),
            account.clone(),
            STANDARD_NO_PAD.encode(SECRET),
            URL_SAFE_NO_PAD.encode(SECRET),
            "p%2Fss%20w%2Brd%21".to_owned(),
            "p%2fss%20w%2brd%21".to_owned(),
        ];
        for form in &forms {
            let body = format!("before p/ss {form} after p/ss w+r");
            for sizes in 1..=body.len() {
                let (out, found) = pass_in(sizes, &body, &needles);
                assert!(found, "{form} in chunks of {sizes}");
                assert_eq!(out.len(), body.len());
                assert!(!out.contains(form.trim_end_matches('=')), "{out}");
                assert!(out.starts_with("before p/ss *") && out.ends_with("after p/ss w+r"), "{out}");
            }
        }
    }

    #[test]
    fn a_body_without_the_secret_passes_unchanged_and_uncopied() {
        let needles = Needles::of(SECRET, None);
        let piece = Bytes::from_static(b"nothing here");
        let out = Scrubber::default().pass(&needles, piece.clone());
        assert_eq!(out.as_ptr(), piece.as_ptr());
    }

    #[test]
    fn short_secrets_are_not_searched_for() {
        assert_eq!(pass_in(64, "abcabc", &Needles::of("abc", None)), ("abcabc".to_owned(), false));
    }

    #[test]
    fn headers_are_searched_too() {
        let needles = Needles::of(SECRET, None);
        let mut headers = HeaderMap::new();
        headers.insert("x-echo", HeaderValue::from_static("<p/ss w+rd!>"));
        assert!(scrub_headers(&mut headers, &needles));
        assert_eq!(headers["x-echo"], "<**********>");
    }

    #[test]
    fn only_text_that_is_not_compressed_is_searched() {
        let headers = |lines: &[(&'static str, &'static str)]| {
            lines
                .iter()
                .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect()
        };
        assert!(is_searchable(&headers(&[])));
        assert!(is_searchable(&headers(&[("content-type", "application/problem+json")])));
        assert!(!is_searchable(&headers(&[("content-type", "text/html"), ("content-encoding", "gzip")])));
        assert!(!is_searchable(&headers(&[("content-type", "application/octet-stream")])));
    }
}
