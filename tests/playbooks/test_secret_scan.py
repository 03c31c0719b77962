"""The search, the detectors and the report of secret-scan."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.agents.modules import load
from agentical.errors import Invalid

FOLDER = str(Path(__file__).parents[2] / "playbooks" / "secret-scan")
find, vote = load(FOLDER, "secret_scan_find"), load(FOLDER, "secret_scan_vote")

# Put together here, so that no scanner takes this file for a leak.
AWS = "AKIA" + "Z7Q2XK9M4T6B3W5N"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
RANDOM = "kJ8dP2xQ7vT4mZ9wL3bN6yR1"


def verdict(tmp_path, line: str, name: str = "app.py") -> list[str] | None:
    """How pattern, entropy and context vote on the only candidate of a file of this line."""
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(line)
    found = find.collect(str(tmp_path))
    if not found["candidates"]:
        return None
    (place,) = found["candidates"]
    spot = {key: place[key] for key in ("file", "line", "start", "end")}
    return [
        detect(root=found["root"], proof=place["check"], **spot)["choice"]
        for detect in (vote.pattern, vote.entropy, vote.context)
    ]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (f"key = '{AWS}'", "app.py"),
        (f"fetch('{GITHUB}')", "app.js"),
        (f"API_TOKEN={RANDOM}", ".env"),
        ("password = 'Tr0ub4dor&9Kx'", "app.py"),
        ("postgres://app:s3cr3tPw9@db.internal/x", "deploy.sh"),
        ("-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpQ" + RANDOM * 2, "key.pem"),
    ],
)
def test_real_secrets_get_two_votes_or_more(tmp_path, line, name):
    votes = verdict(tmp_path, line, name)
    assert votes is not None
    assert votes.count("secret") >= 2


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("key = 'AKIA" + "IOSFODNN7EXAMPLE'", "app.py"),
        ("password = 'changeme'", "app.py"),
        ("password: ${{ secrets.DB_PASSWORD }}", "ci.yaml"),
        ("token = os.environ['TOKEN_NAME']", "app.py"),
        ("sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'", "app.py"),
        ("password = 'hunter22'", "tests/test_app.py"),
        ("postgres://user:password@localhost/test", "docs/setup.md"),
        ('"integrity": "sha512-' + RANDOM + '"', "package-lock.json"),
        ("token_name = 'authorization_code_v2'", "app.py"),
    ],
)
def test_what_only_looks_like_a_secret_is_outvoted(tmp_path, line, name):
    votes = verdict(tmp_path, line, name)
    assert votes is None or votes.count("secret") < 2


@pytest.mark.parametrize(
    "line", ["x = 1", "def token(): ...", "import secrets", "title = 'A plain sentence of some length'"]
)
def test_ordinary_code_has_no_candidates(line):
    assert find.candidates_of(line) == []


def test_unquoted_values_count_in_settings_only():
    assert find.candidates_of("api_key = abcdef123456") == []
    assert len(find.candidates_of("api_key = abcdef123456", settings=True)) == 1


def test_no_answer_holds_the_secret_itself(tmp_path):
    secrets = [AWS, GITHUB, RANDOM, "Tr0ub4dor&9Kx"]
    (tmp_path / "a.py").write_text("\n".join(f"token = '{secret}'" for secret in secrets))
    found = find.collect(str(tmp_path))
    report = find.write_report(found, [{"verdict": "secret"}] * len(found["candidates"]))
    shown = json.dumps([found, report])
    assert len(report["secrets"]) == len(secrets)
    for secret in secrets:
        assert secret not in shown
        assert secret[4:12] not in shown


def test_candidates_come_by_file_and_line_up_to_the_limit(tmp_path):
    for name in ("b.py", "a.py"):
        (tmp_path / name).write_text(f"x = '{AWS}'\n" * 2)
    found = find.collect(str(tmp_path), limit=3)
    assert [(c["file"], c["line"]) for c in found["candidates"]] == [("a.py", 1), ("a.py", 2), ("b.py", 1)]
    assert found["more"] == 1
    assert "1 more candidates" in find.write_report(found, [{"verdict": "benign"}] * 3)["markdown"]


def test_binary_and_very_large_files_are_counted_not_read(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"\0" + AWS.encode())
    (tmp_path / "b.txt").write_bytes(b"x" * (find.LARGE + 1))
    found = find.collect(str(tmp_path))
    assert (found["files"], found["skipped"], found["candidates"]) == (0, ["a.bin", "b.txt"], [])


def test_excluded_folders_are_left_out(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text(f"token = {RANDOM}")
    assert find.collect(str(tmp_path), [".git"])["files"] == 0


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(Invalid, match="no folder"):
        find.collect(str(tmp_path / "none"))


@pytest.mark.parametrize("detect", ["pattern", "entropy", "context"])
def test_a_detector_refuses_a_place_that_changed(tmp_path, detect):
    (tmp_path / "a.py").write_text("x = 'one thing'")
    place = {"root": str(tmp_path), "file": "a.py", "start": 5, "end": 14, "proof": "0000"}
    with pytest.raises(Invalid, match="changed"):
        getattr(vote, detect)(**place, line=1)
    with pytest.raises(Invalid, match="changed"):
        getattr(vote, detect)(**place, line=7)
    with pytest.raises(Invalid, match="cannot be read"):
        getattr(vote, detect)(**{**place, "file": "b.py"}, line=1)


@given(st.text(max_size=120), st.booleans())
def test_candidates_never_overlap(line, settings):
    found = find.candidates_of(line, settings=settings)
    assert all(0 <= c.start < c.end <= len(line) for c in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


@given(st.text(max_size=80))
def test_words_and_repetition_do_not_look_random(text):
    assert not vote.looks_random(text[:2] * 40)
    assert not vote.looks_random("".join(c for c in text if c.isalpha() and c.islower()))
