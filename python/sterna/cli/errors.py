"""The errors of a command line."""


class UsageError(Exception):
    """A command line that cannot be carried out: exit code 2."""


class HelpWanted(Exception):
    """--help was among the options."""
