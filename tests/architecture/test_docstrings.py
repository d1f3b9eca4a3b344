"""The first lines of a module say what it knows; a folder of modules is a package that says so too."""

import ast

from tests.architecture import tree


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in tree.python_files("src")} - {tree.ROOT / "src"}
    assert not [tree.name(folder) for folder in folders if not (folder / "__init__.py").exists()]


def test_every_module_says_what_it_is() -> None:
    silent = [tree.name(path) for path in tree.python_files("src") if not ast.get_docstring(tree.parsed(path))]
    assert not silent


def test_every_file_of_tests_says_what_it_specifies() -> None:
    silent = [
        tree.name(path)
        for path in tree.python_files("tests")
        if path.name != "__init__.py" and not ast.get_docstring(tree.parsed(path))
    ]
    assert not silent
