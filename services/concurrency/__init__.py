"""Threads, deadlines and shared results: mechanisms without knowledge of the domain."""
