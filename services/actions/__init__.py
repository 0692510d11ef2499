"""Actions of people: rules, acknowledgements, mutes, replays, deliveries. `services.pipeline` has the clock's."""
