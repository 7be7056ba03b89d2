"""Aligned sequences: what a FASTA file holds, what it must not, and how much sequences count."""

import gzip
import itertools

import numpy as np
import pytest
from real_files import needs_files
from tests.data.test_files import sentence

from energax.data import (
    check_rows,
    load,
    read_rows,
    spell_sequences,
    weigh_sequences,
    write_fasta,
)
from energax.errors import InputError
from energax.space import Categories

RNA = b">one\nAC-G\n>two\nAUUG\n"


def fasta(folder, content, name="x.fasta"):
    path = folder / name
    path.write_bytes(content)
    return path


READABLE = {  # name -> (content, letters, rows)
    "rna": (RNA, "-ACGU", [[1, 2, 0, 3], [1, 4, 4, 3]]),
    "dna": (b">1\nAC-G\n>2\nATTG\n", "-ACGT", [[1, 2, 0, 3], [1, 4, 4, 3]]),
    "only A, C and G": (b">1\nAC-G\n", "-ACGT", [[1, 2, 0, 3]]),
    "protein": (b">1 a b\nMKV\n>1 c\n-WY\n", "-ACDEFGHIKLMNPQRSTVWY", [[11, 9, 18], [0, 19, 20]]),
    "several lines": (b">1\nAC\n-G\n\n>2\nAU\nUG", "-ACGU", [[1, 2, 0, 3], [1, 4, 4, 3]]),
    "as Windows writes it": (
        b"\xef\xbb\xbf" + RNA.replace(b"\n", b"\r\n"),
        "-ACGU",
        [[1, 2, 0, 3], [1, 4, 4, 3]],
    ),
}


@pytest.mark.parametrize("name", READABLE)
def test_sequences_become_the_places_of_their_letters(name, tmp_path):
    content, letters, rows = READABLE[name]
    for path in (fasta(tmp_path, content), fasta(tmp_path, gzip.compress(content), "y.fa.gz")):
        table = read_rows(path)
        assert table.rows.dtype == np.uint8
        assert table.rows.tolist() == rows
        assert (table.letters, table.states, table.columns) == (letters, len(letters), None)


REFUSED = {  # name -> (content, what the sentence says)
    "nothing": (b"\n \n", "x.fasta is empty: it needs a line of '>'"),
    "no name": (b"\nACGU\n", "Line 2 of x.fasta does not begin with '>'"),
    "letters before the first name": (b"AC\n>1\nAC\n", "Line 1 of x.fasta does not begin with"),
    "no sequence": (b">1\n>2\nAC\n", "The sequence at line 1 of x.fasta has 0 letters"),
    "ragged": (b">1\nAC\n>2\nACG\n", "The sequence at line 3 of x.fasta has 3 letters, expected 2"),
    "two of one name": (RNA + RNA, "Line 5 of x.fasta names 'one', as does line 1: rename"),
    "an unknown letter": (
        b">Q\nACGUACGUACGU\n>N\nACGUACGNACGU\n",
        "Line 4 of x.fasta holds 'N', not one of -ACGU: drop that sequence",
    ),
    "T beside U": (b">1\nACGT\n>2\nACGU\n", "Line 2 of x.fasta holds 'T', not one of -ACGU"),
    "an unknown acid": (b">1\nMKVX\n", "Line 2 of x.fasta holds 'X', not one of -ACDEFG"),
    "an insertion": (b">1\nACgU\n>2\nAC.U\n", "Line 2 of x.fasta holds 'g': lower-case letters"),
    "its dots": (b">1\nAC.U\n", "Line 2 of x.fasta holds '.': lower-case letters and dots"),
    "no text": (b">1\n\xff\xfe\n", "x.fasta is not text: save it as FASTA in UTF-8."),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_alignment_gets_a_sentence_with_its_line(name, tmp_path):
    content, says = REFUSED[name]
    with pytest.raises(InputError) as error:
        read_rows(fasta(tmp_path, content))
    assert says in sentence(error)


def test_a_damaged_gzip_file_and_one_beyond_the_limit(tmp_path, monkeypatch):
    packed = gzip.compress(RNA * 1000)
    with pytest.raises(InputError, match="is damaged or no gzip file"):
        read_rows(fasta(tmp_path, packed[:40], "x.fasta.gz"))
    monkeypatch.setenv("ENERGAX_MAX_GB", "1e-6")
    with pytest.raises(InputError, match="more than 1e-06 GB"):
        read_rows(fasta(tmp_path, packed, "x.fasta.gz"))


def test_an_alphabet_may_be_named(tmp_path):
    path = fasta(tmp_path, b">1\nHP\n>2\nPP\n")
    table = read_rows(path, letters="PH")
    assert (table.rows.tolist(), table.states) == ([[1, 0], [0, 0]], 2)
    with pytest.raises(ValueError, match="`letters` must be from 2 to 256 different letters"):
        read_rows(path, letters="PPH")
    (tmp_path / "x.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match=r"x\.csv holds no sequences: leave out `letters`"):
        read_rows(tmp_path / "x.csv", letters="PH")


def test_a_file_of_sequences_is_a_data_set_of_categories(tmp_path):
    every = ["".join(letters) for letters in itertools.product("-ACGU", repeat=2)]
    path = str(fasta(tmp_path, "".join(f">{one}\n{one}\n" for one in every).encode()))
    found = load(path)
    assert (found.space, found.letters, found.columns) == (Categories((2,), 5), "-ACGU", None)
    assert found.schema.letters == "-ACGU"
    read = spell_sequences(np.concatenate([found.train, found.test]), found.letters)
    assert sorted(read) == sorted(every)
    with pytest.raises(InputError, match="holds sequences of 5 letters: leave out `states`"):
        load(path, states=None)


def test_sequences_given_later_are_spelt_in_the_letters_of_the_model(tmp_path):
    table = read_rows(fasta(tmp_path, b">1\nAC-G\n"))
    assert table.letters == "-ACGT", "nothing says that this is RNA"
    found = check_rows(table, (4,), states=5, letters="-UGCA")
    assert found.dtype == np.uint8
    assert spell_sequences(found, "-UGCA") == ["AC-G"]
    with pytest.raises(InputError) as error:
        check_rows(table, (4,), states=3, letters="-AC")
    assert "sequence 1 has 'G' at site 4; the model was trained on the letters -AC" in sentence(
        error
    )
    with pytest.raises(InputError, match="holds sequences of the letters -ACGT; the model was"):
        check_rows(table, (4,))
    with pytest.raises(InputError, match="holds sequences of the letters -ACGT; the model was"):
        check_rows(table, (4,), states=5)


def test_written_sequences_are_read_back(tmp_path):
    rows = np.random.default_rng(0).integers(0, 21, (7, 30)).astype(np.uint8)
    write_fasta(tmp_path / "x.fasta", rows, "-ACDEFGHIKLMNPQRSTVWY")
    assert np.array_equal(read_rows(tmp_path / "x.fasta").rows, rows)
    with pytest.raises(ValueError, match="`rows` must hold numbers from 0 to 4"):
        spell_sequences(rows, "-ACGU")


def weigh_one_by_one(rows, identity):
    """The definition, pair by pair."""
    return np.array([1 / sum(np.mean(row == other) > identity for other in rows) for row in rows])


def test_weights_follow_their_definition_across_blocks(monkeypatch):
    monkeypatch.setattr("energax.data.sequences.BLOCK", 7)
    noise = np.random.default_rng(0)
    rows = noise.integers(0, 3, (4, 10))[noise.integers(0, 4, 30)]
    rows = np.where(noise.random(rows.shape) < 0.1, noise.integers(0, 3, rows.shape), rows)
    for identity in (0.0, 0.5, 0.8, 0.9):
        found = weigh_sequences(rows.astype(np.uint8), identity)
        assert np.array_equal(found, weigh_one_by_one(rows, identity))
    assert len(set(weigh_sequences(rows))) > 3, "a case with something to see"


def test_sequences_at_the_very_threshold_are_not_alike():
    """29 of 100 sites are not more than 0.29 of them, though 0.29 * 100 is below 29."""
    rows = np.stack([np.zeros(100, int), np.arange(100) >= 29])
    assert weigh_sequences(rows, 0.29).tolist() == [1, 1]
    assert weigh_sequences(rows, 0.28).tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match="`identity` must be in"):
        weigh_sequences(rows, 1.0)


@needs_files
def test_the_rna_family_has_the_published_sizes():
    found = load("rna")
    assert (found.train.shape, found.test.shape) == ((2908, 136), (738, 136))
    assert (found.space, found.letters) == (Categories((136,), 5), "-ACGU")
    assert round(found.row_weights.sum(), 1) == 1108.9
    assert round(weigh_sequences(found.test).sum(), 1) == 429.5
    first = "-AAUAACAUAAGCCUAAGUU--UA-AAACGCGGGGGAACCA---UUAAUUGGGGUGAAUCACA"
    assert spell_sequences(found.train[:1], found.letters)[0].startswith(first)
    assert found.schema.cautions == ()
