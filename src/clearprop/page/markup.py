"""HTML elements whose text is always escaped: only `Markup` is taken as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


# Elements without an end tag.
_VOID = frozenset({"br", "col", "hr", "img", "input", "link", "meta", "wbr"})


def inert(text: object) -> Markup:
    """Return any text as HTML that shows it: nothing in it is an element, none of it is invisible.

    Control characters, and those that turn the direction of writing, are shown by their escapes.

    Examples
    --------
    >>> print(inert("</script>"))
    &lt;/script&gt;
    """
    if isinstance(text, Markup):
        return text
    shown = "".join(
        each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in str(text)
    )
    return Markup(escape(shown, quote=True))


def joined(parts: Iterable[object], between: str = "") -> Markup:
    """Return parts one after the other, escaped unless they are `Markup`."""
    return Markup(between.join(map(inert, parts)))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """Return an element.

    Parameters
    ----------
    name : str
    *children
        Text, which is escaped, or `Markup`.
    **attributes
        ``class_`` for class, ``data_ref`` for data-ref. None and False are left out, True is the name
        alone.

    Examples
    --------
    >>> print(tag("td", "a < b", class_="number", data_ref="z/1/0,1"))
    <td class="number" data-ref="z/1/0,1">a &lt; b</td>
    """
    opened = name
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        written = key.rstrip("_").replace("_", "-")
        opened += f" {written}" if value is True else f' {written}="{inert(value)}"'
    if name in _VOID:
        return Markup(f"<{opened}>")
    return Markup(f"<{opened}>{joined(children)}</{name}>")


def table(
    caption: object,
    columns: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    note: object = None,
    region: object = None,
    **attributes: object,
) -> Markup:
    """Return a table whose first column names its rows, in a box that scrolls if it is too wide.

    Parameters
    ----------
    caption : object
        What the table says.
    columns : sequence
        The heads, the first one of the names.
    rows : iterable of sequences
        A name, and the cells.
    note : object, optional
        What is left out.
    region : object, optional
        The name of its box, where a page has several tables of one caption.
    **attributes
        Of the ``table``.
    """
    head = tag("tr", *(tag("th", each, scope="col") for each in columns))
    body = [
        tag("tr", tag("th", name, scope="row"), *(tag("td", each) for each in cells))
        for name, *cells in rows
    ]
    made = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body), **attributes)
    # A box that scrolls has to be reachable by keyboard, and so to have a name.
    box = tag(
        "div",
        made,
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption if region is None else region,
    )
    return box if note is None else joined([box, tag("p", note, class_="quiet")])
