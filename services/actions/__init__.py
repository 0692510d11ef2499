"""What people do: rules, acknowledgements, mutes and deliveries. `services.pipeline` is what the clock does."""
