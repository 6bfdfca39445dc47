"""Approvals that bind: the digest of a change, who may approve it, their signatures, and what is done without."""
