"""The error of a request that cannot be used."""


class InvalidInput(ValueError):
    """A value of the query or the body that cannot be used; the text begins with its name."""
