package endings_test

import data.endings

test_true if endings.below(2)

test_undefined if endings.below(5)

test_false := false

test_is_no_truth := 5

test_text := "true"

test_empty := set()

test_null := null

test_is_skipped_by_its_name if endings.below(2)

todo_test_later if endings.below(5)

test_twice if endings.below(1)

test_twice if endings.below(7)

test_says_something if {
	print("looking at", 1 + 1)
	endings.below(9)
}

not_a_test if false

test_cases[note] if {
	some note, x in {"one": 1, "two": 2}
	endings.below(x)
}

test_cases_of_which_one_fails[note] if {
	some note, x in {"one": 1, "nine": 9}
	endings.below(x)
}

test_cases_in_two_keys[size][note] if {
	some size, notes in {"small": {"one": 1, "two": 2}, "large": {"eight": 8, "one": 1}}
	some note, x in notes
	endings.below(x)
}

test_a_builtin_that_fails if to_number(concat("", ["z", "z"])) == 5

test_a_builtin_that_fails_within if endings.number({"text": "zz"}) == 5

test_not_of_a_builtin_that_fails if not endings.number({"text": "zz"}) == 5

test_a_conflict if endings.two(1) == "one"

test_no_case[note] if {
	some note, x in {}
	endings.below(x)
}

test_of_a_constant_key.one if true
