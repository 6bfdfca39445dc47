"""What people see of releases: one, many, live, a plan, a record.

Everything here is a pure function of plain facts, but for `live`, which owns the terminal.
"""
