"""clearprop's reference engine; not listed by default."""

from contestants import clearprop


class Contestant(clearprop.Contestant):
    engine = "numpy"
