use std::path::Path;

use super::{Format, print};
use crate::command::Outcome;

pub(super) fn inspect(path: &Path, format: Format) -> Outcome {
    let bundle = match postern_policy::inspect(path) {
        Ok(bundle) => bundle,
        Err(error) => return print::unreadable(&error, format),
    };
    Outcome::said(match format {
        // A struct of texts has nothing that could fail.
        Format::Json => print::lines(&serde_json::to_value(&bundle).unwrap_or_default()),
        Format::Pretty => {
            let signed = bundle.signature.map_or_else(
                || "by nobody".to_owned(),
                |by| {
                    let key = by.key.as_deref().unwrap_or("not named");
                    let scope = if by.scope.is_empty() { "none" } else { &by.scope };
                    format!("{}, key {key}, scope {scope}, {} files; not checked", by.algorithm, by.files)
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Exit;

    #[test]
    fn a_bundle_says_what_it_holds_and_one_that_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(".manifest", r#"{"revision": "r42", "roots": ["a", "b"]}"#);
        write("a.rego", "package a");
        write("data.json", r#"{"b": 1}"#);

        let pretty = inspect(folder.path(), Format::Pretty);
        let expected = "revision  r42\nroots     /a /b\nmodules   a.rego\ndata      /\nsigned    by nobody\n";
        assert_eq!((pretty.exit, pretty.out.as_str()), (Exit::Done, expected));

        // {"alg":"ES256","kid":"ci"} and {"files":[],"scope":"read"}
        let token = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImNpIn0.eyJmaWxlcyI6W10sInNjb3BlIjoicmVhZCJ9.AA";
        write(".signatures.json", &format!(r#"{{"signatures": ["{token}"]}}"#));
        let json: serde_json::Value =
            serde_json::from_str(&inspect(folder.path(), Format::Json).out).unwrap();
        let signature = serde_json::json!({"key": "ci", "algorithm": "ES256", "scope": "read", "files": 0});
        assert_eq!((&json["signature"], &json["roots"][1]), (&signature, &"/b".into()));

        write("data.json", r#"{"c": 1}"#);
        let wrong = inspect(folder.path(), Format::Pretty);
        assert!(
            wrong.exit == Exit::Policy && wrong.err.contains("data.json: holds data at /c"),
            "{}",
            wrong.err
        );
    }
}
