"""What people ask of an engine, and following what comes of it."""
