"""Middleware between the server and Flask, and around Flask's responses."""
