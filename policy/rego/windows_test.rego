package library.windows_test

import data.library.windows

at(text) := time.parse_rfc3339_ns(text) / 1000000000

office := {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "18:00", "zone": "Europe/Berlin"}

# 2026-11-20 is a Friday.
test_office if {
	windows.open(office, at("2026-11-20T08:00:00+01:00"))
	windows.open(office, at("2026-11-20T17:59:59+01:00"))
	windows.open(office, at("2026-07-17T06:30:00Z"))
	not windows.open(office, at("2026-11-20T07:59:59+01:00"))
	not windows.open(office, at("2026-11-20T18:00:00+01:00"))
	not windows.open(office, at("2026-11-21T12:00:00+01:00"))
	not windows.open(office, at("2026-11-20T17:30:00Z"))
}

# It belongs to the day on which it begins.
night := {"days": ["fri"], "from": "22:00", "to": "06:00", "zone": "Europe/Berlin"}

test_night if {
	windows.open(night, at("2026-11-20T22:00:00+01:00"))
	windows.open(night, at("2026-11-21T05:59:59+01:00"))
	not windows.open(night, at("2026-11-21T06:00:00+01:00"))
	not windows.open(night, at("2026-11-20T05:00:00+01:00"))
	not windows.open(night, at("2026-11-21T22:00:00+01:00"))
	not windows.open(night, at("2026-11-20T21:59:59+01:00"))
}

# The day is the zone's own: Saturday in Tokyo begins on Friday in UTC.
test_zone if {
	saturday := {"days": ["sat"], "zone": "Asia/Tokyo"}
	windows.open(saturday, at("2026-11-20T15:00:00Z"))
	not windows.open(saturday, at("2026-11-20T14:59:59Z"))
	not windows.open(saturday, at("2026-11-21T15:00:00Z"))
}

test_left_out if {
	windows.open({}, 0)
	windows.open({"from": "12:00"}, at("2026-11-20T23:59:59Z"))
	not windows.open({"from": "12:00"}, at("2026-11-20T11:59:59Z"))
	windows.open({"to": "12:00"}, at("2026-11-20T00:00:00Z"))
	not windows.open({"to": "12:00"}, at("2026-11-20T12:00:00Z"))
	not windows.open({"days": []}, at("2026-11-20T12:00:00Z"))
	windows.open({"days": {"fri"}}, at("2026-11-20T12:00:00Z"))
}

# On 2026-03-29 Berlin's clocks go from 02:00 to 03:00, on 2026-10-25 from 03:00 back to 02:00.
early := {"from": "02:00", "to": "03:00", "zone": "Europe/Berlin"}

test_skipped_hour if {
	not windows.open(early, at("2026-03-29T01:59:59+01:00"))
	not windows.open(early, at("2026-03-29T03:00:00+02:00"))
	windows.open(early, at("2026-03-30T02:00:00+02:00"))
}

test_repeated_hour if {
	windows.open(early, at("2026-10-25T02:00:00+02:00"))
	windows.open(early, at("2026-10-25T02:59:59+01:00"))
	not windows.open(early, at("2026-10-25T03:00:00+01:00"))
}

# What is written otherwise opens nothing.
test_no_window[window] if {
	some window in [
		null, 7, "mon-fri 08:00-18:00", [], {"zome": "Europe/Berlin"}, {"days": ["monday"]}, {"days": "mon"}, {"days": null},
		{"days": ["MON"]}, {"days": [1]}, {"days": {"mon": true}}, {"from": "8:00"}, {"from": "24:00", "to": "06:00"},
		{"from": "12:60"}, {"to": "24:01"}, {"to": "25:00"}, {"to": "18"}, {"to": "18:00:00"}, {"to": "18:00\n"}, {"to": 18},
		{"to": null}, {"from": "08:00", "to": "08:00"}, {"to": "00:00"}, {"zone": ""}, {"zone": "Local"}, {"zone": "CET"},
		{"zone": "../etc/passwd"}, {"zone": null}, {"zone": 1}, {"zone": ["UTC"]}, {"Days": ["mon"]},
	]
	windows.is_window(window) == false
	windows.open(window, at("2026-11-20T12:00:00Z")) == false
	not windows.closes(window, at("2026-11-20T12:00:00Z"))
}

test_no_time[now] if {
	some now in [null, "1795300123", -1, 1.5, 9000000000, 100000000000000000000, [], {}, true]
	windows.open({}, now) == false
	windows.between("1970-01-01T00:00:00Z", "2286-01-01T00:00:00Z", now) == false
	not windows.closes({}, now)
}

test_any if {
	now := at("2026-11-20T12:00:00+01:00")
	windows.any_open([night, office], now)
	windows.any_open({"night": night, "office": office}, now)
	windows.any_open({office}, now)
	every none in [[], {}, [night], [null], null, 7, "UTC", office] { windows.any_open(none, now) == false }
}

test_closes[note] if {
	some note, want in {
		"today": [office, "2026-11-20T08:00:00+01:00", "2026-11-20T18:00:00+01:00"],
		"in a moment": [office, "2026-11-20T17:59:59+01:00", "2026-11-20T18:00:00+01:00"],
		"tomorrow": [night, "2026-11-20T23:30:30+01:00", "2026-11-21T06:00:00+01:00"],
		"after midnight": [night, "2026-11-21T01:00:00+01:00", "2026-11-21T06:00:00+01:00"],
		"at midnight": [{}, "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"],
		"across the skipped hour": [{"to": "12:00", "zone": "Europe/Berlin"}, "2026-03-29T00:30:00+01:00", "2026-03-29T12:00:00+02:00"],
		"at its end": [{"to": "03:00", "zone": "Europe/Berlin"}, "2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00"],
		"in it": [{"to": "02:30", "zone": "Europe/Berlin"}, "2026-03-29T01:45:00+01:00", "2026-03-29T03:00:00+02:00"],
		"in it, begun just before": [
			{"from": "01:40", "to": "02:30", "zone": "Europe/Berlin"},
			"2026-03-29T01:45:00+01:00", "2026-03-29T03:00:00+02:00",
		],
		"across the repeated hour": [{"to": "12:00", "zone": "Europe/Berlin"}, "2026-10-25T00:30:00+02:00", "2026-10-25T12:00:00+01:00"],
		"in the first of it": [early, "2026-10-25T02:30:00+02:00", "2026-10-25T03:00:00+01:00"],
		"in the second of it": [early, "2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00"],
		"midnight is skipped": [{"zone": "Africa/Cairo"}, "2026-04-23T12:00:00+02:00", "2026-04-24T01:00:00+03:00"],
	}
	windows.closes(want[0], at(want[1])) == at(want[2])
}

test_closes_no_later[note] if {
	some note, now in {"before": "2026-11-20T07:00:00+01:00", "after": "2026-11-20T18:00:00+01:00"}
	not windows.closes(office, at(now))
}

test_between if {
	holidays := {"from": "2026-12-24T00:00:00+01:00", "to": "2026-12-27T00:00:00+01:00"}
	windows.between(holidays.from, holidays.to, at("2026-12-23T23:00:00Z"))
	windows.between(holidays.from, holidays.to, at("2026-12-26T22:59:59Z"))
	not windows.between(holidays.from, holidays.to, at("2026-12-26T23:00:00Z"))
	not windows.between(holidays.from, holidays.to, at("2026-12-23T22:59:59Z"))
	not windows.between(holidays.to, holidays.from, at("2026-12-25T00:00:00Z"))
}

test_not_between[odd] if {
	some odd in ["", "2026-12-24", "2026-12-24 00:00:00Z", "2026-13-24T00:00:00Z", "2026-12-24T24:00:00Z", null, 7, [], 1795300123]
	windows.between(odd, "2286-01-01T00:00:00Z", at("2026-12-25T00:00:00Z")) == false
	windows.between("1970-01-01T00:00:00Z", odd, at("2026-12-25T00:00:00Z")) == false
}
