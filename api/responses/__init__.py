"""Responses: their bodies, encoding, caching and paging, and errors."""
