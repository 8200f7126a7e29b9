"""A job that does nothing, in a module that has nothing else: what a template imports again and again when it rehearses."""


def nothing() -> None:
    """Do nothing."""
