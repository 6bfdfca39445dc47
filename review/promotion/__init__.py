"""From one environment to the next: what was proven there, as one change here; and clusters one wave after another."""
