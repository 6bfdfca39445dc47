"""What a release is watched by: the kinds of signals, and the samples that sources take of them."""
