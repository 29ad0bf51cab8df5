"""What becomes of every column, and why, in a sentence."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clearprop.data.dataset import meant, some
from clearprop.data.table import sentinel, time_choices
from clearprop.data.table.profiles import CODE_BELOW, FEW_REPEATS, FEW_VALUES, ColumnProfile
from clearprop.data.table.read_options import WHICH_DECIMAL
from clearprop.data.table.source import TableSource
from clearprop.data.table.time_choices import ORDERS
from clearprop.data.table.values import BOOLEAN, NUMBER, SPLIT, TEXT, TIME, shown_number
from clearprop.names import trim

FEATURES = ("numeric", "boolean", "categorical", "datetime")
LEFT_OUT = ("identifier", "constant", "text", "dropped")
ROLES = ("target", "weight", "group", "time")
KINDS = FEATURES + LEFT_OUT + ROLES

_ID = re.compile(
    r"(?i:^(id|ids|idx|index|key|guid|uuid|row|rowid|rownum|row_?number|unnamed: ?[0-9.]+|)$"
    r"|[_ .-](id|ids|idx|key|guid|uuid)$|^(id|guid|uuid)[_ .-])|[a-z](Id|ID|Key|Uuid|UUID)$"
)
_COUNTED = re.compile(r"^[A-Z_]+ID$")  # OBJECTID: where each number up to the last is there
_FEW_ROWS = 10  # below which different values say nothing
_MOSTLY = 0.5  # of the rows with a value of their own: nothing that could be learned of each
_SENTENCE_BLANKS, _SENTENCE_LENGTH = 3.0, 50.0
_CODE_REPEATS = 5.0  # rows for each value of a column called an id, for its values to be categories


@dataclass(frozen=True)
class Roles:
    """Columns that are there for something else than to be learned from.

    Parameters
    ----------
    target, weight, group, time : str, optional
        What is learned; how much a row counts; which rows stay together; in which order they came.
    """

    target: str | None = None
    weight: str | None = None
    group: str | None = None
    time: str | None = None

    def __post_init__(self) -> None:
        """Leave out the blanks around the names, as tables do."""
        for role in ROLES:
            if isinstance(name := getattr(self, role), str):
                object.__setattr__(self, role, trim(name))

    def of(self, name: str) -> str | None:
        """Return what a column is there for, or None."""
        return next((role for role in ROLES if getattr(self, role) == name), None)

    def check(self, names: Collection[str], where: str) -> None:
        """Refuse a column that is not there, or is to be two things.

        Raises
        ------
        ValueError
        """
        given = {role: getattr(self, role) for role in ROLES if getattr(self, role) is not None}
        for role, name in given.items():
            if name not in names:
                raise ValueError(
                    f"{where} has no column {name!r}{meant(name, list(names))}: the {role} must be one "
                    f"of {some(list(names))}"
                )
        for role, name in given.items():
            other = next(r for r, n in given.items() if n == name)
            if other != role:
                raise ValueError(
                    f"the {other} and the {role} must be two columns, got {name!r} for both"
                )


@dataclass(frozen=True)
class ColumnDecision:
    """What becomes of a column.

    Parameters
    ----------
    name : str
    kind : str
        One of `KINDS`.
    reason : str
        A sentence.
    type : str
        As its source reads it: number, boolean, text, or time and its format.
    """

    name: str
    kind: str
    reason: str
    type: str = TEXT

    @property
    def used(self) -> bool:
        """Whether the model learns from it."""
        return self.kind in FEATURES

    def to_json(self) -> dict[str, str]:
        """Return it as JSON has it."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ColumnDecision:
        """Return what `to_json` gave."""
        made = cls(trim(str(data["name"])), *(str(data[name]) for name in ("kind", "reason", "type")))
        if made.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {made.kind!r}")
        return made


def decide(
    source: TableSource,
    roles: Roles | None = None,
    *,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
) -> tuple[ColumnDecision, ...]:
    """Return what becomes of every column of a table, in its order.

    Parameters
    ----------
    source : TableSource
    roles : Roles, optional
    columns : sequence of str, optional
        The only ones to learn from.
    drop, categorical : sequence of str
        Columns to leave out, and columns whose values are categories whatever they look like.
    kinds : dict of str, optional
        The kind of any other column, where it is not to be told by its values; of dates with two
        readings one of `time_choices.ORDERS`.

    Raises
    ------
    ValueError
        If a name is no column, a column cannot be learned from and was not dropped, or none is left.
    """
    roles = roles or Roles()
    roles.check(source.names, source.where)
    columns = None if columns is None else [trim(name) for name in columns]
    drop, categorical = [trim(name) for name in drop], [trim(name) for name in categorical]
    forced = {trim(name): kind for name, kind in (kinds or {}).items()}
    if both := [name for name in categorical if forced.get(name, "categorical") != "categorical"]:
        raise ValueError(
            f"categorical and {forced[both[0]]} must be different columns, got {some(both)} in both"
        )
    forced |= dict.fromkeys(categorical, "categorical")
    _check_given(source, roles, columns, drop, forced)
    found = []
    for name in source.names:
        role = roles.of(name)
        if role is not None:
            kind, reason = role, _ROLE_REASONS[role]
            if name in forced:
                time_choices.answer(source, source.profile[name], forced[name])
        elif name in drop or forced.get(name) == "dropped":
            kind, reason = "dropped", "left out, as asked"
        elif columns is not None and name not in columns:
            kind, reason = "dropped", "not among the columns asked for"
        else:
            kind, reason = _decide(source, source.profile[name], forced.get(name))
            if kind == "categorical":
                refuse_split(source, source.profile[name], "column")
        found.append(ColumnDecision(name, kind, reason, source.types[name]))
    looks = sentinel.pointed_out([(source.profile[each.name], each.kind) for each in found])
    found = [replace(d, reason=d.reason + told) for d, told in zip(found, looks, strict=True)]
    if not any(each.used for each in found):
        told = "; ".join(f"{d.name}: {d.reason}" for d in found[:5] if d.kind not in ROLES)
        raise ValueError(f"{source.where} must have a feature beside the target, got none ({told})")
    return tuple(found)


_ROLE_REASONS = {
    "target": "what is learned",
    "weight": "how much each row counts",
    "group": "rows that stay together when some are held out; not learned from",
    "time": "the order of the rows: the latest are held out; not learned from",
}


def _hint(absent: Sequence[str], source: TableSource) -> str:
    return meant(absent[0], source.names) if len(absent) == 1 else ""


def _check_given(
    source: TableSource,
    roles: Roles,
    columns: Sequence[str] | None,
    drop: Sequence[str],
    forced: Mapping[str, str],
) -> None:
    for name, kind in forced.items():
        if kind not in (*FEATURES, *ORDERS, "dropped"):
            raise ValueError(
                f"the kind of column {name!r} must be one of {', '.join((*FEATURES, *ORDERS))} or "
                f"dropped, got {kind!r}"
            )
    by_kind = {
        f"the {kind} columns": [name for name in forced if forced[name] == kind]
        for kind in forced.values()
    }
    for option, names in {"columns": columns or (), "drop": drop, **by_kind}.items():
        absent = [name for name in names if name not in source.names]
        if absent:
            raise ValueError(
                f"{source.where} has no column {some(absent)}{_hint(absent, source)}: {option} must be "
                "among "
                f"{some(list(source.names))}"
            )
        ordered = "time" if option.split(" ")[1:2] and option.split(" ")[1] in ORDERS else None
        taken = [name for name in names if roles.of(name) not in (None, ordered)]
        if taken and option != "columns":
            raise ValueError(f"{option} must not hold the {roles.of(taken[0])} {taken[0]!r}")
    both = [name for name in forced if name in drop]
    if both:
        kind = forced[both[0]]
        raise ValueError(f"drop and {kind} must be different columns, got {some(both)} in both")


def _decide(source: TableSource, found: ColumnProfile, forced: str | None) -> tuple[str, str]:
    name = found.name
    if name in source.refused:
        raise ValueError(
            f"{source.where} holds {source.refused[name]} in column {name!r}, which cannot be learned "
            "from: drop it"
        )
    if forced == "categorical":
        source.read_as(name, found.type if found.dress is None else TEXT)
    elif forced == "numeric" and found.are_codes:
        found.take_for_numbers()
        source.read_as(name, found.type)
    elif found.may_wear_words and not _ID.search(name):
        found.wear()
        source.read_as(name, found.type)
    elif found.may_be_days and forced in (None, "datetime", *ORDERS) and not _ID.search(name):
        found.take_for_days()
        source.read_as(name, found.type)
    names = _ID.search(name) and found.type == TEXT and forced is None  # 007 beside 10114F6
    if found.problem is not None and forced != "categorical" and not names:
        place = source.place(found.problem_row or 0)
        remedy = " (say that it is missing, or that the column is categorical or dropped)"
        if WHICH_DECIMAL in found.problem:  # which asks for another answer
            remedy = ""
        raise ValueError(f"{source.where} {found.problem}: {place}, column {name!r}{remedy}")
    if forced is not None:
        if time_choices.answer(source, found, forced):
            return "datetime", f"{time_choices.told_times(found)}{_missing(found)}"
        _check_forced(source, found, forced)
        return forced, "as asked" + _missing(found)
    if found.n_present == 0:
        return "constant", "left out: it has no values"
    if found.counts is not None and len(found.counts) == 1 and not found.n_missing:
        return "constant", f"left out: it is always {_shown(next(iter(found.counts)))}"
    kind = found.kind
    if found.is_category:
        return "categorical", f"{_count(found.n_distinct, 'category', 'categories')}{_missing(found)}"
    if kind == TIME:
        return _decide_time(found)
    if kind == BOOLEAN:
        return "boolean", f"true or false{_missing(found)}"
    return _decide_number(found) if kind == NUMBER else _decide_text(found)


def undecided(source: TableSource, decisions: Sequence[ColumnDecision]) -> list[str]:
    """Return a sentence on each column that waits for an answer.

    Those are left out until somebody says how their dates are read; or hold several numbers in a cell.
    """
    return [
        f"column {each.name!r} of {source.where} is {each.reason}"
        for each in decisions
        if (asked := _question(source.profile[each.name], each.kind)) and asked in each.reason
    ]


def _question(found: ColumnProfile, kind: str) -> str:
    if kind == "dropped" and found.ambiguous:
        return time_choices.question(found)
    return found.told_several if kind in ("categorical", "identifier") else ""


def refuse_split(source: TableSource, found: ColumnProfile, role: str) -> None:
    """Refuse categories on more than one line: two stray quotes make one of all between them.

    Raises
    ------
    ValueError
        With the place of the first.
    """
    if found.split is not None:
        row, value = found.split
        remedy = " (drop the column if its quotes are right)" if role == "column" else ""
        raise ValueError(
            f"{source.where} {SPLIT}, got {some([value])}: {source.place(row)}, {role} {found.name!r}"
            f"{remedy}"
        )


def _check_forced(source: TableSource, found: ColumnProfile, forced: str) -> None:
    kind = found.kind
    fits = {"numeric": (NUMBER, BOOLEAN), "datetime": (TIME,), "boolean": (BOOLEAN, NUMBER, TEXT)}
    if forced in fits and kind not in fits[forced] and found.n_present:
        raise ValueError(f"column {found.name!r} of {source.where} cannot be {forced}: it holds {kind}")


def _decide_time(found: ColumnProfile) -> tuple[str, str]:
    if found.ambiguous:
        return "dropped", f"left out: {time_choices.question(found)}"
    return "datetime", f"{time_choices.told_times(found)}{_missing(found)}"


def _decide_number(found: ColumnProfile) -> tuple[str, str]:
    n, distinct = found.n_present, found.n_distinct
    if not found.is_number:
        ends = f"{shown_number(found.low)} to {shown_number(found.high)} seconds"
        return "numeric", f"{time_choices.told_spans(found)}{ends}{_missing(found)}"
    counted = _COUNTED.search(found.name) and found.high - found.low + 1 == distinct == n
    if found.whole and (counted or _ID.search(found.name)):
        if distinct == n or distinct * _CODE_REPEATS > n:
            return (
                "identifier",
                f"left out: an identifier by its name, with {distinct:,} different values",
            )
        if found.counts is not None:
            return "categorical", f"codes by its name: {distinct:,} different numbers{_missing(found)}"
    if found.counts is not None and distinct == 2:
        low, high = sorted(found.counts)
        return "boolean", f"two values, {_shown(low)} and {_shown(high)}{_missing(found)}"
    if _are_few(found):
        return "categorical", f"few values: {distinct} different whole numbers{_missing(found)}"
    what = "whole numbers" if found.whole else "numbers"
    if found.dress is not None:
        what = f"{what} {found.dress.told}".rstrip()
    span = f"{what} from {shown_number(found.low)} to {shown_number(found.high)}"
    return "numeric", f"{span}{_worded(found)}{_missing(found)}"


def _worded(found: ColumnProfile) -> str:
    if found.dress is None or not found.dress.words:
        return ""
    return f"; {some(found.dress.words)} in {found.n_worded:,} rows"


def _are_few(found: ColumnProfile) -> bool:
    """Return whether whole numbers are so few that each is better learned by itself."""
    return (
        found.counts is not None
        and found.whole
        and 2 < found.n_distinct <= FEW_VALUES  # two are a boolean, one with gaps says only where
        and found.n_present >= FEW_REPEATS * found.n_distinct
        and 0 <= found.low <= found.high < CODE_BELOW
    )


def _decide_text(found: ColumnProfile) -> tuple[str, str]:
    n, distinct = found.n_present, found.n_distinct
    remark = found.told_several
    if n >= _FEW_ROWS or (distinct == n > 1 and _ID.search(found.name)):
        share = distinct / n
        sentences = found.mean_blanks >= _SENTENCE_BLANKS or found.mean_length >= _SENTENCE_LENGTH
        if sentences and share > _MOSTLY and not remark:
            return "text", f"left out: free text, {found.mean_length:.0f} characters on average"
        if share > _MOSTLY:
            different = f"{distinct:,} different values in {n:,} rows"
            own = "every row has its own value" if share > 0.98 else different
            return "identifier", f"left out: {own}{remark}{_codes(found)}"
    return "categorical", f"{_count(distinct, 'category', 'categories')}{_missing(found)}{remark}"


def _count(n: int, one: str, many: str) -> str:
    return f"{n:,} {one if n == 1 else many}"


def _missing(found: ColumnProfile) -> str:
    if not found.n_missing:
        return ""
    errors = f", {some(sorted(found.sheet_errors))} among them" if found.sheet_errors else ""
    return f"; {found.n_missing:,} missing{errors}"


def _codes(found: ColumnProfile) -> str:
    told = "; written with a leading zero, as names are: if they are numbers, --numeric"
    return told if found.are_codes else ""


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return shown_number(value)
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
