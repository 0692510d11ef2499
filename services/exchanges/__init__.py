"""Real exchanges through ccxt, and a simulated one."""
