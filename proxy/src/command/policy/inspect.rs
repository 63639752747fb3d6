use std::path::PathBuf;

use clap::Args;
use postern_policy::{Algorithm, Inspection, Signed, Sources, Verifier, VerifyKey};
use serde_json::json;

use super::signing::LARGEST;
use super::{Format, print};
use crate::command::Outcome;
use crate::state::read_whole;

pub(super) const HELP: &str = "\
Nothing is compiled. The signature is checked where --verification-key says by what, as `policy.bundles.NAME.verify` \
checks it at load; without it only what it claims is said.

Examples:
  postern policy inspect bundle.tar.gz
  postern policy inspect bundle.tar.gz --verification-key ci.pub.pem --signing-alg ES256 --scope read
  postern policy inspect policy/ --format json

Exits with 0 when the bundle can be read; with 4 when it is refused, or not signed as is asked; with 3 when PATH or the \
key cannot be read.";

#[derive(Debug, Args)]
pub(in crate::command) struct Arguments {
    /// A folder, or an archive *.tar.gz
    path: PathBuf,
    /// Check the signature by this key: a file of PEM, or of a shared secret for HS…
    #[arg(long, value_name = "FILE")]
    verification_key: Option<PathBuf>,
    /// Name of the algorithm that the key is for
    #[arg(long, value_name = "NAME", default_value = "RS256", requires = "verification_key")]
    signing_alg: Algorithm,
    /// What the signature must be for
    #[arg(long, value_name = "SCOPE", requires = "verification_key")]
    scope: Option<String>,
    /// Files that may be unsigned, like 'docs/*.md'; may be repeated
    #[arg(long, value_name = "PATTERN", value_delimiter = ',', requires = "verification_key")]
    exclude_files_verify: Vec<String>,
    /// How it is printed
    #[arg(long, short, value_enum, default_value_t = Format::Pretty)]
    format: Format,
}

pub(super) fn inspect(arguments: &Arguments) -> Outcome {
    let verifier = match verifier(arguments) {
        Ok(verifier) => verifier,
        Err(why) => return print::unusable(&why, arguments.format),
    };
    let checked = verifier.is_some();
    let checking = match verifier {
        Some(verifier) => Sources::read(&arguments.path, Signed::By(&verifier)).map(drop),
        None => Ok(()),
    };
    let bundle = match checking.and_then(|()| postern_policy::inspect(&arguments.path)) {
        Ok(bundle) => bundle,
        Err(error) => return print::unreadable(&error, arguments.format),
    };
    Outcome::said(match arguments.format {
        Format::Json => {
            // A struct of texts has nothing that could fail.
            let mut said = serde_json::to_value(&bundle).unwrap_or_default();
            if let Some(signature) = said.get_mut("signature").and_then(serde_json::Value::as_object_mut) {
                signature.insert("checked".to_owned(), json!(checked));
            }
            print::lines(&said)
        }
        Format::Pretty => pretty(&bundle, if checked { "checked" } else { "not checked" }),
    })
}

fn verifier(arguments: &Arguments) -> Result<Option<Verifier>, String> {
    let Some(file) = &arguments.verification_key else { return Ok(None) };
    let said = |why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
    let bytes = read_whole(file, LARGEST).map_err(|error| said(&error))?;
    let key = VerifyKey::new(bytes.expose(), arguments.signing_alg, None).map_err(|why| said(&why))?;
    // One key: whatever the signature calls it.
    let name = file.display().to_string();
    let verifier = Verifier::new([(name.clone(), key)].into()).with_keyid(Some(name));
    let excluded = verifier
        .with_scope(arguments.scope.clone())
        .with_excluded(arguments.exclude_files_verify.clone())
        .map_err(|pattern| format!("--exclude-files-verify: `{pattern}` has more than `*` and `?`"))?;
    Ok(Some(excluded))
}

fn pretty(bundle: &Inspection, checked: &str) -> String {
    let signed = bundle.signature.as_ref().map_or_else(
        || "by nobody".to_owned(),
        |by| {
            let key = by.key.as_deref().unwrap_or("not named");
            let scope = if by.scope.is_empty() { "none" } else { &by.scope };
            format!("{}, key {key}, scope {scope}, {} files; {checked}", by.algorithm, by.files)
        },
    );
    let list = |items: &[String]| if items.is_empty() { "none".to_owned() } else { items.join(" ") };
    format!(
        "revision  {}\nroots     {}\nmodules   {}\ndata      {}\nsigned    {signed}\n",
        bundle.revision,
        list(&bundle.roots),
        list(&bundle.modules),
        list(&bundle.data),
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::command::Exit;

    fn inspect(path: &Path, format: &str, more: &[&str]) -> Outcome {
        let words = ["postern", "policy", "inspect", path.to_str().unwrap(), "--format", format];
        crate::command::main(words.iter().chain(more).map(std::ffi::OsString::from))
    }

    #[test]
    fn a_bundle_says_what_it_holds_and_one_that_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(".manifest", r#"{"revision": "r42", "roots": ["a", "b"]}"#);
        write("a.rego", "package a");
        write("data.json", r#"{"b": 1}"#);

        let pretty = inspect(folder.path(), "pretty", &[]);
        let expected = "revision  r42\nroots     /a /b\nmodules   a.rego\ndata      /\nsigned    by nobody\n";
        assert_eq!((pretty.exit, pretty.out.as_str()), (Exit::Done, expected));

        // {"alg":"ES256","kid":"ci"} and {"files":[],"scope":"read"}
        let token = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImNpIn0.eyJmaWxlcyI6W10sInNjb3BlIjoicmVhZCJ9.AA";
        write(".signatures.json", &format!(r#"{{"signatures": ["{token}"]}}"#));
        let json: serde_json::Value = serde_json::from_str(&inspect(folder.path(), "json", &[]).out).unwrap();
        let signature = json!({"key": "ci", "algorithm": "ES256", "scope": "read", "files": 0, "signed_at": null, "checked": false});
        assert_eq!((&json["signature"], &json["roots"][1]), (&signature, &"/b".into()));

        write("data.json", r#"{"c": 1}"#);
        let wrong = inspect(folder.path(), "pretty", &[]);
        assert!(
            wrong.exit == Exit::Policy && wrong.err.contains("data.json: holds data at /c"),
            "{}",
            wrong.err
        );
    }

    #[test]
    fn a_signature_is_checked_by_the_key_that_is_given_whatever_it_is_called() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name).display().to_string();
        std::fs::create_dir(at("b")).unwrap();
        std::fs::write(at("b/a.rego"), "package a").unwrap();
        std::fs::write(at("key"), "a secret that both sides share").unwrap();
        std::fs::write(at("other"), "a secret that is another one").unwrap();
        let shared = ["--signing-alg", "HS256", "--scope", "read"];
        let (key, folder) = (at("key"), at("b"));
        let words = ["postern", "policy", "sign", &folder, "-o", &folder, "--signing-key", &key];
        let signed = crate::command::main(words.iter().chain(&shared).map(std::ffi::OsString::from));
        assert_eq!(signed.exit, Exit::Done, "{}", signed.err);

        let asked = |key: &str, more: &[&str]| {
            inspect(&place.path().join("b"), "pretty", &[&["--verification-key", &at(key)], more].concat())
        };
        let good = asked("key", &shared);
        assert!(good.out.contains("HS256, key default, scope read, 1 files; checked"), "{good:?}");
        for (key, more, exit, why) in [
            ("other", &shared[..], Exit::Policy, "is not a signature by the key"),
            ("key", &shared[..2], Exit::Policy, "is for the scope `read`"),
            ("nowhere", &shared, Exit::Configuration, "nowhere: No such file"),
            ("key", &["--scope", "read"], Exit::Configuration, "no PEM block"),
            ("key", &["--signing-alg", "HS512"], Exit::Policy, "/key` is for HS512"),
            (
                "key",
                &["--exclude-files-verify", "{a}", "--signing-alg", "HS256"],
                Exit::Configuration,
                "`{a}`",
            ),
        ] {
            let outcome = asked(key, more);
            assert_eq!(outcome.exit, exit, "{outcome:?}");
            assert!(outcome.err.contains(why) && !outcome.err.contains("both sides"), "{outcome:?}");
        }
        std::fs::write(at("b/a.rego"), "package b").unwrap();
        assert_eq!(asked("key", &shared).exit, Exit::Policy);
        assert_eq!(inspect(&place.path().join("b"), "pretty", &["--scope", "x"]).exit, Exit::Usage);
    }
}
