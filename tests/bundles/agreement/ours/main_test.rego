package ours_test

import data.ours

test_below if ours.below with input.request.path as "/a/b"
