use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::signing::Signing;
use super::{Format, output, print};
use crate::command::Outcome;

pub(super) const HELP: &str = "\
Writes .signatures.json: the SHA-256 of every file of the bundle, of JSON and YAML that of their value, signed as a JWS. \
Names are those below PATH, as they are in an archive of it; `opa sign --bundle DIR` writes DIR before them, and \
`opa sign --bundle .` in the folder does not. What is loaded from a folder ignores hidden files, and so does the signature. \
`postern policy build --signing-key` builds and signs in one step.

Examples:
  postern policy sign policy/ --signing-key ci.pem --signing-alg ES256 --verification-key-id ci -o policy/
  postern policy sign bundle.tar.gz --signing-key ci.pem --claims-file claims.json
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ci.pem     # a key for ES256

Exits with 0 when it is written; with 2 when the arguments cannot be understood; with 3 when PATH or the key cannot be \
read, or the file not be written; with 4 when the bundle holds what none may hold.";

#[derive(Debug, Args)]
pub(in crate::command) struct Arguments {
    /// A folder, or an archive *.tar.gz
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// PATH is the root of a bundle; here it always is
    #[arg(long, short)]
    bundle: bool,
    /// Folder that .signatures.json is written to
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    output_file_path: PathBuf,
    /// A file of PEM (PKCS#8, PKCS#1 or SEC1), or of a shared secret for HS…
    #[arg(long, value_name = "FILE")]
    signing_key: PathBuf,
    #[command(flatten)]
    signing: Signing,
    /// How it is printed
    #[arg(long, short, value_enum, default_value_t = Format::Pretty)]
    format: Format,
}

pub(super) fn sign(arguments: &Arguments) -> Outcome {
    let ready = match arguments.signing.signer(&arguments.signing_key) {
        Ok(ready) => ready,
        Err(why) => return print::unusable(&why, arguments.format),
    };
    let signatures = match ready.signer.sign_bundle(&arguments.path) {
        Ok(signatures) => signatures,
        Err(error) => return print::unreadable(&error, arguments.format),
    };
    let path = arguments.output_file_path.join(".signatures.json");
    if let Err(why) = output::write(&path, &signatures) {
        return print::unusable(&why, arguments.format);
    }
    let output = path.display().to_string();
    let said = match arguments.format {
        Format::Pretty => {
            let signed = arguments.path.display();
            format!(
                "{output}: signs {signed}, its files by their names below it\n\nNext:\n  {}\n",
                arguments.next()
            )
        }
        Format::Json => print::lines(&json!({"output": output})),
    };
    Outcome { err: ready.warnings, ..Outcome::said(said) }
}

impl Arguments {
    /// What to do with the signature, which counts at the root of what it signs.
    fn next(&self) -> String {
        let (path, folder) = (self.path.display(), &self.output_file_path);
        if !self.path.is_dir() {
            let with = self.signing.same(&self.signing_key);
            return format!(
                "postern policy build {path} -o signed.tar.gz {with}   # the same with its signature in it"
            );
        }
        let same = |one: &std::path::Path, other: &std::path::Path| {
            one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
        };
        let moved = format!("mv {} {path}/\n  ", folder.join(".signatures.json").display());
        let moved = if same(&self.path, folder) { "" } else { &moved };
        format!("{moved}postern policy inspect {path} {}", self.signing.checked_by(&self.signing_key))
    }
}

#[cfg(test)]
mod tests;
