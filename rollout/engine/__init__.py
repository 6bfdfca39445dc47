"""The shell around `decide`: observe, judge, decide, persist, act; one worker a release, one lease a worker."""
