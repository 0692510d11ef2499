"""What people do: rules, acknowledgements, mutes, replays and deliveries. `services.pipeline` is the clock's part."""
