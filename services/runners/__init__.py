"""What makes the jobs run."""
