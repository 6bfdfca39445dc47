"""What stable teaches: its sums, how its pods differ, what young pods do."""
