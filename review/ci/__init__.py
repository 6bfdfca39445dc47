"""Pipelines: what `grayling ci init` writes for a host, and the comment that a pipeline keeps on a change."""
