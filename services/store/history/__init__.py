"""Samples as they are written, sealed, rolled up and removed."""
