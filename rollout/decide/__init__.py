"""The decision, pure: no clock, no I/O, no driver."""
