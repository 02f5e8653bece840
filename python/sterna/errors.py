"""The exception that Python does not have."""


class UnsupportedError(RuntimeError):
    """The file or request is valid, but this version of Sterna, or this machine, cannot do it."""


UnsupportedError.__module__ = "sterna"  # where people find it
