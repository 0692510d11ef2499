"""WSGI middleware: what stands between the server and Flask."""
