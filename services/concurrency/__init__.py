"""Threads, deadlines and shared results: mechanisms that know nothing of the trade."""
