"""Dealing, hashing, manifests and verifying of checksum-tree."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.agents.modules import load
from agentical.errors import Invalid

tree = load(str(Path(__file__).parents[2] / "playbooks" / "checksum-tree"), "checksum_tree_agents")

names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
digests = st.binary(max_size=4).map(lambda data: hashlib.sha256(data).hexdigest())


def manifest_of(path, output=""):
    dealt = tree.deal(str(path))
    return tree.write_manifest(dealt["root"], [tree.digest(dealt["root"], batch) for batch in dealt["batches"]], output)


@pytest.fixture
def files(tmp_path):
    root = tmp_path / "data"
    for name in ("b", "a/c", "a/new\nline", "a/back\\slash"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def test_every_file_is_in_the_manifest_sorted_with_its_sha256(files):
    manifest = manifest_of(files)
    read = tree.read_manifest(manifest["manifest"])
    assert list(read) == sorted(["b", "a/c", "a/new\nline", "a/back\\slash"])
    assert read["b"] == hashlib.sha256(b"b").hexdigest()
    assert (manifest["files"], manifest["bytes"]) == (4, 1 + 3 + 10 + 12)
    assert manifest["digest"] == hashlib.sha256(manifest["manifest"].encode()).hexdigest()


def test_the_manifest_is_in_the_format_of_sha256sum():
    digest = "0" * 64
    assert tree.line("a b", digest) == f"{digest}  a b\n"
    assert tree.line("a\nb\\c\rd", digest) == f"\\{digest}  a\\nb\\\\c\\rd\n"


def test_verifying_tells_what_changed(files, tmp_path):
    old = str(tmp_path / "m")
    manifest_of(files, old)
    assert tree.verify(manifest_of(files)["manifest"], old) == {"same": True, "added": [], "removed": [], "changed": []}
    (files / "b").write_text("other")
    (files / "a/c").unlink()
    (files / "d").touch()
    changes = tree.verify(manifest_of(files)["manifest"], old)
    assert changes == {"same": False, "added": ["d"], "removed": ["a/c"], "changed": ["b"]}


def test_batches_are_bounded_and_hold_every_file_once(tmp_path, monkeypatch):
    monkeypatch.setitem(tree.__dict__, "FILES", 3)
    monkeypatch.setitem(tree.__dict__, "BYTES", 10)
    for n, size in enumerate([1, 1, 1, 1, 9, 9, 30, 1]):
        (tmp_path / f"{n}").write_bytes(b"x" * size)
    batches = tree.deal(str(tmp_path))["batches"]
    assert batches == [["0", "1", "2"], ["3", "4"], ["5"], ["6"], ["7"]]


def test_links_and_excluded_folders_are_left_out(files):
    (files / "link").symlink_to(files / "b")
    dealt = tree.deal(str(files), ["a"])
    assert dealt["batches"] == [["b"]]


def test_what_cannot_be_done_is_said_plainly(files, tmp_path):
    with pytest.raises(Invalid, match="no folder"):
        tree.deal(str(tmp_path / "none"))
    with pytest.raises(Invalid, match="gone cannot be read"):
        tree.digest(str(files), ["gone"])
    with pytest.raises(Invalid, match=r"manifest .* cannot be read"):
        tree.verify("", str(tmp_path / "none"))
    with pytest.raises(Invalid, match="line 2 of the manifest"):
        tree.read_manifest(f"{'0' * 64}  a\nnonsense\n")
    with pytest.raises(Invalid, match="no folder"):
        tree.write_manifest("/", [], str(tmp_path / "none" / "m"))
    Path(str(files) + "/a\udcff").touch()
    with pytest.raises(Invalid, match="not UTF-8"):
        tree.deal(str(files))


@given(st.dictionaries(names, digests))
def test_a_manifest_reads_as_it_was_written(files):
    text = "".join(tree.line(name, sha256) for name, sha256 in files.items())
    assert tree.read_manifest(text) == files


@given(st.dictionaries(names, digests), st.randoms())
def test_the_manifest_does_not_depend_on_how_files_were_dealt(files, random):
    found = [{"name": name, "bytes": 1, "sha256": sha256} for name, sha256 in files.items()]
    random.shuffle(found)
    cut = random.randint(0, len(found))
    assert tree.write_manifest("/", [found[:cut], found[cut:]]) == tree.write_manifest("/", [found])
