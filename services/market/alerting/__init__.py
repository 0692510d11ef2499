"""Rules, their evaluation, the states of alerts, replay and messages: pure, without I/O."""
