"""From samples to arrays: columns, pod slots, batches."""
