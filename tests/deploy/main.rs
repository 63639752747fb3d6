//! What lies in `deploy/` is held to the programs that will read it: Kubernetes' own schemas, systemd, an empty root
//! file system, and Postern itself.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use postern_lab::sidecar;
use postern_tests::{folder, parts};
use tempfile::TempDir;

/// A file of `deploy/`.
fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

fn text_of(name: &str) -> String {
    fs::read_to_string(deploy(name)).expect(name)
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn postern() -> PathBuf {
    sidecar::locate().expect("postern can be built")
}

#[test]
fn the_kubernetes_manifest_fits_the_schemas_of_kubernetes() {
    if !parts::present("the_kubernetes_manifest_fits_the_schemas_of_kubernetes", &["python"]) {
        return;
    }
    let validate = |file: &Path| {
        let mut python = Command::new(parts::program("python"));
        python.args(["-m", "kubernetes_validate", "--strict"]).arg(file).output().expect("python runs")
    };
    let manifest = text_of("kubernetes/sidecar.yaml");
    let sound = validate(&deploy("kubernetes/sidecar.yaml"));
    assert!(sound.status.success(), "{}", said(&sound));
    assert!(said(&sound).contains("deployment/ledger"), "{}", said(&sound));

    let scratch = TempDir::new().expect("a folder");
    let planted = scratch.path().join("planted.yaml");
    let wrong = manifest.replace("restartPolicy: Always", "restartPolicies: Always");
    assert_ne!(wrong, manifest);
    fs::write(&planted, wrong).expect("written");
    assert!(!validate(&planted).status.success(), "a wrong key went through: the check cannot fail");
}

#[test]
fn the_sidecar_is_native_probed_and_without_rights() {
    let manifest = text_of("kubernetes/sidecar.yaml");
    let (_, rest) = manifest.split_once("      initContainers:").expect("init containers");
    let (sidecar, _) = rest.split_once("      containers:").expect("containers");
    for line in [
        "restartPolicy: Always",
        "httpGet: { path: /started, port: health }",
        "httpGet: { path: /live, port: health }",
        "httpGet: { path: /ready, port: health }",
        "allowPrivilegeEscalation: false",
        "readOnlyRootFilesystem: true",
        "capabilities: { drop: [ALL] }",
    ] {
        assert!(sidecar.contains(line), "`{line}` is missing");
    }
}

#[test]
fn postern_accepts_the_configuration_and_policy_in_the_manifest() {
    let manifest = text_of("kubernetes/sidecar.yaml");
    let scratch = TempDir::new().expect("a folder");
    let policy = scratch.path().join("policy");
    fs::create_dir(&policy).expect("a folder");
    fs::write(policy.join("main.rego"), block(&manifest, "main.rego: |")).expect("written");
    let mounted = block(&manifest, "postern.yaml: |");
    let here = mounted.replace("/etc/postern/policy", &policy.display().to_string());
    assert_ne!(mounted, here, "the policy is mounted where the configuration looks for it");
    let file = scratch.path().join("postern.yaml");
    fs::write(&file, here).expect("written");

    let config = postern::config::load(&file).unwrap_or_else(|errors| panic!("{errors}"));
    postern::authorize::load::load(&config.policy, std::collections::BTreeMap::new())
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn an_edited_config_map_reaches_postern() {
    let manifest = text_of("kubernetes/sidecar.yaml");
    assert!(manifest.lines().all(|line| line.contains('#') || !line.contains("subPath")));
    let mounted = manifest.lines().find_map(|line| after(line, "- { name: config, mountPath: "));
    let folder = mounted.and_then(|rest| rest.split(',').next()).expect("a folder");
    assert!(manifest.contains(&format!("args: [run, --config, {folder}/postern.yaml,")), "{folder}");
}

#[test]
fn every_config_map_that_is_mounted_is_in_the_manifest() {
    let manifest = text_of("kubernetes/sidecar.yaml");
    let maps = manifest.lines().filter_map(|line| after(line, "configMap: { name: "));
    let maps: Vec<_> = maps.filter_map(|rest| rest.strip_suffix(" }")).collect();
    assert!(maps.len() > 2, "{maps:?}");
    for map in maps {
        let whole = format!("kind: ConfigMap\nmetadata:\n  name: {map}\ndata:\n");
        assert!(manifest.contains(&whole), "{map} is mounted and not there");
    }
}

#[test]
fn the_pod_has_time_for_the_service_to_end_and_for_postern_to_drain_after_it() {
    let manifest = text_of("kubernetes/sidecar.yaml");
    let seconds = |key: &str| -> u32 {
        let rest = manifest.lines().find_map(|line| after(line, key)).expect(key);
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect(key)
    };
    let needed = seconds("preStop: { sleep: { seconds: ") + seconds("drain: ");
    assert!(seconds("terminationGracePeriodSeconds: ") >= needed + 10);
}

/// What stands after these words on a line that is no comment.
fn after<'a>(line: &'a str, words: &str) -> Option<&'a str> {
    line.trim().split_once(words).filter(|(before, _)| !before.contains('#')).map(|(_, rest)| rest)
}

/// The text of a block that begins after the line that ends in `key`.
fn block(yaml: &str, key: &str) -> String {
    let mut lines = yaml.lines().skip_while(|line| line.trim() != key).skip(1).peekable();
    let indent = lines.peek().map_or(0, |line| line.len() - line.trim_start().len());
    let belongs = |line: &&str| line.trim().is_empty() || line.starts_with(&" ".repeat(indent));
    let block: Vec<&str> =
        lines.take_while(belongs).map(|line| line.get(indent..).unwrap_or_default()).collect();
    assert!(block.len() > 3, "no block `{key}`");
    block.join("\n") + "\n"
}

/// The unit, started from the program that was built; systemd refuses one whose program does not exist.
fn unit(scratch: &TempDir, change: impl Fn(String) -> String) -> PathBuf {
    let text = text_of("systemd/postern.service");
    let here = text.replace("/usr/local/bin/postern", &postern().display().to_string());
    assert_ne!(text, here, "the unit starts the program where the image has it");
    let file = scratch.path().join("postern.service");
    fs::write(&file, change(here)).expect("written");
    file
}

fn systemd_analyze(test: &str, arguments: &[&str], unit: &Path) -> Option<Output> {
    let ran = Command::new("systemd-analyze").args(arguments).arg(unit).output();
    ran.inspect_err(|error| parts::not_run(test, &format!("systemd-analyze: {error}"))).ok()
}

#[test]
fn systemd_reads_the_unit_without_a_word() {
    let test = "systemd_reads_the_unit_without_a_word";
    let scratch = TempDir::new().expect("a folder");
    let sound = unit(&scratch, |text| text);
    let Some(output) = systemd_analyze(test, &["verify"], &sound) else { return };
    assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));

    let planted = unit(&scratch, |text| text.replace("ProtectHome=yes", "ProtectHomes=yes"));
    let output = systemd_analyze(test, &["verify"], &planted).expect("it ran before");
    assert!(said(&output).contains("ProtectHomes"), "a wrong key went through: {}", said(&output));
}

/// A start each second is more than the five in ten seconds that systemd allows a unit that says nothing.
#[test]
fn systemd_goes_on_starting_what_mends_itself() {
    let text = text_of("systemd/postern.service");
    let (head, service) = text.split_once("\n[Service]\n").expect("a service");
    assert!(head.lines().any(|line| line == "StartLimitIntervalSec=0"), "{head}");
    assert!(service.lines().any(|line| line == "Restart=on-failure"));
    assert!(service.lines().any(|line| line == "RestartPreventExitStatus=2 3 4"));
}

#[test]
fn systemd_finds_the_unit_little_exposed() {
    let test = "systemd_finds_the_unit_little_exposed";
    let scratch = TempDir::new().expect("a folder");
    let arguments = ["security", "--offline=true", "--no-pager", "--threshold=15"];
    let sound = unit(&scratch, |text| text);
    let Some(output) = systemd_analyze(test, &arguments, &sound) else { return };
    assert!(output.status.success(), "{}", said(&output));

    let planted = unit(&scratch, |text| text.replace("CapabilityBoundingSet=\n", ""));
    let output = systemd_analyze(test, &arguments, &planted).expect("it ran before");
    assert!(!output.status.success(), "a service with every capability went through");
}

#[test]
fn the_image_ends_empty_but_for_postern_and_is_never_root() {
    let file = text_of("Dockerfile");
    let (_, last) = file.rsplit_once("\nFROM ").expect("a last stage");
    assert!(last.starts_with("scratch\n"), "{last}");
    let user = last.lines().find_map(|line| line.strip_prefix("USER ")).expect("a user");
    let uid: u32 = user.split(':').next().and_then(|uid| uid.parse().ok()).expect("by number");
    assert_ne!(uid, 0);
    // Without a shell, only the form with brackets can be started.
    for word in ["ENTRYPOINT", "CMD"] {
        let mut lines = last.lines().filter_map(|line| line.trim().strip_prefix(word)).peekable();
        assert!(lines.peek().is_some(), "no {word}");
        assert!(lines.all(|line| line.starts_with(" [\"")), "{word} needs a shell");
    }
}

#[test]
fn the_image_s_example_brings_what_the_least_configuration_reads() {
    let (file, least) = (text_of("Dockerfile"), text_of("config/minimal.yaml"));
    assert!(least.contains("path: ./policy") && !least.contains("workload_api"));
    for words in [
        "--volume ./postern:/etc/postern:ro ",
        "--volume /run/spire:/run/spire:ro ",
        "--env SPIFFE_ENDPOINT_SOCKET=unix:///run/spire/",
        "--volume postern-state:/var/lib/postern ",
    ] {
        assert!(file.contains(words), "`{words}` is missing");
    }
    assert!(file.contains("\"--config\", \"/etc/postern/postern.yaml\"]"));
}

#[test]
fn the_image_s_file_system_is_all_that_postern_needs() {
    let test = "the_image_s_file_system_is_all_that_postern_needs";
    let root = folder::open_to_walk();
    let laid =
        Command::new(deploy("rootfs.sh")).arg(postern()).arg(root.path()).output().expect("the script runs");
    assert!(laid.status.success(), "{}", said(&laid));
    for absent in ["bin/sh", "usr/bin/env", "bin/busybox"] {
        assert!(!root.path().join(absent).exists(), "{absent}");
    }
    if !folder::we_are_root() {
        parts::not_run(test, "only root may change the root folder");
        return;
    }
    fs::set_permissions(root.path(), Permissions::from_mode(0o755)).expect("its mode can be set");
    let mut inside = Command::new("chroot");
    inside.arg("--userspec=65532:65532").arg(root.path()).args(["/usr/local/bin/postern", "schema"]);
    let output = inside.output().expect("chroot runs");
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("\"listeners\""), "{}", said(&output));
}
