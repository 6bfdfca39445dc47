"""The table of risks: what a change may break, how bad it would be, and how it is taken back."""
