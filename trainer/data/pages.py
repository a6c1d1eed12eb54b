"""Pages: files that hold several images."""

from trainer.data.encoded import File
from trainer.data.reading import Reading
from trainer.errors import OpenQuestion


def check_pages(file: File, pages: int, reading: Reading) -> None:
    """Raise OpenQuestion for a file of several pages of which nothing is said."""
    if pages > 1 and reading.pages is None:
        raise OpenQuestion(
            f"{file} has {pages} pages or frames",
            "say pages: first, or pages: each where every one is an image of the class (volumes are not supported)",
        )
