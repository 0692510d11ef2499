"""The stages of a period, one file each, and the work beside them: discovery and backfill."""
