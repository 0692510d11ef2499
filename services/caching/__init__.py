"""What the processes of one installation share through Redis, so that each tick is read from the database once."""
