"""Tables: CSV, Parquet, JSON lines or an Arrow object, told column by column and turned into numbers.

`open_table` reads, `decide` says what becomes of each column, `TableEncoder` makes numbers of them and
`TargetEncoder` of the target. All of it works on batches, in memory that does not grow with the rows.
"""

from clearprop.data.table.encoder import TableEncoder
from clearprop.data.table.kinds import ColumnDecision, Roles, decide
from clearprop.data.table.numeric import read_table
from clearprop.data.table.profiles import ColumnProfile
from clearprop.data.table.quantiles import Quantiles
from clearprop.data.table.read_options import ReadOptions
from clearprop.data.table.source import TableSource, open_table
from clearprop.data.table.streamed import TableStream, stream
from clearprop.data.table.target import TargetEncoder

__all__ = [
    "ColumnDecision",
    "ColumnProfile",
    "Quantiles",
    "ReadOptions",
    "Roles",
    "TableEncoder",
    "TableSource",
    "TableStream",
    "TargetEncoder",
    "decide",
    "open_table",
    "read_table",
    "stream",
]
