"""What carries a topology out: one look, the loop around it, and what it tells of itself."""
