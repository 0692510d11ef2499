"""The stages of a tick, one file each, and what else the clock does: discover, backfill, seal, notify."""
