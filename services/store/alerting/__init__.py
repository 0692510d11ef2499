"""Rules, alerts, mutes and the outbox in the database."""
