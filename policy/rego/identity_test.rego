package library.identity_test

import data.library.identity

eod := "spiffe://bank.example/ns/batch/sa/eod"

# What no library may take for an ID.
none := [
	"", "spiffe:/", "spiffe://", "spiffe:///eod", "http://bank.example/eod", "SPIFFE://bank.example/eod",
	"spiffe://Bank.example/eod", "spiffe://bank.example/", "spiffe://bank.example/eod/", "spiffe://bank.example//eod",
	"spiffe://bank.example/./eod", "spiffe://bank.example/batch/..", "spiffe://bank.example/%65od",
	"spiffe://bank.example:80/eod", "spiffe://u@bank.example/eod", "spiffe://bank.example/eod?", "spiffe://bank.example/eod#",
	"spiffe://bank.example/e*", "spiffe://bank.example/eod\n", "\nspiffe://bank.example/eod", "spiffe://bank.example/éod",
	" spiffe://bank.example/eod", "bank.example/eod", null, 7, true, [], {}, {"id": "spiffe://bank.example/eod"},
	["spiffe://bank.example/eod"],
]

test_none[id] if {
	some id in none
	not identity.parse(id)
	identity.is_id(id) == false
	identity.matches("spiffe://bank.example/**", id) == false
	identity.in_domain("bank.example", id) == false
	not identity.kubernetes(id)
}

test_parts if {
	identity.parse(eod) == {"trust_domain": "bank.example", "path": ["ns", "batch", "sa", "eod"]}
	identity.parse("spiffe://bank.example") == {"trust_domain": "bank.example", "path": []}
	identity.parse("spiffe://1.2.3.4/..a/.b/...").path == ["..a", ".b", "..."]
}

test_length if {
	begin := "spiffe://bank.example/"
	identity.is_id(concat("", [begin, repeated(2048 - count(begin))]))
	not identity.is_id(concat("", [begin, repeated(2049 - count(begin))]))
	identity.is_id(sprintf("spiffe://%s/a", [repeated(255)]))
	not identity.is_id(sprintf("spiffe://%s/a", [repeated(256)]))
}

repeated(n) := concat("", [letter | some _ in numbers.range(1, n); letter := "a"])

test_match[note] if {
	some note, pattern in {
		"itself": eod,
		"a star": "spiffe://bank.example/ns/*/sa/eod",
		"stars": "spiffe://bank.example/*/*/*/*",
		"the rest": "spiffe://bank.example/ns/batch/**",
		"all": "spiffe://bank.example/**",
		"a star and no rest": "spiffe://bank.example/ns/batch/sa/*/**",
		"no rest": "spiffe://bank.example/ns/batch/sa/eod/**",
	}
	identity.matches(pattern, eod)
}

test_no_match[note] if {
	some note, pattern in {
		"a part of a segment": "spiffe://bank.example/ns/batch/sa/eo",
		"a part of the path": "spiffe://bank.example/ns/batch",
		"too few stars": "spiffe://bank.example/ns/*",
		"too many": "spiffe://bank.example/ns/batch/sa/eod/*",
		"too long": "spiffe://bank.example/ns/batch/sa/eod/x/**",
		"another domain": "spiffe://bank.example.org/**",
		"a part of the domain": "spiffe://bank/**",
		"large letters": "spiffe://bank.example/NS/batch/sa/eod",
		"no trust domain alone": "spiffe://bank.example",
	}
	identity.is_pattern(pattern)
	identity.matches(pattern, eod) == false
}

test_neighbours if {
	not identity.matches("spiffe://bank.example/ns/batch/**", "spiffe://bank.example/ns/batch-test/sa/eod")
	not identity.matches("spiffe://bank.example/**", "spiffe://bank.example.org/ns/batch/sa/eod")
	identity.matches("spiffe://bank.example/**", "spiffe://bank.example")
}

test_no_pattern[pattern] if {
	some pattern in [
		"", "**", "*", "spiffe://**", "spiffe://*/ns/batch", "spiffe://bank.*/ns/batch", "spiffe://bank.example/ns/batch*",
		"spiffe://bank.example/**/eod", "spiffe://bank.example/../**", "spiffe://bank.example/ns/./**", "/ns/**",
		"spiffe://bank.example/ns/**/", "spiffe://bank.example/***", ".*", null, 7, {}, [],
	]
	identity.is_pattern(pattern) == false
	identity.matches(pattern, eod) == false
	identity.matches(pattern, pattern) == false
}

test_any if {
	identity.matches_any(["spiffe://bank.example/x", "spiffe://bank.example/ns/**"], eod)
	identity.matches_any({"spiffe://bank.example/ns/**"}, eod)
	identity.matches_any([null, 7, "spiffe://bank.example/**"], eod)
}

test_none_of_any[patterns] if {
	some patterns in [[], {}, [null], ["spiffe://bank.example/x"], "spiffe://bank.example/**", 7, null]
	identity.matches_any(patterns, eod) == false
}

test_in_domain if {
	identity.in_domain("bank.example", eod)
	identity.in_domain("bank", eod) == false
	identity.in_domain("example", eod) == false
	identity.in_domain(null, eod) == false
}

test_kubernetes if {
	identity.kubernetes(eod) == {"trust_domain": "bank.example", "namespace": "batch", "service_account": "eod"}
	not identity.kubernetes("spiffe://bank.example/ns/batch/sa/eod/x")
	not identity.kubernetes("spiffe://bank.example/ns/batch")
	not identity.kubernetes("spiffe://bank.example/sa/eod/ns/batch")
}
