"""Recipes for CI: pipelines for the stacks of a project, generated, linted and run by the tests."""
