"""Data sets with a public address: their files, digests, and where they are on this machine."""

import os
from pathlib import Path
from typing import NamedTuple

import pooch

from energax.errors import InputError

_DEBD = (
    "https://raw.githubusercontent.com/arranger1044/DEBD/"
    "80a4906dcf3b3463370f904efa42c21e8295e85c/datasets/"
)
_RNA = (
    "https://raw.githubusercontent.com/spqb/adabmDCApy/"
    "88d48cef0bb8c65bb3a7441aff9fdec0fcdb084c/example_data/RF00379/splits/"
)


class Public(NamedTuple):
    """Where a set is kept, in public and here, and the SHA-256 of its files without gzip.

    `ending`: ".gz" where the address serves them gzipped. The header of gzip differs between
    mirrors, so digests are without it.
    """

    address: str
    folder: str
    ending: str
    digests: dict[str, str]


PUBLIC = {
    "mnist": Public(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "mnist",
        ".gz",
        {
            "train-images-idx3-ubyte": (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
            ),
            "train-labels-idx1-ubyte": (
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
            ),
            "t10k-images-idx3-ubyte": (
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
            ),
            "t10k-labels-idx1-ubyte": (
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
            ),
        },
    ),
    "fashion-mnist": Public(
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "fashion_mnist",
        ".gz",
        {
            "train-images-idx3-ubyte": (
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
            ),
            "train-labels-idx1-ubyte": (
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
            ),
            "t10k-images-idx3-ubyte": (
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
            ),
            "t10k-labels-idx1-ubyte": (
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
            ),
        },
    ),
    "nltcs": Public(
        _DEBD + "nltcs/",
        "debd_binary",
        "",
        {
            "nltcs.train.data": "e547a7aedad1dd2f7177030881ab1b92c7e24ae5464c71a0f1f89daecaf52b30",
            "nltcs.valid.data": "93bbbf5c6febdc9bc6e5b5bfab636f4dc0685ab2896d24b23dd267794c3bfcf6",
            "nltcs.test.data": "f9ffa6b74b27dc03bee3203d157ee31079e80b13be40d0c0093d635c25aed523",
        },
    ),
    "plants": Public(
        _DEBD + "plants/",
        "debd_binary",
        "",
        {
            "plants.train.data": "1fb1219ff94068d12a563f9e81f8889a1885f41e867884cff608669300c6848f",
            "plants.valid.data": "47834ed318b2d74f48e4b083226ef47fd446d41986012ceae19d230574821b34",
            "plants.test.data": "95f53c033cd1d86467aec2610dc5bfe014534206c2da4919f73bcab246ab8755",
        },
    ),
    "jester": Public(
        _DEBD + "jester/",
        "debd_binary",
        "",
        {
            "jester.train.data": "dd93578c3359d5b234bb278bf0901c5215d83b910f7d51d7c91951a0a4c244cd",
            "jester.valid.data": "91df833941e189265345898d3f63211560c2456df599f34beee8e95381ee7524",
            "jester.test.data": "346044fb561cf18f284f7e9d5896178b03048991b6ebb6f7482885fccbc16082",
        },
    ),
    "dna": Public(
        _DEBD + "dna/",
        "debd_binary",
        "",
        {
            "dna.train.data": "bb8de0ca4b6ad9b610036b7a302962ebecd4b504354b14c02c7d0bee48d207d9",
            "dna.valid.data": "4b0fc89cda5eaf5c75926e281afb6af99de194a546070d5b81b524ba251f4f3f",
            "dna.test.data": "fec3ae7b26804020a9c43c99828441c5e08bb76b23719368a74ad2b09af99100",
        },
    ),
    "rna": Public(
        _RNA,
        "rna_rf00379",
        "",
        {
            "RF00379_train.fasta": (
                "eff75d30a8f7a7780d61962e057c7afd1e7bd5f05793bb247ebb2d9cd5e10583"
            ),
            "RF00379_validation.fasta": (
                "a181cae2456770e5586aeccbd3061c342f3b9197323c0aaaa0f08977c0254b1e"
            ),
        },
    ),
}
"""By the name of a set."""


def cache() -> Path:
    """Where downloads go when no folder is given."""
    return Path(pooch.os_cache("energax"))


def find_file(name: str, file: str) -> Path:
    """A file of a set, plain or gzipped: in the folder ENERGAX_DATA names, else in the cache.

    Raises InputError where it is in neither.
    """
    given, folder = os.environ.get("ENERGAX_DATA"), PUBLIC[name].folder
    homes = [Path(given)] if given else []
    for home in [*homes, cache()]:
        for path in (home / folder / end for end in (file, f"{file}.gz")):
            if path.is_file():
                return path
    raise InputError(
        f"The files of {name} are not here: run `energax data {name}`, or set ENERGAX_DATA to a "
        f"folder with {folder}/{file}.gz."
    )
