"""Removes machine-specific folders from texts, because a report is read on other machines.

A file of the project is named from its root, one of a library from the folder where packages are
installed, one that an execution wrote from its own temporary folder. Any other text that looks like
a path may be a key of a cache, and stays.
"""

import re
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any

from pytest_supercache.core.folders import PACKAGES, temporary_folder
from pytest_supercache.core.masking import masked_data
from pytest_supercache.layers.stack import FOLDER_PREFIX

_PACKAGES = rf"(?<![\w/])/(?:[^\s/'\"<>:]+/)*(?:{'|'.join(sorted(PACKAGES))})/"


def without_folders(text: str, root: Path | None) -> str:
    """Return a text in which no known folder of this machine stands before a file's name."""
    return _folders(root).sub("", text) if "/" in text else text


def data_without_folders(data: Any, root: Path | None) -> Any:
    """Return data for JSON, with every text and every name in it as `without_folders`."""
    return masked_data(data, lambda text: without_folders(text, root))


@cache
def _folders(root: Path | None) -> re.Pattern[str]:
    known = [path for path in (root, sysconfig.get_path("stdlib")) if path is not None]
    parts = [re.escape(f"{path}/") for path in known if len(Path(path).parts) > 1]
    temporary = re.escape(f"{temporary_folder() or ''}/{FOLDER_PREFIX}")
    return re.compile("|".join([_PACKAGES, *parts, rf"{temporary}[^/\s'\"]+/"]))
