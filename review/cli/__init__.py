"""``grayling review``: read what a change will do, approve exactly that, and see what is not as it was applied."""
