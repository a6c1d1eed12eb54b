"""Pages: files that hold several images."""

from trainer.data.encoded import File
from trainer.data.reading import Reading
from trainer.errors import DataError


def check_pages(file: File, pages: int, reading: Reading) -> None:
    """Raise DataError for a file of several pages of which nothing is said."""
    if pages > 1 and reading.pages is None:
        raise DataError(
            f"{file} has {pages} pages or frames; say pages: first, or pages: each where every one is an image of the "
            "class (volumes are not supported)"
        )
