"""The outside: real exchanges through ccxt, and a simulated one."""
