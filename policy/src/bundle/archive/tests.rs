//! Archives as OPA writes them, and as someone writes them who means harm.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A header for a file of `size` bytes, its name written as it is.
fn header(name: &[u8], size: u64, kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_entry_type(kind);
    header.set_cksum();
    header
}

/// An archive of these headers and contents, without its end.
fn entries(list: &[(Header, &[u8])]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (header, bytes) in list {
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(bytes);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar
}

fn ended(mut tar: Vec<u8>) -> Vec<u8> {
    tar.resize(tar.len() + 1024, 0);
    tar
}

fn file(name: &str, bytes: &'static str) -> (Header, &'static [u8]) {
    (header(name.as_bytes(), bytes.len() as u64, EntryType::Regular), bytes.as_bytes())
}

/// Why the archive of these entries is refused.
fn refused(list: &[(Header, &[u8])]) -> Wrong {
    unpack(&gzip(&ended(entries(list)))).unwrap_err()
}

#[test]
fn files_are_named_from_the_root_whatever_stands_before_their_names() {
    let list = [file("/data.json", "{}"), file("./lib/a.rego", "package a"), file(".manifest", "{}")];
    let folder = (header(b"lib/", 0, EntryType::Directory), &b""[..]);

    let files = unpack(&gzip(&ended(entries(&[&list[..], &[folder]].concat())))).unwrap();

    assert_eq!(files.keys().collect::<Vec<_>>(), [".manifest", "data.json", "lib/a.rego"]);
    assert_eq!(files["lib/a.rego"], b"package a");
}

#[test]
fn a_long_name_is_read_in_both_ways_of_writing_it() {
    let name = format!("{}/a.rego", "folder".repeat(20));
    let mut gnu = Builder::new(Vec::new());
    let mut plain = Header::new_gnu();
    plain.set_size(9);
    gnu.append_data(&mut plain, &name, &b"package a"[..]).unwrap();
    let mut pax = Builder::new(Vec::new());
    pax.append_pax_extensions([("path", name.as_bytes())]).unwrap();
    let (short, bytes) = file("short.rego", "package a");
    pax.append(&short, bytes).unwrap();

    for tar in [gnu.into_inner().unwrap(), pax.into_inner().unwrap()] {
        assert_eq!(unpack(&gzip(&tar)).unwrap()[&name], b"package a");
    }
}

#[test]
fn a_name_that_leaves_the_bundle_is_refused_and_named() {
    for name in [
        "../a.rego",
        "a/../../b.rego",
        "/../policy/main.rego",
        "//a.rego",
        "/./a.rego",
        "a//b.rego",
        "a/./b.rego",
        "a\\b.rego",
        "..",
        "a\nb",
    ] {
        let wrong = refused(&[file("ok.rego", "package a"), file(name, "x")]);
        assert_eq!(wrong.entry, shown(name.as_bytes()), "{wrong}");
        assert!(!wrong.why.contains("leaves") || wrong.why.contains("`opa build -b .`"), "{wrong}");
    }
    assert!(refused(&[(header(b"a\xff.rego", 1, EntryType::Regular), b"x")]).why.contains("UTF-8"));
    assert!(refused(&[file(&"a/".repeat(30), "x")]).why.contains("empty part"));
    assert!(refused(&[file(&format!("{}x", "a/".repeat(17)), "x")]).why.contains("deep"));
}

#[test]
fn links_devices_and_sparse_files_are_refused_and_named() {
    let kinds = [
        (EntryType::Symlink, "link"),
        (EntryType::Link, "link"),
        (EntryType::Char, "device"),
        (EntryType::Block, "device"),
        (EntryType::Fifo, "pipe"),
        (EntryType::Continuous, "neither"),
        (EntryType::new(b'Z'), "neither"),
    ];
    for (kind, why) in kinds {
        let wrong = refused(&[(header(b"data.json", 0, kind), b"")]);
        assert_eq!(wrong.entry, "data.json");
        assert!(wrong.why.contains(why), "{wrong}");
    }
}

#[test]
fn a_sparse_header_that_promises_terabytes_gives_nothing() {
    // Offset, length and real size as GNU tar writes them: one hole, no data.
    let mut sparse = header(b"data.json", 0, EntryType::GNUSparse);
    let bytes = sparse.as_mut_bytes();
    bytes[386..397].copy_from_slice(b"77777777777");
    bytes[398..409].copy_from_slice(b"00000000000");
    bytes[483..494].copy_from_slice(b"77777777777");
    sparse.set_cksum();
    assert!(refused(&[(sparse, b"")]).why.contains("sparse"));

    let mut pax = Builder::new(Vec::new());
    pax.append_pax_extensions([("GNU.sparse.realsize", &b"8796093022208"[..])]).unwrap();
    let (header, bytes) = file("data.json", "{}");
    pax.append(&header, bytes).unwrap();
    assert!(unpack(&gzip(&pax.into_inner().unwrap())).unwrap_err().why.contains("sparse"));
}

#[test]
fn two_files_of_one_name_are_refused_however_the_name_is_written() {
    let wrong = refused(&[file("/data.json", "{}"), file("./data.json", "{}")]);

    assert_eq!(wrong, Wrong::new("./data.json", "stands here twice"));
}

#[test]
fn two_sizes_of_one_file_are_refused() {
    let mut pax = Builder::new(Vec::new());
    pax.append_pax_extensions([("size", &b"0"[..])]).unwrap();
    let (header, bytes) = file("data.json", "{}");
    pax.append(&header, bytes).unwrap();

    assert_eq!(unpack(&gzip(&pax.into_inner().unwrap())).unwrap_err().why, "has two sizes");
}

#[test]
fn a_file_above_its_limit_is_refused_by_its_header_alone() {
    for (name, size) in [("data.json", 1 << 40), ("a.rego", 2 << 20)] {
        let wrong = refused(&[(header(name.as_bytes(), size, EntryType::Regular), b"")]);
        assert_eq!(wrong.entry, name);
        assert!(wrong.why.contains("larger than"), "{wrong}");
    }
}

#[test]
fn more_entries_than_the_most_are_refused() {
    let folder = header(b"a/", 0, EntryType::Directory);
    let list: Vec<(Header, &[u8])> = (0..=MAX_ENTRIES).map(|_| (folder.clone(), &b""[..])).collect();

    assert!(refused(&list).why.contains("entries"));
}

#[test]
fn a_bomb_ends_long_before_it_is_unpacked() {
    // 24 MiB of zeros in files that no limit of their own holds back: a thousand to one.
    let zeros = vec![0; 8 << 20];
    let list: Vec<(Header, &[u8])> = ["a", "b", "c"]
        .iter()
        .map(|name| (header(name.as_bytes(), zeros.len() as u64, EntryType::Regular), &zeros[..]))
        .collect();

    let wrong = refused(&list);

    assert!(wrong.why.contains("unpacks to more than"), "{wrong}");
}

#[test]
fn a_long_name_entry_is_no_way_around_the_limits() {
    let zeros = vec![b'a'; 8 << 20];
    let long = (header(b"././@LongLink", zeros.len() as u64, EntryType::GNULongName), &zeros[..]);

    let wrong = refused(&[long, file("a.rego", "package a")]);

    assert!(wrong.why.contains("unpacks to more than"), "{wrong}");
}

#[test]
fn nothing_may_follow_the_end() {
    let (one, hidden) = (entries(&[file("a.rego", "package a")]), entries(&[file("b.rego", "package b")]));

    let after_the_mark = [ended(one.clone()), hidden.clone()].concat();
    assert!(unpack(&gzip(&after_the_mark)).unwrap_err().why.contains("follows its end"));

    let two_streams = [gzip(&one), gzip(&ended(hidden))].concat();
    assert!(unpack(&two_streams).unwrap_err().why.contains("end of the gzip stream"));

    let garbage = [gzip(&ended(one.clone())), b"x".to_vec()].concat();
    assert!(unpack(&garbage).unwrap_err().why.contains("end of the gzip stream"));

    // GNU tar fills its last record with zeros.
    let filled = [ended(one), vec![0; 8192]].concat();
    assert_eq!(unpack(&gzip(&filled)).unwrap().len(), 1);
}

#[test]
fn an_archive_that_was_cut_or_changed_on_its_way_is_refused() {
    let tar = ended(entries(&[file("a.rego", "package a")]));
    let whole = gzip(&tar);
    for length in 0..whole.len() {
        assert!(unpack(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
    }
    let mut sum = whole.clone();
    let checksum = sum.len() - 8;
    sum[checksum] ^= 1;
    assert!(unpack(&sum).is_err());
    let mut header = tar;
    header[0] = b'b';
    assert!(unpack(&gzip(&header)).unwrap_err().why.contains("checksum"));
    assert!(unpack(b"PK\x03\x04 no gzip at all").is_err());
}
