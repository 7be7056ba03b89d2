"""A folder of images as one array."""

import math
from pathlib import Path

import numpy as np
from PIL import Image

from energax.data.limit import check_size
from energax.errors import InputError

_SUFFIXES = (".png", ".jpg", ".jpeg")


def _pixels(path: Path, files: int) -> np.ndarray:
    """(height, width) of a greyscale image, (3, height, width) of a colour one; uint8.

    `files`: how many of its size there are.
    """
    if not path.is_file():
        raise InputError(
            f"{path.name} is no file, but a folder, a pipe, a device or a broken link: remove it."
        )
    try:
        with Image.open(path) as image:
            size = math.prod(image.size) * len(image.getbands())
            check_size(size * files, f"{files} images like {path.name}" if files > 1 else path.name)
            mode, pixels = image.mode, np.asarray(image)
    except InputError:
        raise
    except PermissionError:
        raise
    # Pillow raises SyntaxError for a broken PNG.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path.name} is damaged or no image: replace or remove it.") from error
    if mode not in ("L", "RGB"):
        raise InputError(
            f"{path.name} is an image of mode {mode}: convert it to 8-bit greyscale or RGB."
        )
    return pixels if mode == "L" else np.moveaxis(pixels, -1, 0)


def read_images(folder: Path) -> np.ndarray:
    """The PNG and JPEG files of `folder` in the order of their names, uint8, channels first.

    Other files and subfolders are left alone. Raises InputError where there are none, where one
    cannot be read, and where two differ in size or colour.
    """
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES)
    if not files:
        raise InputError(
            f"The folder {folder.resolve().name} holds no images: expected files that end in "
            f"{', '.join(_SUFFIXES)}."
        )
    first = _pixels(files[0], len(files))
    images = np.empty((len(files), *first.shape), np.uint8)
    for index, file in enumerate(files):
        pixels = _pixels(file, 1)
        if pixels.shape != first.shape:
            raise InputError(
                f"Images must share one size: {files[0].name} is {_words(first)}, "
                f"{file.name} is {_words(pixels)}; resize or remove one."
            )
        images[index] = pixels
    return images


def _words(pixels: np.ndarray) -> str:
    colour = "greyscale" if pixels.ndim == 2 else "colour"
    return f"{pixels.shape[-1]}x{pixels.shape[-2]} {colour}"
