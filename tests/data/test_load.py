"""Data sets by name, and their download from an address, tested on a server in this process."""

import gzip
import hashlib
import http.server
import threading
from functools import partial

import numpy as np
import pytest
from data_files import IMAGES, idx, sentence
from real_files import REAL_FILES, needs_files
from sklearn.datasets import load_digits

from energax.data import NAMES, digits, download, fashion_mnist, load, mnist, read_rows
from energax.data.fetch import fetch
from energax.data.public import PUBLIC
from energax.errors import InputError


def test_digits_follow_the_protocol():
    data = digits()
    order = np.random.default_rng(0).permutation(1797)
    assert (data.train.shape, data.test.shape) == ((1500, 8, 8), (297, 8, 8))
    assert (data.train.dtype, data.levels, data.train.max()) == (np.uint8, 17, 16)
    assert np.array_equal(data.train, load_digits().images[order[:1500]])
    assert np.array_equal(data.test, load_digits().images[order[1500:]])
    assert data.digest == load("digits").digest


@pytest.mark.parametrize("name", sorted({*NAMES} - {*PUBLIC, "mnist-binary"}))
def test_each_name_loads_the_set_of_that_name(name):
    assert load(name).name == name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("two-mons", "Did you mean 'two-moons'"),
        ("Two_Moons", "Did you mean 'two-moons'"),
        ("fashonmnist", "Did you mean 'fashion-mnist'"),
        ("no/such/file.csv", "no file or data set 'no/such/file.csv'"),
        ("zzz", "Built in are digits, two-moons"),
    ],
)
def test_unknown_name_suggests_the_nearest(name, says):
    with pytest.raises(InputError, match=says) as error:
        load(name)
    sentence(error)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1.0, float("nan")])
def test_test_fraction_is_checked(fraction):
    with pytest.raises(ValueError, match="`test_fraction`"):
        load("digits", test_fraction=fraction)


@pytest.mark.parametrize(("make", "folder"), [(mnist, "mnist"), (fashion_mnist, "fashion_mnist")])
def test_image_sets_come_from_the_named_folder_then_the_cache(make, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("ENERGAX_DATA", str(tmp_path / "given"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(InputError, match=r"run `energax data .*mnist`, or set ENERGAX_DATA"):
        make()
    pictures = np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype(np.uint8)
    for home, tail in (("cache/energax", pictures), ("given", pictures[:3])):
        for part in ("train", "t10k"):
            file = tmp_path / home / folder / f"{part}-images-idx3-ubyte.gz"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(gzip.compress(idx(tail)))
        data = make()
        assert np.array_equal(data.train, tail)
        assert (data.levels, data.shape) == (256, (28, 28))
    (tmp_path / "given" / folder / "train-images-idx3-ubyte").write_bytes(idx(IMAGES))
    with pytest.raises(InputError, match="expected uint8 images of 28x28"):
        make()


@needs_files
def test_mnist_is_complete():
    data = load("mnist")
    assert (len(data.train), len(data.test)) == (60_000, 10_000)


class Silent(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and logs nothing."""

    def log_message(self, format, *args):
        pass


class Breaking(Silent):
    """Promises more bytes than it sends: a connection that breaks half-way."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(gzip.compress(idx(IMAGES))[:50])


@pytest.fixture
def serve():
    """Start a server of a folder and give its address."""
    servers = []

    def start(folder, handler=Silent):
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(handler, directory=str(folder))
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


CONTENT = idx(IMAGES)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def shelf(tmp_path):
    """A folder to serve: one good file, one of other images, one that is no gzip file."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "good.gz").write_bytes(gzip.compress(CONTENT))
    (folder / "wrong.gz").write_bytes(gzip.compress(idx(IMAGES + 1)))
    (folder / "page.gz").write_bytes(b"<html>Not found</html>")
    return folder


def test_fetch_checks_and_keeps_what_it_downloads(serve, shelf, tmp_path):
    target = tmp_path / "new" / "t-idx3-ubyte.gz"
    address = f"{serve(shelf)}/good.gz"
    fetch(address, target, DIGEST)
    assert np.array_equal(read_rows(target).rows, IMAGES)
    stamp = target.stat().st_mtime_ns
    (shelf / "good.gz").unlink()
    fetch(address, target, DIGEST)  # the file is there and whole: no request is made
    assert target.stat().st_mtime_ns == stamp
    assert [file.name for file in target.parent.iterdir()] == [target.name]


def test_fetch_replaces_a_damaged_file(serve, shelf, tmp_path):
    target = tmp_path / "t-idx3-ubyte.gz"
    target.write_bytes(gzip.compress(CONTENT)[:60])
    fetch(f"{serve(shelf)}/good.gz", target, DIGEST)
    assert np.array_equal(read_rows(target).rows, IMAGES)


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("wrong.gz", "has not the SHA-256"),
        ("page.gz", "has not the SHA-256"),
        ("absent.gz", "could not be downloaded"),
    ],
)
def test_fetch_leaves_nothing_behind_when_it_fails(serve, shelf, tmp_path, file, says):
    target = tmp_path / "home" / "t-idx3-ubyte.gz"
    with pytest.raises(InputError, match=says) as error:
        fetch(f"{serve(shelf)}/{file}", target, DIGEST)
    sentence(error)
    assert not target.parent.exists()


def test_fetch_without_a_network_leaves_no_folder_of_any_depth(tmp_path):
    with pytest.raises(InputError, match="could not be downloaded"):
        fetch("http://127.0.0.1:9/good.gz", tmp_path / "a" / "b" / "t.gz", DIGEST)
    assert not list(tmp_path.iterdir())


def test_fetch_takes_no_more_than_a_set_has(serve, shelf, tmp_path, monkeypatch):
    """Neither more bytes than any file has, nor a small file that decompresses to more."""
    monkeypatch.setattr("energax.data.fetch.LARGEST", 1000)
    (shelf / "long.gz").write_bytes(gzip.compress(np.random.default_rng(0).bytes(2000)))
    (shelf / "bomb.gz").write_bytes(gzip.compress(bytes(100_000)))
    digests = {
        "long.gz": (DIGEST, "sends more than"),
        "bomb.gz": (hashlib.sha256(bytes(100_000)).hexdigest(), "has not the SHA-256"),
    }
    address = serve(shelf)
    for name, (digest, says) in digests.items():
        with pytest.raises(InputError, match=says):
            fetch(f"{address}/{name}", tmp_path / "home" / "t.gz", digest)
        assert not (tmp_path / "home").exists()
    fetch(f"{address}/good.gz", tmp_path / "home" / "t.gz", DIGEST)  # the control


def test_public_addresses_are_encrypted():
    assert all(known.address.startswith("https://") for known in PUBLIC.values())


def test_fetch_from_a_line_that_breaks_and_from_a_dead_server(serve, shelf, tmp_path):
    target = tmp_path / "home" / "t-idx3-ubyte.gz"
    addresses = (f"{serve(shelf, Breaking)}/good.gz", "http://127.0.0.1:9/good.gz")
    for address in addresses:
        with pytest.raises(InputError, match=r"could not be downloaded .*check the network"):
            fetch(address, target, DIGEST)
        assert not target.parent.exists()


def test_fetch_into_a_place_that_cannot_be_written(serve, shelf, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        fetch(f"{serve(shelf)}/good.gz", tmp_path / "file" / "t.gz", DIGEST)


def test_download_names_what_it_knows():
    with pytest.raises(
        InputError, match="'cifar' cannot be downloaded; mnist, fashion-mnist, nltcs"
    ):
        download("cifar")


def test_download_takes_every_file_of_a_set(serve, shelf, tmp_path, monkeypatch):
    """The whole path on a set of two tiny files that stands in for the table of digests."""
    names = ("a-idx3-ubyte", "b-idx3-ubyte")
    digests = dict.fromkeys(names, DIGEST)
    monkeypatch.setitem(PUBLIC, "mnist", PUBLIC["mnist"]._replace(digests=digests))
    for name in names:
        (shelf / f"{name}.gz").write_bytes(gzip.compress(CONTENT))
    home = download("mnist", base_url=serve(shelf), folder=tmp_path / "home")
    assert home == tmp_path / "home" / "mnist"
    assert sorted(file.name for file in home.iterdir()) == [f"{name}.gz" for name in names]


@needs_files
@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_real_files_have_the_recorded_digests(serve, name, tmp_path):
    base = serve(REAL_FILES / name.replace("-", "_"))
    home = download(name, base_url=base, folder=tmp_path)
    assert len(list(home.iterdir())) == 4


@needs_files
def test_sets_of_plain_files_are_downloaded_and_checked(tmp_path, serve):
    """The files of `ENERGAX_DATA`, unpacked, as the public address serves them."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name in ("nltcs", "rna"):
        for file in PUBLIC[name].digests:
            packed = (REAL_FILES / PUBLIC[name].folder / f"{file}.gz").read_bytes()
            (shelf / file).write_bytes(gzip.decompress(packed))
        home = download(name, base_url=serve(shelf), folder=tmp_path / "home")
        assert home == tmp_path / "home" / PUBLIC[name].folder
        assert sorted(file.name for file in home.iterdir()) == sorted(PUBLIC[name].digests)
    (shelf / "nltcs.test.data").write_bytes(b"0,1\n")
    (home.parent / "debd_binary" / "nltcs.test.data").unlink()
    with pytest.raises(InputError, match="has not the SHA-256"):
        download("nltcs", base_url=serve(shelf), folder=tmp_path / "home")
