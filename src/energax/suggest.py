"""What a misspelt word was meant to be."""

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like `word`; None where none looks like it.

    Initials count: `lr` is `learning-rate`.
    """
    every = list(known)
    plain = word.lower().strip("-").replace("_", "-")
    initials = [one for one in every if "".join(p[:1] for p in split(one)) == plain]
    inside = [one for one in every if plain in split(one)] if len(plain) > 2 else []
    alike = difflib.get_close_matches(plain, [one.strip("-") for one in every], 1, 0.6)
    close = [one for one in every if alike and one.strip("-") == alike[0]]
    return next(iter(initials + close + inside), None)


def split(word: str) -> list[str]:
    """The parts of a word with hyphens or underscores."""
    return [part for part in word.lower().replace("_", "-").split("-") if part]


def suggest(word: str, known: Iterable[str], otherwise: str = ".") -> str:
    """The end of a refusal: "; did you mean ...?", or `otherwise` where no known word is near."""
    found = nearest(word, known)
    return otherwise if found is None else f"; did you mean {found}?"
