package library.http_test

import data.library.http

test_match[note] if {
	some note, want in {
		"itself": ["/postings/7", ["postings", "7"]],
		"a star": ["/postings/*/lines", ["postings", "7", "lines"]],
		"the rest": ["/postings/**", ["postings", "7", "lines"]],
		"no rest": ["/postings/**", ["postings"]],
		"all": ["/**", ["postings"]],
		"all of nothing": ["/**", []],
		"the root": ["/", []],
		"a slash inside a segment": ["/files/*", ["files", "a/b"]],
		"a slash at the end": ["/postings/", ["postings", ""]],
		"the rest after a slash": ["/postings/**", ["postings", ""]],
		"an empty one by its name": ["/a//b", ["a", "", "b"]],
		"letters of any kind": ["/größe/*", ["größe", "*"]],
	}
	http.path_matches(want[0], want[1])
}

test_no_match[note] if {
	some note, want in {
		"a neighbour": ["/postings/**", ["postings-old", "7"]],
		"too long": ["/postings/*", ["postings", "7", "lines"]],
		"too short": ["/postings/*", ["postings"]],
		"an empty segment": ["/postings/*", ["postings", ""]],
		"other letters": ["/postings", ["Postings"]],
		"a slash inside": ["/files/a/b", ["files", "a/b"]],
		"the parent": ["/postings/**", ["postings", "..", "admin"]],
		"the same again": ["/postings/**", ["postings", ".", "7"]],
		"not the root": ["/", ["postings"]],
		"a number": ["/postings/*", ["postings", 7]],
		"a list": ["/postings/*", ["postings", ["7"]]],
		"null": ["/postings/**", null],
		"text": ["/postings/**", "/postings/7"],
		"a set": ["/postings/**", {"postings"}],
		"an object": ["/**", {"0": "postings"}],
	}
	http.path_matches(want[0], want[1]) == false
}

test_no_pattern[pattern] if {
	some pattern in [
		"", "postings", "postings/**", "/post*", "/**/lines", "/***", "/postings/../admin", "/./postings", "*", "**",
		"/postings\n/*x", null, 7, [], {}, ["postings"],
	]
	http.is_pattern(pattern) == false
	http.path_matches(pattern, ["postings"]) == false
}

test_pattern[pattern] if {
	some pattern in ["/", "/*", "/**", "/a", "/a/", "/a/*/b/**", "//"]
	http.is_pattern(pattern)
}

test_any if {
	http.path_matches_any(["/a", "/postings/*"], ["postings", "7"])
	http.path_matches_any([], ["postings", "7"]) == false
	http.path_matches_any(null, ["postings", "7"]) == false
	http.path_matches_any("/**", ["postings", "7"]) == false
}

test_safe if {
	every method in ["GET", "HEAD", "OPTIONS"] { http.is_safe(method) }
	every method in ["POST", "PUT", "PATCH", "DELETE", "get", "", null, ["GET"]] { http.is_safe(method) == false }
}

request := {
	"headers": {"x-branch": ["042"], "x-twice": ["a", "b"], "x-none": [], "content-type": [" Application/JSON ; charset=utf-8"]},
	"query": {"dry": ["1"], "Dry": ["2"], "twice": ["1", "1"], "flag": [""]},
}

test_header if {
	http.header(request, "X-Branch") == "042"
	every name in ["x-twice", "x-none", "x-missing", "", null, 7] { not http.header(request, name) }
	not http.header({}, "x-branch")
	not http.header({"headers": null}, "x-branch")
	not http.header({"headers": {"x-branch": "042"}}, "x-branch")
	not http.header({"headers": {"x-branch": [42]}}, "x-branch")
	not http.header(null, "x-branch")
}

test_parameter if {
	http.parameter(request, "dry") == "1"
	http.parameter(request, "Dry") == "2"
	http.parameter(request, "flag") == ""
	every name in ["twice", "DRY", "missing", null] { not http.parameter(request, name) }
	not http.parameter({}, "dry")
}

test_media_type if {
	http.media_type(request) == "application/json"
	not http.media_type({"headers": {}})
	not http.media_type({"headers": {"content-type": ["text/plain", "application/json"]}})
}

test_body if {
	http.body({"body": {"state": "parsed", "value": {"amount": 12}}}) == {"amount": 12}
	every state in ["absent", "not_inspected", "too_large", "malformed", "Parsed", null] {
		not http.body({"body": {"state": state, "value": {"amount": 12}}})
	}
	not http.body({"body": {"value": 1}})
	not http.body({"body": null})
	not http.body({})
}
