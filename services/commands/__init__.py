"""The command line of `python app.py`, and its commands."""
