"""Ways out for messages."""
