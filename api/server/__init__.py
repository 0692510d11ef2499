"""The HTTP server: an event loop in front of the WSGI application, under uvicorn or gunicorn."""
