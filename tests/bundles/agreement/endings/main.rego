package endings

limit := 3

below(x) if x < limit

number(x) := to_number(x.text)

two(1) := "one"

two(x) := "other" if x < 2
