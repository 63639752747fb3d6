# METADATA
# scope: package
# title: Windows of time
# description: |
#   A window comes again each day or on some days of the week, by the clock of a zone:
#   `{"days": ["mon", "fri"], "from": "22:00", "to": "06:00", "zone": "Europe/Berlin"}`. Every member may be left out:
#   every day, from 00:00, to 24:00, in UTC. The end is not in it. One that goes past midnight belongs to the day on
#   which it begins. The clock is that of the zone, daylight saving with it: an hour that the clocks skip is in no
#   window, an hour that they repeat counts twice. Times are Unix seconds, as `input.now`.
package library.windows

# METADATA
# scope: document
# title: Whether it is a window
# description: |
#   True for a window as it should be written. A member that nobody knows makes it none, so that a slip of the pen
#   opens nothing. Whether a zone exists is seen when it is asked for: a test that does so belongs beside each zone.
default is_window(_) := false

is_window(window) if {
	is_object(window)
	object.keys(window) - {"days", "from", "to", "zone"} == set()
	every day in days(window) { yesterday[day] }
	from(window) < 1440
	from(window) != to(window)
	is_zone(zone(window))
}

# METADATA
# scope: document
# title: Whether a window is open
# description: Whether a time lies in the window; false for what is no window and for what is no time.
default open(_, _) := false

open(window, now) if {
	is_window(window)
	is_time(now)
	holds(days(window), from(window), to(window), clock(window, now))
}

# METADATA
# scope: document
# title: Whether one of several windows is open
# description: Whether a time lies in one window of a list or set, or of an object's values; false for none.
default any_open(_, _) := false

any_open(windows, now) if {
	type_name(windows) in {"array", "object", "set"}
	some window in windows
	open(window, now)
}

# METADATA
# scope: document
# title: When an open window closes
# description: |
#   The Unix second at which a window that is open closes, for `until` of a decision; undefined while it is not open.
#   Where the clocks skip the end, it closes when they do.
closes(window, now) := end if {
	open(window, now)
	end := reached(window, now, (now - (now % 60)) + (left(clock(window, now).minute, to(window)) * 60))
}

# METADATA
# scope: document
# title: Once
# description: |
#   Whether a time lies between two times of RFC 3339 such as `2026-12-24T00:00:00+01:00`; the second is not in it.
#   False for what is no time.
default between(_, _, _) := false

between(start, end, now) if {
	is_rfc3339(start)
	is_rfc3339(end)
	is_time(now)
	time.parse_rfc3339_ns(start) <= now * 1000000000
	now * 1000000000 < time.parse_rfc3339_ns(end)
}

holds(days, from, to, clock) if {
	from < to
	clock.day in days
	clock.minute >= from
	clock.minute < to
}

holds(days, from, to, clock) if {
	from > to
	clock.day in days
	clock.minute >= from
}

holds(days, from, to, clock) if {
	from > to
	yesterday[clock.day] in days
	clock.minute < to
}

# Day of the week and minute of the day.
clock(window, now) := {"day": day, "minute": (hour * 60) + minute} if {
	here := [now * 1000000000, zone(window)]
	[hour, minute, _] := time.clock(here)
	day := lower(substring(time.weekday(here), 0, 3))
}

# Minutes of the clock up to the end.
left(minute, end) := end - minute if minute < end

left(minute, end) := (end + 1440) - minute if minute >= end

# The time at which the end is reached, by the time at which it would be, did nobody touch the clocks.
reached(window, _, guess) := guess if ahead(window, guess) == 0

reached(window, _, guess) := right if {
	ahead(window, guess) != 0
	right := guess - (ahead(window, guess) * 60)
	ahead(window, right) == 0
}

# The end was skipped.
reached(window, now, guess) := min({guess} | closed) if {
	right := guess - (ahead(window, guess) * 60)
	ahead(window, right) != 0
	closed := {time |
		some minute in numbers.range(0, ahead(window, guess))
		time := right + (minute * 60)
		time > now
		not open(window, time)
	}
}

# Minutes by which the clock is past the window's end, or short of it.
ahead(window, time) := (((clock(window, time).minute - to(window)) + 3600) % 1440) - 720

days(window) := object.get(window, "days", object.keys(yesterday))

from(window) := minutes(object.get(window, "from", "00:00"))

to(window) := minutes(object.get(window, "to", "24:00"))

zone(window) := object.get(window, "zone", "UTC")

minutes("24:00") := 1440

minutes(text) := (part(text, 0) * 60) + part(text, 3) if {
	is_string(text)
	regex.match(`^([01][0-9]|2[0-3]):[0-5][0-9]$`, text)
}

# Two digits; the 1 before them keeps 08 a number.
part(text, at) := to_number(concat("", ["1", substring(text, at, 2)])) - 100

is_zone(zone) if {
	is_string(zone)
	regex.match(`^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2})$`, zone)
}

# Whole seconds, up to the year 2255.
is_time(now) if {
	is_number(now)
	now >= 0
	now < 9000000000
	floor(now) == now
}

is_rfc3339(text) if {
	is_string(text)
	regex.match(
		`^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-][0-9]{2}:[0-9]{2})$`,
		text,
	)
}

yesterday := {"mon": "sun", "tue": "mon", "wed": "tue", "thu": "wed", "fri": "thu", "sat": "fri", "sun": "sat"}
