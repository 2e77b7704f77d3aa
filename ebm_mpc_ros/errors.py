"""The one kind of error that a person can mend."""


class UserError(Exception):
    """A wrong parameter, file or argument: shown as one line, never with a traceback."""


CANT_START = 2
"""Exit code of a node's process that what the user gave it keeps from starting."""
