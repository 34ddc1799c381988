"""Which spec class a place in a document belongs to, read from the annotations of the classes.

Pydantic's errors don't carry the class in which a field was unknown; this finds it, so that the message can
name the fields that are known there.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import TypeAliasType


def known_fields(spec: type[BaseModel], steps: Sequence[tuple[str | int, bool]]) -> list[str]:
    """The names of the fields at a place of a `spec` document.

    Args:
        spec: the class of the whole document.
        steps: the place; pairs of a segment and whether it's a key of the document (otherwise it's the name
            that pydantic gave a member of a union).
    """
    places: list[Any] = [spec]
    for segment, is_key in steps:
        members = [member for place in places for member in _members(place)]
        if is_key:
            places = [inner for member in members for inner in _inside(member, segment)]
        else:
            places = [member for member in members if _is_called(member, str(segment))] or members
    classes = [member for place in places for member in _members(place) if _is_spec(member)]
    return list(dict.fromkeys(name for found in classes for name in _field_names(found)))


def _is_spec(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _field_names(spec: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in spec.model_fields.items()]


def _members(annotation: Any) -> list[Any]:
    """The members of a union, through `Annotated` and named aliases; what is no union is its own only one."""
    if isinstance(annotation, TypeAliasType):
        return _members(annotation.__value__)
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if isinstance(annotation, type) or origin in (list, tuple, dict, Literal):
        return [annotation]
    if get_args(annotation):
        return [member for argument in get_args(annotation) for member in _members(argument)]
    return [annotation]


def _inside(annotation: Any, segment: str | int) -> list[Any]:
    """What a member holds under a key or an index."""
    if _is_spec(annotation):
        fields = annotation.model_fields
        return [field.annotation for name, field in fields.items() if segment in (name, field.alias)]
    arguments = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    if get_origin(annotation) is dict:
        return arguments[1:]
    return arguments if get_origin(annotation) in (list, tuple) else []


def _is_called(annotation: Any, label: str) -> bool:
    """Whether pydantic names this member of a union `label`: by its class, or by the value of its `type`."""
    if not _is_spec(annotation):
        return False
    kind = annotation.model_fields.get("type")
    return annotation.__name__ == label or (kind is not None and label in get_args(kind.annotation))
