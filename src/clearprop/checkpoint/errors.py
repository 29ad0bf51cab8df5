"""The error of this package."""


class CheckpointError(ValueError):
    """A model file or checkpoint that is not what it must be: damaged, foreign, hostile or in use."""
