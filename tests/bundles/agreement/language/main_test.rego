package language_test

import data.language

test_functions_with_a_default if {
	language.size([]) == "small"
	language.size([1, 2]) == "middle"
	language.size("abcd") == "large"
}

test_else[note] if {
	some note, pair in {"number": 1, "text": "x", "other": null}
	language.kind(pair) == note
}

test_sets if language.grown == {1, 4, 9}

test_partial_objects if language.by.name == {"a": 1, "b": 2}

test_sorted if language.sorted_ones == [1, 4, 9]

test_deep_heads if language.tree == {"leaf": {"left": "l", "right": "r"}}

test_every if {
	language.all_even([2, 4])
	not language.all_even([2, 3])
	language.all_even([])
}

test_undefined_under_not if not language.by.name.c

test_numbers if {
	1 == 1.0
	sum([1, 2.5]) == 3.5
	round(-2.5) == -3
}

test_fractions if 0.1 + 0.2 == 0.3

test_order if sort([{"a": 1}, [1], "a", 1, true, null]) == [null, true, 1, "a", [1], {"a": 1}]

test_objects_before_sets if {"a": 1} < {1}

test_texts if {
	sprintf("%d of %s: %v", [1, "x", {"a": [1]}]) == `1 of x: {"a": [1]}`
	split("a/b", "/") == ["a", "b"]
	regex.match(`^\d+$`, "42")
	startswith("postern", "post")
}

test_walk if count([path | walk({"a": {"b": [1]}}, [path, _])]) == 4
