"""The JSON interface for programs, on the same Flask server as the dashboard."""
