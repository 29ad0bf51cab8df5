"""The names of features and targets: taken from a data frame, and compared with every other one's."""

from __future__ import annotations

from collections.abc import Mapping

from clearprop.names import trim


class NameInRow(str):
    """What a feature is called where one row of a table is explained: its name and the row's raw value.

    Parameters
    ----------
    name : str
        As the network knows it.
    raw : str
        What stands in the row.
    whole : bool
        Whether the feature is the column itself, not one of several made of it.
    """

    name: str
    raw: str

    def __new__(cls, name: str, raw: str, whole: bool) -> NameInRow:
        """Return the name with the value behind it."""
        made = super().__new__(cls, f"{name} {raw}" if whole else f"{name}: {raw}")
        made.name, made.raw = name, raw
        return made


def names_of(X: object) -> tuple[str, ...] | None:
    """Return the columns of a data frame, if they are named by text; else None."""
    columns = getattr(X, "columns", None)
    if columns is None or not all(isinstance(name, str) for name in columns):
        return None
    names = tuple(map(trim, columns))
    return names if len(set(names)) == len(names) and all(names) else tuple(columns)


def of_targets(Y: object) -> tuple[str, ...] | None:
    """Return the name of a Series, or the columns of a data frame, of targets; None of an array."""
    if hasattr(Y, "columns") and not isinstance(Y, Mapping):
        names = names_of(Y)
        return tuple(map(trim, names)) if names and all(map(trim, names)) else None
    name = getattr(Y, "name", None)
    return (trim(name),) if isinstance(name, str) and trim(name) and hasattr(Y, "dtype") else None


def check(X: object, known: tuple[str, ...] | None) -> None:
    """Refuse a data frame whose columns are not the ones a network was trained on, in order.

    Raises
    ------
    ValueError
        Naming those that are missing or unknown.
    """
    columns = getattr(X, "columns", None)
    if known is None or columns is None or isinstance(X, Mapping):
        return
    names, known = tuple(trim(str(name)) for name in columns), tuple(map(trim, known))
    if names != known and set(map(str, range(len(known)))) != set(known):
        missing = [name for name in known if name not in names]
        extra = [name for name in names if name not in known]
        raise ValueError(
            f"X must have the columns the network was trained on, in their order; missing {missing}, "
            f"unknown {extra}" + ("" if missing or extra else ", all in another order")
        )
