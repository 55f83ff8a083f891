"""Raw responses on disk."""

import gzip
import hashlib
import json
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from protscribe.errors import InputError
from protscribe.sources.http.response_cache import Response, ResponseCache, cache_key, first_words

KEY = cache_key("GET", "http://host/a", [("x", "1")])


def response(body=b"MKT" * 1000, key=KEY):
    return Response(
        provider="site",
        url="http://host/a?x=1",
        status=200,
        headers={"content-type": "text/plain"},
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
        key=key,
    )


@pytest.fixture
def cache(tmp_path):
    return ResponseCache(tmp_path / "http")


def test_what_is_saved_is_loaded(cache):
    assert cache.load(KEY) is None
    cache.save(response())
    loaded = cache.load(KEY)
    assert loaded.cached
    assert (loaded.body, loaded.headers, loaded.url) == (
        response().body,
        response().headers,
        response().url,
    )
    cache.drop(KEY)
    assert cache.load(KEY) is None
    cache.drop(KEY)


def test_files_are_plain_and_the_same_each_time(cache):
    cache.save(response())
    paths = sorted(path for path in cache.folder.rglob("*") if path.is_file())
    assert [path.name for path in paths] == [f"{KEY}.gz", f"{KEY}.json"]
    first = [path.read_bytes() for path in paths]
    assert gzip.decompress(first[0]) == response().body
    assert json.loads(first[1]) == {
        "provider": "site",
        "url": "http://host/a?x=1",
        "status": 200,
        "headers": {"content-type": "text/plain"},
        "sha256": response().sha256,
        "bytes": 3000,
    }
    cache.drop(KEY)
    cache.save(response())
    assert [path.read_bytes() for path in paths] == first


@pytest.mark.parametrize("suffix", ["gz", "json"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-10],
        lambda content: b"[]",
        lambda content: b"{}",
        lambda content: b"null",
        lambda content: content[:50] + b"\xff\xff" + content[52:],
        lambda content: gzip.compress(b"something else"),
        None,
    ],
)
def test_damage_is_noticed(cache, suffix, damage):
    cache.save(response())
    (path,) = cache.folder.rglob(f"*.{suffix}")
    if damage:
        path.write_bytes(damage(path.read_bytes()))
    else:
        path.unlink()
    assert cache.load(KEY) is None
    if damage or suffix == "gz":
        with pytest.raises(InputError, match=rf"{KEY}.gz: damaged"):
            cache.load(KEY, must=True)


def test_keys_do_not_depend_on_order_or_on_who_asks():
    pairs = [("db", "pubmed"), ("id", "1"), ("id", "2")]
    who = [("api_key", "abc"), ("email", "a@b.c"), ("tool", "t")]
    assert cache_key("POST", "u", pairs) == cache_key("POST", "u", pairs[::-1] + who)
    keys = {
        cache_key("POST", "u", pairs),
        cache_key("GET", "u", pairs),
        cache_key("POST", "v", pairs),
        cache_key("POST", "u", pairs[:2]),
    }
    assert len(keys) == 4


def test_threads_may_save_the_same(cache):
    body = random.Random(0).randbytes(300_000)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(cache.save, [response(body)] * 16))
    assert cache.load(KEY).body == body
    assert len([path for path in cache.folder.rglob("*") if path.is_file()]) == 2


def test_first_words():
    assert first_words(b"a \n b") == "a b"
    assert first_words(b"x" * 300) == "x" * 200 + "..."
    assert first_words(b"\xff") == "\ufffd"
