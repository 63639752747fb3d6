package a
r := sprintf("%c", [1.5])
