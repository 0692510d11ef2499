"""The commands of `python app.py`: backup, export, transfer, tokens."""
