"""Runners of the jobs: APScheduler in this process, or Celery's workers."""
