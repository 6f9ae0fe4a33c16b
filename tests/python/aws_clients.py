"""Lets a process make once what boto3 and botocore make again and again."""

from __future__ import annotations

import functools
from typing import Any
from unittest.mock import patch

import boto3
from botocore.loaders import JSONFileLoader, Loader


def keep_descriptions() -> None:
    """Let botocore read the description of a service once: each of its sessions would read it anew."""
    read, look_up = JSONFileLoader.load_file, Loader.list_available_services
    described = functools.cache(lambda path: read(JSONFileLoader(), path))
    listed = functools.cache(lambda paths, kind: look_up(Loader(list(paths)), kind))
    patch.object(JSONFileLoader, "load_file", lambda _, path: described(path)).start()
    patch.object(
        Loader, "list_available_services", lambda self, type_name: listed(tuple(self.search_paths), type_name)
    ).start()


def keep_clients() -> None:
    """Let a run make the client of a service once: dbt-athena makes one for each thing that it asks."""
    make = boto3.Session.client
    made: dict[Any, Any] = {}

    def client(session: boto3.Session, service: Any, **settings: Any) -> Any:
        key = (service, session.region_name, frozenset(settings.items()))
        if key not in made:
            made[key] = make(session, service, **settings)
        return made[key]

    patch.object(boto3.Session, "client", client).start()
