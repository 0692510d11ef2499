"""Senders of messages: Apprise services, webhooks, and the heartbeat."""
