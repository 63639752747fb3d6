use std::path::PathBuf;

use clap::Args;
use postern_policy::{ADMISSION, BuildError, Deadline, Draft, Pattern, SourceError, Sources, misnamed};
use serde_json::{Value, json};

use super::signing::Signing;
use super::terms::Admission;
use super::{Format, check, output, print};
use crate::command::Outcome;

pub(super) const HELP: &str = "\
What stands below each PATH becomes one archive: Rego, tests among it, data.json or data.yaml, and recorded inputs, \
inputs/*.json, as they are, byte by byte; a PATH is a bundle's root, as `opa build -b` takes it. It first has to pass \
what a load asks, which is `postern policy check`, with its tests and its fuse: what would not be loaded is not built; \
with --config it is asked as the Postern of that configuration asks it. Warnings are printed, and it is built. The same files give the same archive, whoever builds and whenever (a signature \
by ES or PS alone differs each time).

Examples:
  postern policy build policy/ -o bundle.tar.gz --revision \"$(git rev-parse HEAD)\"
  postern policy build policy/ --root postern --root roles --ignore '*_test.rego'
  postern policy build policy/ --signing-key ci.pem --signing-alg ES256 --verification-key-id ci --scope read

Exits with 0 when the bundle is written; with 2 when the arguments cannot be understood; with 3 when a PATH or the key \
cannot be read, or the bundle not be written; with 4 when it would not be loaded, a test in it fails, or it is above \
its fuse.";

#[derive(Debug, Args)]
pub(in crate::command) struct Arguments {
    /// Folders, archives *.tar.gz, or single files *.rego, data.json and data.yaml
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// PATHs are roots of bundles; here they always are
    #[arg(long, short)]
    bundle: bool,
    /// Where the bundle is written
    #[arg(long, short, value_name = "FILE", default_value = "bundle.tar.gz")]
    output: PathBuf,
    /// What records call it; without it, what the manifest says, or a digest of the contents
    #[arg(long, short, value_name = "REVISION")]
    revision: Option<String>,
    /// Path below `data` that the bundle owns, like a/b; may be repeated [default: the manifest's, or everything]
    #[arg(long, value_name = "PATH")]
    root: Vec<String>,
    /// Leave out files and folders of such a name, like '*_test.rego'; may be repeated
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    ignore: Vec<Pattern>,
    #[command(flatten)]
    admission: Admission,
    /// Sign it with this key: a file of PEM (PKCS#8, PKCS#1 or SEC1), or of a shared secret for HS…
    #[arg(long, value_name = "FILE")]
    signing_key: Option<PathBuf>,
    #[command(flatten)]
    signing: Signing,
    /// How it is printed
    #[arg(long, short, value_enum, default_value_t = Format::Pretty)]
    format: Format,
}

pub(super) fn build(arguments: &Arguments) -> Outcome {
    build_it(arguments).unwrap_or_else(|outcome| outcome)
}

fn build_it(arguments: &Arguments) -> Result<Outcome, Outcome> {
    let format = arguments.format;
    let source = |error: SourceError| print::unreadable(&error, format);
    let unusable = |why: String| print::unusable(&why, format);
    let mut draft = Draft::read(&arguments.paths, &arguments.ignore).map_err(source)?;
    draft.describe(arguments.revision.as_deref(), &arguments.root).map_err(source)?;
    let terms = arguments.admission.terms().map_err(unusable)?;
    let checked = draft.check(&terms, &Deadline::after(ADMISSION));
    let (sources, admitted, dear) = checked.map_err(|error| refused(&error, format))?;
    let dear = [dear, misnamed(&arguments.paths, &arguments.ignore)].concat();
    let mut warnings = check::warned(&dear);
    if let Some(key) = &arguments.signing_key {
        let ready = arguments.signing.signer(key).map_err(unusable)?;
        warnings += &ready.warnings;
        draft.sign(&ready.signer).map_err(source)?;
    }
    let packed = draft.pack().map_err(source)?;
    output::write(&arguments.output, &packed).map_err(unusable)?;
    let built = Built {
        sources: &sources,
        files: draft.names().collect(),
        bytes: packed.len(),
        told: arguments.admission.told(&terms, &admitted),
        admitted: arguments.admission.members(&terms, &admitted),
    };
    Ok(Outcome { err: warnings, ..Outcome::said(said(arguments, &built)) })
}

/// A bundle that was written.
struct Built<'a> {
    sources: &'a Sources,
    files: Vec<&'a str>,
    bytes: usize,
    /// What it was held against, for people and for machines.
    told: String,
    admitted: Value,
}

fn refused(error: &BuildError, format: Format) -> Outcome {
    match error {
        BuildError::Source(error) => print::unreadable(error, format),
        BuildError::Refused(error) => print::problems(error, format),
    }
}

fn said(arguments: &Arguments, built: &Built<'_>) -> String {
    let (output, revision) = (arguments.output.display().to_string(), built.sources.revision());
    match arguments.format {
        Format::Pretty => {
            let signed = if arguments.signing_key.is_some() { "signed" } else { "not signed" };
            format!("{output}: revision {revision}, {} files, {signed}\n{}\n", built.files.len(), built.told)
        }
        Format::Json => print::lines(&json!({
            "output": output,
            "revision": revision,
            "files": built.files,
            "bytes": built.bytes,
            "admitted": built.admitted,
            "signed": arguments.signing_key.is_some(),
        })),
    }
}

#[cfg(test)]
mod tests;
