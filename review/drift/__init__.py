"""What is live and not as applied last: field by field, with the manager that wrote it."""
