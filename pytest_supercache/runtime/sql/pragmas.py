"""Says what a PRAGMA of SQLite touches, by its name."""

import re
from dataclasses import dataclass

from pytest_supercache.runtime.sql.statements import EVERYTHING, READS, Tables, begin_of

_GAP = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_NAME = r"[\"'`\[]?(\w+)[\"'`\]]?"
_PRAGMA = re.compile(
    rf"PRAGMA{_GAP}(?:{_NAME}{_GAP}\.{_GAP})?{_NAME}{_GAP}(?:[=(]{_GAP}(-?\d+))?",
    re.IGNORECASE | re.DOTALL,
)
_ASKING = frozenset(
    {
        "data_version", "foreign_key_check", "foreign_key_list", "freelist_count", "index_info",
        "index_list", "index_xinfo", "integrity_check", "page_count", "quick_check", "stats",
        "table_info", "table_list", "table_xinfo",
    }
)  # fmt: skip
"""They ask for the schema, or for what commits change."""

_OF_CONNECTION = frozenset(
    {
        "analysis_limit", "automatic_index", "busy_timeout", "cache_size", "cache_spill",
        "case_sensitive_like", "cell_size_check", "checkpoint_fullfsync", "collation_list",
        "compile_options", "count_changes", "database_list", "defer_foreign_keys",
        "empty_result_callbacks", "encoding", "foreign_keys", "full_column_names", "fullfsync",
        "function_list", "hard_heap_limit", "ignore_check_constraints", "journal_size_limit",
        "legacy_alter_table", "legacy_file_format", "max_page_count", "mmap_size", "module_list",
        "parser_trace", "pragma_list", "query_only", "read_uncommitted", "recursive_triggers",
        "reverse_unordered_selects", "secure_delete", "short_column_names", "shrink_memory",
        "soft_heap_limit", "synchronous", "temp_store", "temp_store_directory",
        "threads", "trusted_schema", "vdbe_addoptrace", "vdbe_debug", "vdbe_listing",
        "vdbe_trace", "wal_autocheckpoint", "writable_schema",
    }
)  # fmt: skip
"""They concern only their connection, or the library."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pragma:
    """One PRAGMA: its name, and what it touches."""

    name: str
    tables: Tables | None  # None: nothing that another connection knows
    number: int | None = None

    @property
    def lock_timeout(self) -> float | None:
        """The seconds for which its connection waits for locks from now on, if it sets them."""
        if self.name != "busy_timeout" or self.number is None:
            return None
        return self.number / 1000


def understand(sql: str) -> Pragma:
    """Say what a statement that begins with PRAGMA touches."""
    found = _PRAGMA.match(sql, begin_of(sql))
    if found is None:
        return Pragma(name="", tables=EVERYTHING)
    schema, name, number = found.groups()
    return Pragma(
        name=name.lower(),
        tables=None if (schema or "").lower() == "temp" else tables_of(name.lower()),
        number=None if number is None else int(number),
    )


def tables_of(name: str) -> Tables | None:
    """Return what a pragma touches; one that is in neither list may change everything."""
    if name in _OF_CONNECTION:
        return None
    return READS if name in _ASKING else EVERYTHING
