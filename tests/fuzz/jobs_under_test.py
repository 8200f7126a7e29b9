"""Harmless jobs for documents that turn out to be valid; copied as jobs.py beside a test's config.json."""


def echo(*args, **kwargs):
    return [args, kwargs]


def add(a, b=1):
    return a + b


def pair(first, /, second, *, third=None):
    return [first, second, third]


def fail(text="no luck"):
    raise RuntimeError(text)


def forbidden(*args, **kwargs):
    """Not on the whitelist: whoever makes it run leaves a trace."""
    with open("forbidden-ran", "a") as stream:
        stream.write("it ran\n")


class Sum:
    def up(self, *numbers):
        return sum(numbers)
