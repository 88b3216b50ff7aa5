"""Errors that a user can mend; the command line shows them as one line and ends with status 2."""


class UserError(Exception):
    """Something in the input or the set-up is wrong; the text says what and what would be valid."""
