"""Modules beside a playbook are found without running them, and loaded where nobody else can see them."""

from __future__ import annotations

import sys

import pytest

from agentical.agents.modules import PREFIX, file_beside, file_of, is_module, load, top_level_names


@pytest.fixture
def folder(tmp_path):
    def write(name, text):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    write.path = str(tmp_path)
    return write


def test_a_module_is_loaded_under_a_private_name_only(folder):
    folder("agents_of_mine.py", "VALUE = 1")
    module = load(folder.path, "agents_of_mine")
    assert module.VALUE == 1
    assert module.__name__.startswith(PREFIX)
    assert sys.modules[module.__name__] is module
    assert "agents_of_mine" not in sys.modules


def test_it_runs_once_however_often_it_is_loaded(folder):
    folder("m.py", "")
    assert load(folder.path, "m") is load(folder.path + "/.", "m")


def test_the_same_name_in_two_folders_is_two_modules(folder):
    folder("a/m.py", "VALUE = 'a'")
    folder("b/m.py", "VALUE = 'b'")
    assert [load(f"{folder.path}/{name}", "m").VALUE for name in "ab"] == ["a", "b"]


def test_modules_beside_one_another_may_import_one_another(folder):
    folder("shared.py", "VALUE = 7")
    folder("pack/__init__.py", "from .inner import VALUE")
    folder("pack/inner.py", "import shared\nVALUE = shared.VALUE + 1")
    folder("plain/leaf.py", "VALUE = 9")
    folder(
        "m.py",
        "import shared, pack, pack.inner\n"
        "from shared import VALUE as A\n"
        "from . import shared as again\n"
        "from plain.leaf import VALUE as B\n"
        "def late():\n    import pack.inner as inner\n    return inner.VALUE\n"
        "RESULT = (shared.VALUE, pack.VALUE, pack.inner.VALUE, A, B, again is shared, late())\n",
    )
    assert load(folder.path, "m").RESULT == (7, 8, 8, 7, 9, True, 8)
    assert not {"shared", "pack", "plain"} & set(sys.modules)


def test_a_name_of_the_standard_library_is_never_a_sibling(folder):
    folder("json.py", "import json\nTEXT = json.dumps([1])")
    assert load(folder.path, "json").TEXT == "[1]"


def test_dotted_names_are_folders(folder):
    folder("deep/er/m.py", "VALUE = 3")
    assert load(folder.path, "deep.er.m").VALUE == 3


def test_what_runs_is_always_the_source_and_no_cache_is_left(folder, tmp_path):
    folder("m.py", "VALUE = 1")
    load(folder.path, "m")
    assert [file.name for file in tmp_path.iterdir()] == ["m.py"]


def test_a_module_that_fails_to_load_is_not_kept(folder):
    file = folder("m.py", "raise RuntimeError('no')")
    with pytest.raises(RuntimeError, match="no"):
        load(folder.path, "m")
    file.write_text("VALUE = 1")
    assert load(folder.path, "m").VALUE == 1


def test_types_of_a_private_module_resolve_their_annotations(folder):
    folder(
        "m.py",
        "from __future__ import annotations\nimport dataclasses, typing\n"
        "@dataclasses.dataclass\nclass A:\n    b: B\nclass B: ...\nHINTS = typing.get_type_hints(A)\n",
    )
    module = load(folder.path, "m")
    assert module.HINTS == {"b": module.B}


def test_what_is_not_beside_the_playbook_is_installed(folder):
    assert load(folder.path, "email.message").__name__ == "email.message"
    assert file_beside(folder.path, "email.message") is None
    assert file_of(folder.path, "email.message").name == "message.py"
    assert file_of(folder.path, "math") is None
    assert is_module(folder.path, "math")
    assert not is_module(folder.path, "no_such_module")
    assert not is_module("", "no_such_package.module")
    assert not is_module("", "math.inner")


def test_finding_a_module_does_not_run_it(folder):
    folder("m.py", "raise RuntimeError('ran')")
    assert is_module(folder.path, "m")
    assert file_of(folder.path, "m").name == "m.py"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def a(): ...\nasync def b(): ...\nclass C: ...", {"a", "b", "C"}),
        ("a = b = 1\nc: int = 2\n(d, e), *f = x", {"a", "b", "c", "d", "e", "f"}),
        ("import a.b, c as d\nfrom e import f as g, h", {"a", "d", "g", "h"}),
        ("if x:\n  a = 1\nelse:\n  b = 1", {"a", "b"}),
        ("try:\n  a = 1\nexcept E:\n  b = 1\nelse:\n  c = 1\nfinally:\n  d = 1", {"a", "b", "c", "d"}),
        ("with x:\n  def a(): ...", {"a"}),
        ("def a():\n  b = 1", {"a"}),
        ("from a import *", None),
        ("def __getattr__(name): ...", None),
    ],
)
def test_the_names_a_module_defines_are_read_from_its_source(source, names):
    assert top_level_names(source.encode()) == names
