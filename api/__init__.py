"""The JSON that programs read, on the same Flask server as the dashboard."""
