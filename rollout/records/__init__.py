"""What a release leaves behind: its record, and the recording that a replay reads."""
