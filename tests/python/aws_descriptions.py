"""Lets botocore read the description of a service once a process: each of its sessions would read it anew."""

from __future__ import annotations

import functools
from unittest.mock import patch

from botocore.loaders import JSONFileLoader, Loader


def keep_descriptions() -> None:
    read, look_up = JSONFileLoader.load_file, Loader.list_available_services
    described = functools.cache(lambda path: read(JSONFileLoader(), path))
    listed = functools.cache(lambda paths, kind: look_up(Loader(list(paths)), kind))
    patch.object(JSONFileLoader, "load_file", lambda _, path: described(path)).start()
    patch.object(
        Loader, "list_available_services", lambda self, type_name: listed(tuple(self.search_paths), type_name)
    ).start()
