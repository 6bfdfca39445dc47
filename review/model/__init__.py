"""What is read, judged and told: a change set, its doubts and its risks, as plain immutable values."""
