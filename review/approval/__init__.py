"""Approvals that bind: what is approved is one digest, who approved it is one signature, and what it needs is a policy.

The rules, and why they are these: docs/adr/0029-approvals-that-bind.md.
"""
