package language

default size(_) := "small"

size(x) := "large" if count(x) > 3

size(x) := "middle" if count(x) == 2

kind(x) := "number" if {
	is_number(x)
} else := "text" if {
	is_string(x)
} else := "other"

grown contains y if {
	some x in [1, 2, 3]
	y := x * x
}

by.name[name] := x if some name, x in {"a": 1, "b": 2}

sorted_ones := sort([x | some x in grown])

tree.leaf.left := "l"

tree.leaf.right := "r"

all_even(xs) if every x in xs { x % 2 == 0 }
