"""Scripts of benchmarks/ as modules."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from lakes import PROJECT


def benchmark(name: str) -> ModuleType:
    """Return a script as a module.

    Args:
        name: the script's name, without `.py`.
    """
    spec = importlib.util.spec_from_file_location(name, PROJECT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module
