"""Import the product with a bug in it: an import hook rewrites the source of the modules that a mutant names.

It works in a process of its own, in which nothing of the product was imported yet. The product has no hooks for it.
"""

import sys
from collections import defaultdict
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Final

from tests.property.machine.mutants import Edit, Mutant


def rewritten(source: str, edits: Sequence[Edit]) -> str:
    """A module's source with its edits made. Raises ValueError where an old text does not stand there exactly once."""
    for edit in edits:
        found = source.count(edit.old)
        if found != 1:
            raise ValueError(f"{edit.module} has {found} times, where once is meant: {edit.old!r}")
        source = source.replace(edit.old, edit.new)
    return source


class _Loader(SourceFileLoader):
    """Loads one module, rewritten; no bytecode is read or kept."""

    def __init__(self, name: str, path: str, edits: Sequence[Edit]) -> None:
        super().__init__(name, path)
        self._edits: Final = edits

    def get_code(self, fullname: str) -> CodeType:
        """The code of the rewritten source."""
        source = rewritten(self.get_data(self.path).decode(), self._edits)
        return compile(source, self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    """Finds the modules that are to be rewritten, before anybody else does."""

    def __init__(self, mutant: Mutant) -> None:
        self._edits: Final[defaultdict[str, list[Edit]]] = defaultdict(list)
        for edit in mutant.edits:
            self._edits[edit.module].append(edit)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module with its edits; None for all others."""
        if fullname not in self._edits:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"there is no module {fullname} to rewrite")
        spec.loader = _Loader(fullname, spec.origin, self._edits[fullname])
        return spec


def install(mutant: Mutant) -> None:
    """Rewrite what is imported from now on. Raises RuntimeError where some of it was imported already."""
    known = [edit.module for edit in mutant.edits if edit.module in sys.modules]
    if known:
        raise RuntimeError(f"imported already: {', '.join(known)}")
    sys.meta_path.insert(0, _Finder(mutant))
