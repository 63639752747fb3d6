//! `time.parse_ns`, `time.parse_rfc3339_ns` and `time.format`: what OPA takes is read and written as it does, and what it
//! refuses is refused.

use std::fmt::Write as _;
use std::process::Command;

use postern_policy::AskError;
use postern_tests::parts::program;
use serde_json::Value;

use crate::{opa, ours};

const LAYOUTS: [&str; 34] = [
    "2006-01-02",
    "06-01-02",
    "01/02/2006",
    "02.01.2006",
    "1/2/2006",
    "20060102",
    "2006-002",
    "2006 __2",
    "2006 _2 Jan",
    "_2006 January",
    "ANSIC",
    "RubyDate",
    "RFC822Z",
    "RFC1123Z",
    "RFC1123",
    "RFC3339",
    "RFC3339Nano",
    "15:04:05",
    "15:04:05.000",
    "3:04:05 PM",
    "03:4:5 pm",
    "2006-01-02T15:04:05Z0700",
    "2006-01-02T15:04:05Z07",
    "2006-01-02T15:04:05-07",
    "2006-01-02T15:04:05-0700",
    "2006-01-02T15:04:05-07:00:00",
    "2006-01-02T15:04:05Z070000",
    "2006-01-02 15:04:05,999",
    "2006-01-02 15:04 MST",
    "Monday 2006-01-02",
    "Mon Month 2",
    "2006-01-02 002",
    ".00 .9",
    "",
];

const TIMES: [&str; 96] = [
    "2026-01-02",
    "2026-1-2",
    "26-01-02",
    "6-1-2",
    "69-12-31",
    "68-12-31",
    "01/02/2006",
    "1/2/2026",
    "1/2/20261",
    "02.01.2026",
    "2.1.2026",
    "20260102",
    "2026112",
    "2024-060",
    "2024-366",
    "2023-366",
    "2023-60",
    "2023 60",
    "2024  60",
    "2023   1",
    "2024 000",
    "2024 29 Feb",
    "2023 29 feb",
    "2024  9 FEB",
    "_2026 march",
    "_2026 mar",
    "Fri Jan  2 15:04:05 2026",
    "Mon Jan 2 15:04:05.5 2026",
    "Mon Jan 2 15:04:05 2026",
    "mon jan 12   15:4:5 2026",
    "Fri Jan 02 15:04:05 -0700 2026",
    "Fri Jan 2 15:04:05 -0700 2026",
    "02 Jan 26 15:04 +0100",
    "02 Jan 26 15:04 +01:00",
    "Fri, 02 Jan 2026 15:04:05 +0100",
    "Sun, 02 Jan 2026 15:04:05,25 +0100",
    "Fri, 02 Jan 2026 15:04:05 UTC",
    "Fri, 02 Jan 2026 15:04:05 GMT",
    "Fri, 02 Jan 2026 15:04:05 utc",
    "2026-01-02T15:04:05Z",
    "2026-01-02 15:04:05Z",
    "2026-01-02t15:04:05Z",
    "2026-01-02T15:04:05z",
    "2026-01-02T15:04:05 Z",
    "2026-01-02T15:04:05+01:00",
    "2026-01-02T15:04:05\\u221201:00",
    "2026-01-02T15:04:05-01:00",
    "2026-01-02T15:04:05+0100",
    "2026-01-02T15:04:05-0100",
    "2026-01-02T15:04:05\\u22120100",
    "2026-01-02T15:04:05+01",
    "2026-01-02T15:04:05-24",
    "2026-01-02T15:04:05+25",
    "2026-01-02T15:04:05+24:60",
    "2026-01-02T15:04:05+23:61",
    "2026-01-02T15:04:05-00:00:01",
    "2026-01-02T15:04:05-00:00:02",
    "2026-01-02T15:04:05+01:02:60",
    "2026-01-02T15:04:05+010203",
    "2026-01-02T15:04:05.Z",
    "2026-01-02T15:04:05.1Z",
    "2026-01-02T15:04:05,1Z",
    "2026-01-02T15:04:05.123456789123Z",
    "2026-01-02T15:04:05.1+01:00",
    "2026-01-02T5:04:05Z",
    "2026-01-02T15:4:05Z",
    "2026-01-02T15:04:5Z",
    "2026-01-02T24:00:00Z",
    "2026-01-02T23:60:00Z",
    "2026-06-30T23:59:60Z",
    "2026-02-29T00:00:00Z",
    "2024-02-29T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "1677-09-21T00:12:43.145224192Z",
    "1677-09-21T00:12:43.145224191Z",
    "2262-04-11T23:47:16.854775807Z",
    "2262-04-11T23:47:16.854775808Z",
    "0000-02-29T00:00:00Z",
    "1969-12-31T23:59:59.5Z",
    "15:04:05",
    "15:04:05.123",
    "15:04:05.12",
    "3:04:05 PM",
    "12:04:05 AM",
    "13:04:05 PM",
    "03:4:5 pm",
    "2026-01-02 15:04:05,5",
    "2026-01-02 15:04:05",
    "2026-01-02 15:04 UTC",
    "fri 2026-01-02",
    "sunday  2026-01-02",
    "2026-01-02 002",
    "",
];

#[test]
fn times_are_read_and_refused_as_opa_reads_and_refuses_them() {
    let mut module = String::from("package a\n");
    let mut calls = Vec::new();
    for time in TIMES {
        calls.push(format!("time.parse_rfc3339_ns(\"{time}\")"));
        calls.extend(LAYOUTS.iter().map(|layout| format!("time.parse_ns(\"{layout}\", \"{time}\")")));
    }
    for (at, call) in calls.iter().enumerate() {
        let _written = writeln!(module, "x[{at}] := {call}");
    }
    let theirs = opa(&module, "data.a.x").expect("a value");
    let taken = theirs.as_object().map_or(0, serde_json::Map::len);
    assert!((100..1000).contains(&taken), "OPA takes {taken}");

    agree(&calls, &theirs);
}

/// Each call by itself: an error is one of the whole answer.
#[track_caller]
fn agree(calls: &[String], theirs: &Value) {
    let mut differing = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        let theirs = theirs.get(at.to_string());
        let ours = ours(&format!("package a\nx := {call}\n"), "data.a.x").unwrap_or(None);
        if ours.as_ref() != theirs {
            differing.push(format!("{call}: {ours:?}, OPA {:?}", theirs.map(Value::to_string)));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn times_are_written_as_opa_writes_them() {
    let more = [
        "2006 06 January Jan 01 1 02 2 _2 002 __2 Monday Mon",
        "15 3 03 4 04 5 05 PM pm .000 ,00 .999 ,9 .0000000000 .099",
        "-070000 -07:00:00 -0700 -07:00 -07 Z070000 Z07:00:00 Z0700 Z07:00 Z07 -7 Z7",
        "Month Januarys é _2006 2006_2 JanMon",
    ];
    let times = ["0", "1735689599123456789", "1709164800100000000", "-1", "-3000000000000000000", "1e18"];
    let zones = ["UTC", "", "Europe/Berlin", "America/New_York", "Asia/Kolkata"];
    let mut calls = Vec::new();
    for time in times {
        calls.push(format!("time.format({time})"));
        for zone in zones {
            calls.push(format!("time.format([{time}, \"{zone}\"])"));
            for layout in LAYOUTS.iter().chain(&more) {
                let named = matches!(*layout, "RFC1123") || layout.contains("MST");
                if !named || zones[..2].contains(&zone) {
                    calls.push(format!("time.format([{time}, \"{zone}\", \"{layout}\"])"));
                }
            }
        }
    }
    let mut module = String::from("package a\n");
    for (at, call) in calls.iter().enumerate() {
        let _written = writeln!(module, "x[{at}] := {call}");
    }
    let theirs = opa(&module, "data.a.x").expect("a value");
    assert_eq!(theirs.as_object().map(serde_json::Map::len), Some(calls.len()));
    agree(&calls, &theirs);
    for layout in ["RFC1123", "UnixDate", "RFC822", "RFC850", "15:04 MST"] {
        let call = format!("package a\nx := time.format([0, \"Europe/Berlin\", \"{layout}\"])\n");
        let error = ours(&call, "data.a.x").expect_err("no name of a zone").to_string();
        assert!(error.contains("RFC1123Z"), "{error}");
    }
}

#[test]
fn what_is_between_two_times_is_as_opa_counts_it() {
    let zones = ["UTC", "", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"];
    // Winter and summer, the hour that a clock shows twice, the ends of months, and the ends of what there is.
    let times = [
        "0",
        "1700000000000000000",
        "1600000000123456789",
        "1729987199000000000",
        "1729990860000000000",
        "1706659199999999999",
        "1709164800000000000",
        "362525267000000000",
        "-1700000000000000001",
        "4102444799999999999",
        "-9223372036854775808",
    ];
    let mut calls = vec![
        String::from("time.diff([0, \"Europe/Rome\"], [1700000000000000000, \"Europe/Atlantis\"])"),
        String::from("time.diff([9223372036854775807, \"UTC\"], [0, \"Europe/Rome\"])"),
    ];
    for one in times {
        for other in times {
            calls.push(format!("time.diff({one}, {other})"));
            for (at, zone) in zones.iter().enumerate() {
                let second = zones[(at * at + 1) % zones.len()];
                calls.push(format!("time.diff([{one}, \"{zone}\"], [{other}, \"{second}\"])"));
            }
        }
    }
    let mut module = String::from("package a\n");
    for (at, call) in calls.iter().enumerate() {
        let _written = writeln!(module, "x[{at}] := {call}");
    }
    let theirs = opa(&module, "data.a.x").expect("a value");
    assert_eq!(theirs.as_object().map(serde_json::Map::len), Some(calls.len() - 1));
    agree(&calls, &theirs);
}

#[test]
fn what_is_added_to_a_time_is_added_by_the_clock_of_utc() {
    let module =
        |time: &str| format!("package a\nt := json.unmarshal(`{time}`)\nx := time.add_date(t, 0, 0, 1)\n");
    // Noon on the last day of winter time.
    let time = "1743246000000000000";
    let by_utc = module(time);
    let theirs = opa(&by_utc, "data.a.x");
    assert_eq!(theirs, Some(Value::from(1_743_332_400_000_000_000_i64)));
    assert_eq!(ours(&by_utc, "data.a.x").expect("a value"), theirs);
    for zone in ["Europe/Berlin", "UTC", ""] {
        let zoned = module(&format!("[{time}, \"{zone}\"]"));
        let theirs = opa(&zoned, "data.a.x").expect("a time");
        assert_eq!(theirs == 1_743_332_400_000_000_000_i64, zone != "Europe/Berlin", "{zone}");
        let error = ours(&zoned, "data.a.x").expect_err("no zone").to_string();
        assert!(error.contains("takes a time in nanoseconds alone"), "{zone}: {error}");
    }
}

#[test]
fn zones_without_summer_time_are_known_from_2100_on() {
    let known = [
        "UTC",
        "",
        "Etc/UTC",
        "Etc/GMT+5",
        "Etc/GMT-14",
        "GMT",
        "Zulu",
        "Asia/Tokyo",
        "Asia/Kathmandu",
        "America/Sao_Paulo",
        "Africa/Casablanca",
    ];
    let unknown = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "EST5EDT"];
    for (zone, is_known) in
        known.map(|zone| (zone, true)).into_iter().chain(unknown.map(|zone| (zone, false)))
    {
        for call in ["time.clock(t)", "time.date(t)", "time.weekday(t)", "time.format(t)", "time.diff(t, 0)"]
        {
            let asked = |time: &str| {
                let module = format!("package a\nt := [{time}, \"{zone}\"]\nx := {call}\n");
                (ours(&module, "data.a.x"), opa(&module, "data.a.x"))
            };
            let (before, theirs) = asked("4102444799999999999");
            assert_eq!(before.expect("a value"), theirs, "{zone} {call}");
            // Midnight of the new year, and a summer, when most zones that have one are an hour ahead.
            for time in ["4102444800000000000", "4118083200000000000"] {
                let (beyond, theirs) = asked(time);
                match beyond {
                    Ok(beyond) => {
                        assert!(is_known && beyond == theirs, "{zone} {call}: {beyond:?} {theirs:?}");
                    }
                    Err(error) => {
                        let told = error.to_string().contains("takes times before 2100");
                        assert!(!is_known && told, "{zone} {call}: {error}");
                    }
                }
            }
            let local = format!("package a\nt := [0, \"Local\"]\nx := {call}\n");
            let error = ours(&local, "data.a.x").expect_err("no zone of a machine").to_string();
            assert!(error.contains("takes a time zone by its name"), "{call}: {error}");
        }
    }
}

/// Lists that are written out where a time stands; whether `time.format` alone takes them.
const LISTS: [(&str, bool); 9] = [
    ("[0]", false),
    ("[]", false),
    ("[0, 1]", false),
    ("[\"a\", \"UTC\"]", false),
    ("[0, \"UTC\", \"2006\"]", true),
    ("[0, \"UTC\", 1]", false),
    ("[0, \"UTC\", \"2006\", 1]", false),
    ("[input.x]", false),
    ("[input.x, input.y, input.z]", true),
];

#[test]
fn a_list_that_is_written_out_and_no_time_is_not_loaded() {
    for (list, formats) in LISTS {
        for call in ["time.clock(@)", "time.date(@)", "time.weekday(@)", "time.diff(@, 1)", "time.diff(1, @)"]
        {
            let (named, written) = (call.replace('@', "t"), call.replace('@', list));
            for rules in [format!("t := {list}\nx := {named}"), format!("x := {written}")] {
                assert!(refused(&format!("package a\n{rules}\n")), "{rules}");
            }
        }
        let module = format!("package a\nx := time.format({list})\n");
        assert_eq!(refused(&module), !formats, "{module}");
    }
    // What is not written out is not known, and of that more is taken.
    for list in ["[0]", "[0, \"UTC\"]", "[0, \"UTC\", \"2006\"]", "[0, \"UTC\", \"2006\", 1]"] {
        for call in ["time.clock(t)", "time.weekday(t)", "time.diff(t, 1)", "time.format(t)"] {
            let module = format!("package a\nt := json.unmarshal(`{list}`)\nx := {call}\n");
            assert_eq!(ours(&module, "data.a.x").expect("a value"), opa(&module, "data.a.x"), "{module}");
        }
    }
}

/// Whether both refuse it at load.
fn refused(module: &str) -> bool {
    let ours = matches!(ours(module, "data.a.x"), Err(AskError::Refused(_)));
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("a.rego"), module).expect("it can be written");
    let loads = Command::new(program("opa")).current_dir(&folder).args(["check", "a.rego"]).output();
    let theirs = !loads.expect("opa runs").status.success();
    assert_eq!(ours, theirs, "{module}");
    ours
}
