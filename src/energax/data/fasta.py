"""Aligned sequences as FASTA files."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Integer

from energax.data.limit import unpack
from energax.data.rows import Table
from energax.errors import InputError
from energax.files import write_text
from energax.space.finite import MOST_STATES

DNA, RNA, PROTEIN = "-ACGT", "-ACGU", "-ACDEFGHIKLMNPQRSTVWY"
"""Alphabets, the gap first."""

NUCLEIC = 0.9
"""Sequences of which more than this share, gaps aside, are A, C, G, T or U, are nucleic acids."""


def read_fasta(path: Path, letters: str | None = None) -> Table:
    """Aligned sequences, one letter a site, as places in the alphabet: the first letter is 0.

    `letters`: the alphabet; that of DNA, RNA or proteins where it is None, as the letters are.

    Raises InputError, with the line, for a file without sequences, sequences of different length,
    unknown letters, two of one name, and the lower-case letters of insertions.
    """
    try:
        lines = unpack(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not text: save it as FASTA in UTF-8.") from error
    sequences = _read_sequences(lines, path.name)
    count = Counter("".join(sequences))
    letters = _find_alphabet(count) if letters is None else _check_alphabet(letters)
    unknown = count.keys() - set(letters)
    if unknown:
        raise _describe_unknown(lines, unknown, letters, path.name)
    codes = np.frombuffer("".join(sequences).encode("utf-32-le"), np.uint32)
    known = [ord(letter) for letter in letters]
    places = np.zeros(max(known) + 1, np.uint8)
    places[known] = np.arange(len(letters))
    rows = places[codes].reshape(len(sequences), -1)
    return Table(rows, None, None, path.name, states=len(letters), letters=letters, whole=True)


def _read_sequences(lines: Sequence[str], source: str) -> list[str]:
    """The sequences, of one length, each of which may have several lines."""
    heads = [number for number, line in enumerate(lines) if line.startswith(">")]
    start = next((number for number, line in enumerate(lines) if line.strip()), None)
    if start is None:
        raise InputError(f"{source} is empty: it needs a line of '>' and a name, then a sequence.")
    if start not in heads[:1]:
        raise InputError(
            f"Line {start + 1} of {source} does not begin with '>': a FASTA file begins with a "
            "line of '>' and a name."
        )
    sequences, names = [], {}
    for head, end in zip(heads, [*heads[1:], len(lines)], strict=True):
        name = lines[head][1:].strip()
        if name in names:
            raise InputError(
                f"Line {head + 1} of {source} names {name!r}, as does line {names[name] + 1}: "
                "rename or drop one of the two."
            )
        names[name] = head
        sequence = "".join("".join(lines[head + 1 : end]).split())
        if not sequence or (sequences and len(sequence) != len(sequences[0])):
            expected = len(sequences[0]) if sequences else "at least 1"
            raise InputError(
                f"The sequence at line {head + 1} of {source} has {len(sequence)} letters, "
                f"expected {expected}: align the sequences, with '-' for gaps."
            )
        sequences.append(sequence)
    return sequences


def _find_alphabet(count: Counter[str]) -> str:
    nucleic = sum(count[letter] for letter in "ACGTU")
    if nucleic <= NUCLEIC * (count.total() - count["-"]):
        return PROTEIN
    return RNA if count["U"] else DNA


def _check_alphabet(letters: str) -> str:
    if not 2 <= len(letters) <= MOST_STATES or len(set(letters)) < len(letters):
        raise ValueError(
            f"`letters` must be from 2 to {MOST_STATES} different letters; got {letters!r}."
        )
    return letters


def _describe_unknown(
    lines: Sequence[str], unknown: set[str], letters: str, source: str
) -> InputError:
    found = re.compile(f"[{re.escape(''.join(sorted(unknown)))}]")
    hits = ((i, found.search(line)) for i, line in enumerate(lines) if not line.startswith(">"))
    number, letter = next((i, hit.group()) for i, hit in hits if hit)
    if letter.islower() or letter == ".":
        return InputError(
            f"Line {number + 1} of {source} holds {letter!r}: lower-case letters and dots are "
            "insertions, which are not aligned; remove them, or write upper case and '-' where "
            "they are aligned."
        )
    return InputError(
        f"Line {number + 1} of {source} holds {letter!r}, not one of {letters}: drop that "
        "sequence, write '-' for what is not known, or name the alphabet by `letters`."
    )


def spell_sequences(rows: Integer[np.ndarray, " size sites"], letters: str) -> list[str]:
    """The sequences that rows of places in an alphabet stand for.

    Args:
        rows: whole numbers from 0, less than the number of letters.
        letters: the alphabet, such as `Schema.letters`.

    Raises:
        ValueError: for a number that has no letter.

    Example:
        >>> ex.data.spell_sequences(np.array([[0, 1, 4], [2, 2, 3]]), "-ACGU")
        ['-AU', 'CCG']
    """
    if rows.size and not 0 <= rows.min() <= rows.max() < len(letters):
        raise ValueError(
            f"`rows` must hold numbers from 0 to {len(letters) - 1}, the places of {letters}."
        )
    return ["".join(row) for row in np.array(list(letters))[rows].tolist()]


def write_fasta(path: Path, rows: Integer[np.ndarray, " size sites"], letters: str) -> None:
    """Write rows of places in an alphabet as sequences, called by their number from 1.

    Raises:
        ValueError: for a number that has no letter.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "x.fasta")
        >>> ex.data.write_fasta(path, np.array([[1, 4]]), "-ACGU"); path.read_text()
        '>1\\nAU\\n'
    """
    sequences = spell_sequences(rows, letters)
    write_text(path, "".join(f">{i}\n{one}\n" for i, one in enumerate(sequences, 1)))
