"""The one error of the tools: its text is the sentence a person reads."""


class SetupError(Exception):
    """Something could not be prepared; `./dev` prints the text and exits 1."""
