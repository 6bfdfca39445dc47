"""The tests, their combination, and the guards beside them."""
