"""How answers are built, encoded, cached and sent."""
