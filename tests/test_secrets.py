"""Secrets: resolved, filled in, and taken out of what is recorded."""

import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.errors import CallInvalid
from agentical.events import Failure
from agentical.jsonvalues import encode, loads
from agentical.secrets import SHORTEST, Redaction, filled, names, resolve

SECRETS = [
    "hunter2",
    'say "please"',
    "two\nlines",
    "café/crème",
    "back\\slash",
    "🔑-key",
    "tab\there",
    "a/b?c&d=e f",
    "k",
]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
leaves = st.none() | st.booleans() | st.integers(-1000, 1000) | texts


def test_values_come_from_the_environment_and_from_files(monkeypatch, tmp_path):
    monkeypatch.setenv("MY_TOKEN", "one")
    (tmp_path / "key").write_text("two\n")
    assert resolve({"token": "env:MY_TOKEN", "key": f"file:{tmp_path / 'key'}"}) == {"token": "one", "key": "two"}


def test_all_that_are_missing_are_named_at_once(monkeypatch, tmp_path):
    monkeypatch.delenv("MY_TOKEN", raising=False)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    wanted = {"token": "env:MY_TOKEN", "key": f"file:{tmp_path}/none", "odd": f"file:{tmp_path}/binary"}
    with pytest.raises(CallInvalid) as error:
        resolve(wanted)
    for part in ("token", "MY_TOKEN", "key", f"{tmp_path}/none", "odd", "Set them"):
        assert part in str(error.value)


def test_references_are_found_and_filled_at_any_depth():
    value = {"headers": ["Bearer ${{ secrets.token }}", {"x": "${{secrets.token}}:${{ secrets.other }}"}], "n": 1}
    assert names(value) == {"token", "other"}
    filled_in = filled(value, {"token": "T$1", "other": "\\1"})
    assert filled_in == {"headers": ["Bearer T$1", {"x": "T$1:\\1"}], "n": 1}


def spellings(secret):
    """How it may stand in a text: as it is, in JSON of several writers, in JSON within JSON, in a URL."""
    ascii_only, plain = json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]
    upper = "".join(f"\\u{ord(sign):04X}" if 127 < ord(sign) < 0x10000 else json.dumps(sign)[1:-1] for sign in secret)
    return [
        secret, ascii_only, plain, upper, ascii_only.replace("/", "\\/"), plain.replace("/", "\\/"),
        json.dumps(ascii_only)[1:-1], quote(secret, safe=""), quote(secret, safe="").lower(),
    ]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_taken_out_however_it_is_spelt_and_wherever_it_stands(secret):
    redaction = Redaction({"it": secret})
    for spelt in spellings(secret):
        text = f"=={spelt}=={spelt}"
        assert redaction.failure(Failure("bug", text)).message == "==***==***"
        cleaned = loads(redaction.clean(encode([{"12": text}, {f"({spelt})": 1}])))
        assert cleaned == [{"12": "==***==***"}, {"(***)": 1}]


@given(texts.filter(bool), st.lists(texts, min_size=2, max_size=3))
def test_no_secret_is_left_in_any_answer(secret, around):
    cleaned = Redaction({"it": secret}).clean(encode([secret.join(around), secret]))
    assert all(secret in "***" or secret not in text.replace("***", "\0") for text in loads(cleaned))
    assert loads(cleaned)[1] == "***"


@given(
    st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=9
    ),
    st.sampled_from(["n", "u", "1", '"', "\\", "true", "null", "[", "{", ",", ":", "e"]),
)
def test_what_is_cleaned_of_a_short_secret_is_still_json_of_the_same_shape(value, secret):
    cleaned = loads(Redaction({"it": secret}).clean(encode(value)))
    assert type(cleaned) is type(value) or cleaned == "***"
    if isinstance(value, list):
        assert len(cleaned) == len(value)


def test_a_number_that_is_the_secret_is_taken_out():
    assert Redaction({"pin": "4711"}).clean(b'[4711,47110,"4711!"]') == b'["***",47110,"***!"]'


def test_the_longer_secret_goes_first_and_empty_ones_are_none():
    assert Redaction({"a": "abc", "b": "abcdef", "c": ""}).clean(b'"abcdef abc"') == b'"*** ***"'


@given(st.recursive(leaves, st.lists, max_leaves=5))
def test_bytes_without_secrets_stay_as_they_are(value):
    data = encode(value)
    assert Redaction({}).clean(data) is data
    assert Redaction({"it": "no text here holds this"}).clean(data) is data


def test_spaces_in_a_url_may_be_written_as_plus():
    assert quote_plus("a b") == "a+b"
    assert Redaction({"it": "a b"}).failure(Failure("bug", "?key=a+b")).message == "?key=***"


def one_sign(sign):
    """The ways in which one sign of a secret may be spelt."""
    plain, ascii_only = json.dumps(sign, ensure_ascii=False)[1:-1], json.dumps(sign)[1:-1]
    in_url = quote(sign, safe="")
    ways = [sign, plain, ascii_only, json.dumps(ascii_only)[1:-1], in_url, in_url.lower() if "%" in in_url else sign]
    return st.sampled_from(ways).map(lambda way: (sign, way))


signs = st.sampled_from('abcdefu0189nt%\\"/ \n\té🔑-:') | st.characters(
    exclude_categories=["Cs"], exclude_characters="=…."
)
spelt_secrets = st.lists(signs.flatmap(one_sign), min_size=5, max_size=30)


@given(spelt_secrets, st.data(), st.sampled_from(["…", "...", "....."]))
def test_a_secret_that_was_cut_is_taken_out_with_its_cut_escape(spelt, data, mark):
    redaction = Redaction({"it": "".join(sign for sign, _ in spelt), "other": "another one"})
    whole = data.draw(st.integers(SHORTEST, len(spelt) - 1), "signs that are left whole")
    first, last = "".join(way for _, way in spelt[:whole]), "".join(way for _, way in spelt[-whole:])
    torn_end = data.draw(st.integers(0, len(spelt[whole][1]) - 1), "signs left of the escape before the cut")
    torn_start = data.draw(st.integers(1, len(spelt[-whole - 1][1])), "signs cut off the escape after it")
    head = f"=={first}{spelt[whole][1][:torn_end]}{mark}"
    tail = f"{mark}{spelt[-whole - 1][1][torn_start:]}{last}=="
    assert redaction.failure(Failure("bug", head)).message == f"==***{mark}"
    assert redaction.failure(Failure("bug", tail)).message == f"{mark}***=="


def test_less_than_four_signs_beside_a_cut_and_texts_like_a_secret_elsewhere_stay():
    redaction = Redaction({"it": "sesame-open", "short": "abcd"})
    message = "see sesame here, open…pen, ses…"
    assert redaction.failure(Failure("bug", message)).message == message


def test_a_secret_within_another_does_not_hide_what_a_cut_left_of_that():
    redaction = Redaction({"url": "postgres://me:hunter2@host/db", "password": "hunter2"})
    assert redaction.failure(Failure("bug", "…gres://me:hunter2@host/db hunter2")).message == "…*** ***"
    assert redaction.failure(Failure("bug", "postgres://me:hunter2@ho…")).message == "***…"


def test_a_large_secret_and_a_text_full_of_cuts_take_no_time():
    key = "".join(f"{n:x}/" for n in range(600))
    message = "0/1/2/ab... " * 150
    began = time.process_time()
    Redaction({"key": key}).failure(Failure("bug", message))
    assert time.process_time() - began < 20
