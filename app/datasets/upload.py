"""The file in a request: the body itself, or the file of a form (`multipart/form-data`), as it comes."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.direct_body import Part
from app.errors import InvalidDocument, UnsupportedMediaType

FORMS = {
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/vnd.apache.arrow.file": "arrow",
    "application/x-npz": "npz",
    "application/json": "json",
}
"""The forms of datasets, by media type."""

MULTIPART = "multipart/form-data"

_SUFFIXES = {".csv": "csv", ".parquet": "parquet", ".arrow": "arrow", ".npz": "npz", ".json": "json"}
"""The forms by the ends of file names, for clients that don't know the media type."""

_LONGEST_NAME = 255


class Upload:
    """A body that is the file.

    Args:
        media_type: what the request says that it is.

    Attributes:
        form: the file's form; of a form, once its file has begun.
        name: the dataset's name, if the body gives one.

    Raises:
        UnsupportedMediaType: it's nothing that a dataset is made of.
    """

    def __init__(self, media_type: str) -> None:
        self.form = _form(media_type, None)
        self.name: str | None = None

    def take(self, part: Part) -> Iterable[Part]:
        """The parts of the file in some more of the body."""
        return (part,)

    def end(self) -> None:
        """Says that the body has ended.

        Raises:
            InvalidDocument: the file hasn't.
        """


class FormUpload(Upload):
    """A form with one file, whatever its field is called, and perhaps a field `name`.

    Args:
        media_type: with the boundary of the form's parts.

    Raises:
        InvalidDocument: it isn't a form, or one without a file or with several; also by `take` and `end`.
    """

    def __init__(self, media_type: str) -> None:
        boundary = parse_options_header(media_type)[1].get(b"boundary")
        if not boundary:
            raise InvalidDocument.at("", f"Expected a boundary behind {MULTIPART}; received none.")
        self.form = ""
        self.name = None
        self._pieces: list[bytes] = []
        self._field: bytes = b""
        self._value: bytes = b""
        self._headers: dict[bytes, bytes] = {}
        self._text: bytearray | None = None  # what is gathered of the field `name`; None in other parts
        self._in_file = self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": self._add_to_field,
                    "on_header_value": self._add_to_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._begin_content,
                    "on_part_data": self._add_content,
                    "on_part_end": self._end_part,
                    "on_end": self._end_form,
                },
            )
        except FormParserError as error:
            raise _broken(error) from error

    def take(self, part: Part) -> Iterable[Part]:
        """The parts of the file in some more of the body."""
        self._pieces = []
        try:
            self._parser.write(bytes(part))
        except FormParserError as error:
            raise _broken(error) from error
        return self._pieces

    def end(self) -> None:
        """Says that the body has ended."""
        if not self._ended:
            raise InvalidDocument.at("", "Expected a form up to its last boundary; received less.")
        if not self.form:
            raise InvalidDocument.at("", "Expected a file in the form; received none.")

    def _add_to_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def _begin_content(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        file_name = options.get(b"filename")
        self._in_file = file_name is not None
        self._text = bytearray() if file_name is None and options.get(b"name") == b"name" else None
        if file_name is None:
            return
        if self.form:
            raise InvalidDocument.at("", "Expected one file in the form; received two.")
        media_type = self._headers.get(b"content-type", b"").decode("latin-1")
        self.form = _form(media_type, file_name.decode("utf-8", "replace"))

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._pieces.append(data[start:end])
        elif self._text is not None:
            self._text += data[start:end]
            if len(self._text) > _LONGEST_NAME:
                raise InvalidDocument.at("", f"Expected a name of at most {_LONGEST_NAME} bytes.")

    def _end_part(self) -> None:
        if self._text is not None:
            self.name = self._text.decode("utf-8", "replace")
        self._in_file, self._text = False, None

    def _end_form(self) -> None:
        self._ended = True


def upload_of(media_type: str) -> Upload:
    """What reads a body of that `Content-Type`.

    Raises:
        UnsupportedMediaType: it's nothing that a dataset is made of.
        InvalidDocument: it's a form without a boundary.
    """
    is_form = media_type.partition(";")[0].strip().lower() == MULTIPART
    return FormUpload(media_type) if is_form else Upload(media_type)


def _form(media_type: str, file_name: str | None) -> str:
    form = FORMS.get(media_type.partition(";")[0].strip().lower())
    if form is None and file_name is not None:
        form = _SUFFIXES.get(PurePosixPath(file_name).suffix.lower())
    if form is None:
        of_file = "" if file_name is None else f" of the file, or a name that ends in {', '.join(_SUFFIXES)}"
        known = ", ".join(FORMS) if file_name is not None else ", ".join([*FORMS, MULTIPART])
        raise UnsupportedMediaType(
            f"Expected a Content-Type{of_file or ' of'} {known}; received {media_type!r}."
        )
    return form


def _broken(error: FormParserError) -> InvalidDocument:
    return InvalidDocument.at("", f"Expected {MULTIPART}; received a body that can't be read: {error}"[:300])
