"""Runs a function right after a module is imported, by any code.

The application can import Django when and how it likes, which matters to
gevent, to settings that are assigned late and to code that keeps a reference.
"""

import importlib.abc
import importlib.util
import logging
import os
import sys


def after_import(name, then):
    """Calls `then(module)` once the module `name` is loaded, now if it is already.

    If `then` fails, the import still succeeds: an application without metrics is
    better than none.
    """
    if name in sys.modules:
        _run(then, sys.modules[name])
    else:
        sys.meta_path.insert(0, _Finder(name, then))


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, name, then):
        self._name = name
        self._then = then

    def find_spec(self, fullname, path, target=None):
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._then)
        return spec


class _Loader(importlib.abc.Loader):
    """The module's own loader, followed by a function."""

    def __init__(self, loader, then):
        self._loader = loader
        self._then = then

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        # From here on, the module looks as if it had been imported normally.
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _run(self._then, module)


def _run(then, module):
    try:
        then(module)
    except Exception:
        # Without this file, monctl took its files back: that is no error.
        if os.path.exists(__file__):
            logging.getLogger(__name__).warning("no metrics from this process", exc_info=True)
