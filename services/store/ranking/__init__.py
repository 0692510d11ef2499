"""What a tick reads and writes: metrics, statistics and the record of ticks."""
