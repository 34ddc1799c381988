"""What a validator of the run document raises, where pydantic's own checks don't suffice."""

from pydantic_core import PydanticCustomError


def mistake(message: str, *path: str | int) -> PydanticCustomError:
    """The error for a wrong value, to be raised in a pydantic validator.

    Args:
        message: "Expected …; received …".
        path: segments from the validated value to the part of it that is wrong; none where it is the value
            itself. `app.spec.parsing` makes the whole JSON Pointer of it.
    """
    # The message travels in the context, because pydantic fills in "{…}" in templates.
    return PydanticCustomError("mistake", "{message}", {"message": message, "path": list(path)})
