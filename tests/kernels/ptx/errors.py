"""What the interpreter reports."""


class PtxError(Exception):
    """A kernel did what the PTX ISA leaves undefined, or used what the interpreter does not know."""
