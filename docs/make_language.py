"""Writes docs/language.md: the reference of the run document, from the classes of `app.spec`.

    .venv/bin/python docs/make_language.py

The classes' docstrings, types and defaults make the reference; the words around it are here, the examples
in `language_examples.py`. Tests compare the file with what this would write, and train each example.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from app.spec.run import RunSpec
from language_examples import EXAMPLES, OBJECTS

sys.path.append(str(Path(__file__).resolve().parents[1] / "examples"))

from render import render as render_json

TARGET = Path(__file__).resolve().parent / "language.md"

Schema = Mapping[str, Any]

INTRODUCTION = """# The run document

One JSON document describes a run: which data, which model, which loss, how it is trained, what is counted in
the end. Names and defaults are Keras's wherever Keras has a word for a thing. A field that isn't known is an
error which names the nearest one that is.

What is minimised is `loss + Σ weightᵢ · penaltyᵢ + Σ regularizers`; where there are several parts, each is
recorded each epoch under a name of its own.

Where an object is told by its `type` and its other fields all have defaults, the `type` alone will do:
`"mean_squared_error"` is `{"type": "mean_squared_error"}`. The examples leave out `dataset` and, where it
doesn't matter, the model and the loss.

This file is written by `docs/make_language.py` from the classes in `app/spec`.
"""

# A title, the words below it, and where in the schema its objects are found.
SECTIONS: list[tuple[str, str, list[str]]] = [
    ("The document", "", [""]),
    ("Data", "Arrays are nested lists of numbers, rectangular and finite.", ["/dataset"]),
    ("Split", "", ["/split"]),
    ("Augmentation", "Each is an object, or a name for its defaults.", ["/augmentation"]),
    ("Model", "", ["/model"]),
    (
        "Layers",
        "Fields that aren't explained are Keras's own. Layers without a `name` are named as Keras names "
        "them in a fresh process: `dense`, `activation`, `dense_1`.",
        ["ModelSpec/layers"],
    ),
    ("Activations", "", []),
    ("Initializers", "A name, or an object with arguments.", ["Dense/kernel_initializer"]),
    (
        "Regularizers",
        "`l2` is `l2·Σw²`, without ½. A name alone has Keras's strength, 0.01.",
        ["Dense/kernel_regularizer", "Dense/activity_regularizer"],
    ),
    ("Weight constraints", "Projections of the weights after each step.", ["Dense/kernel_constraint"]),
    (
        "Losses",
        "ŷ is a prediction, y the truth. A loss is a name, an object, a sum, or one of these by output.",
        ["/loss"],
    ),
    (
        "Penalties",
        "ŷ is an element of what is measured, τ the threshold. A penalty is of the model's output, or `of` "
        "another output, of a layer's activations by the layer's name, or of weights.",
        ["/penalties"],
    ),
    (
        "Thresholds",
        "A number, a list with one for each element, or one of these.",
        ["ElementsAbovePenalty/threshold"],
    ),
    (
        "Constraints",
        "Declared limits, which training holds by itself: no weight has to be found. A quantity is counted "
        "truly on all training samples; gradients flow through what stands for it. With `guarantee` every "
        "served prediction is projected onto the limit. [constraints.md](constraints.md) says how.",
        ["/constraints"],
    ),
    ("Optimizers", "A name, or an object with arguments.", ["/optimizer"]),
    ("Metrics", "A name, or an object; by output where there are several.", ["/metrics"]),
    ("Fit", "", ["/fit"]),
    ("Learning rate schedules", "", ["Fit/learning_rate_schedule"]),
    ("Statistics", "", ["/statistics"]),
]

FAMILIES = {
    "core": "Core layers",
    "activation": "Activation layers",
    "convolutional": "Convolutional layers",
    "pooling": "Pooling layers",
    "recurrent": "Recurrent layers",
    "attention": "Attention layers",
    "normalization": "Normalization layers",
    "regularization": "Regularization layers",
    "reshaping": "Reshaping layers",
    "merging": "Merging layers",
    "wrapping": "Wrappers",
    "hard": "Hard layers",
}

# Chapters whose objects stand for one another.
SINGULAR = {
    "Augmentation": "augmentation",
    "Layers": "layer",
    "Initializers": "initializer",
    "Regularizers": "regularizer",
    "Weight constraints": "weight constraint",
    "Losses": "loss",
    "Penalties": "penalty",
    "Thresholds": "threshold",
    "Optimizers": "optimizer",
    "Metrics": "metric",
    "Learning rate schedules": "schedule",
}


class Reference:
    """Renders the objects of the run document's JSON Schema.

    Args:
        schema: what pydantic makes of `RunSpec`.
    """

    def __init__(self, schema: Schema) -> None:
        given: dict[str, Schema] = schema["$defs"]
        aliases = {name: named for name, named in given.items() if "properties" not in named}
        objects = {**given, "RunSpec": {key: part for key, part in schema.items() if key != "$defs"}}
        self.definitions: dict[str, Schema] = {
            name: expanded(definition, aliases) for name, definition in objects.items() if name not in aliases
        }
        self.activations = enumeration(self.definitions["Dense"]["properties"]["activation"])
        self.rendered: set[str] = set()
        self.chapters = {title: set(self.members(places)) for title, _, places in SECTIONS}
        self.placed = set[str]().union(*self.chapters.values())

    def members(self, places: Iterable[str]) -> list[str]:
        """The names of the objects that stand at the places of the schema, each once."""
        found: dict[str, None] = {}
        for place in places:
            owner, _, field = place.partition("/")
            if not field:
                found["RunSpec"] = None
                continue
            for name in references(self.definitions[owner or "RunSpec"]["properties"][field]):
                found[name] = None
        return list(found)

    def section(self, title: str, words: str, places: Iterable[str]) -> str:
        """A chapter: words, examples, objects."""
        parts = [f"## {title}", words, *examples_of(title)]
        names = self.members(places)
        if title == "Activations":
            parts.append(", ".join(f"`{name}`" for name in self.activations) + ".")
        elif title == "Layers":
            shared = self.shared(names)
            parts.append(self.shared_fields(shared))
            for module, family in FAMILIES.items():
                parts += [f"### {family}", *examples_of(family)]
                parts += [self.render(name, shared) for name in names if module_of(name) == module]
        else:
            shared = self.shared(names)
            parts.append(self.shared_fields(shared))
            parts += [self.render(name, shared) for name in names]
        return "\n\n".join(part for part in parts if part)

    def shared(self, names: list[str]) -> dict[str, Schema]:
        """The fields that most of the objects have alike."""
        if len(names) < 4:
            return {}
        counts: dict[str, list[Schema]] = {}
        for name in names:
            for field, schema in self.definitions[name]["properties"].items():
                counts.setdefault(field, []).append(schema)
        common = {
            field: max(schemas, key=schemas.count) for field, schemas in counts.items() if field != "type"
        }
        return {
            field: schema
            for field, schema in common.items()
            if 3 * counts[field].count(schema) > 2 * len(names)
        }

    def shared_fields(self, shared: Mapping[str, Schema]) -> str:
        """The list of what most have."""
        lines = [self.field(field, schema, required=False) for field, schema in shared.items()]
        return "Unless it says otherwise, each of them has\n\n" + "\n".join(lines) if lines else ""

    def render(self, name: str, shared: Mapping[str, Schema]) -> str:
        """An object: its types, its docstring, its own fields; then what stands in no chapter of its own."""
        if name in self.rendered:
            return ""
        self.rendered.add(name)
        definition = self.definitions[name]
        required = definition.get("required", [])
        fields = definition["properties"]
        lines = [
            self.field(field, schema, field in required)
            for field, schema in fields.items()
            if shared.get(field) != schema and field != "type"
        ]
        lacking = ", ".join(f"`{field}`" for field in shared if field not in fields)
        lines += [f"- without {lacking}"] if lacking else []
        heading = " · ".join(f"`{word}`" for word in types_of(definition)) or definition["title"]
        example = f"For example `{json.dumps(OBJECTS[name])}`." if name in OBJECTS else ""
        parts = [part for field in fields.values() for part in references(field)]
        text = [
            f'#### <a id="{name}"></a>{heading}',
            definition.get("description", ""),
            "\n".join(lines),
            example,
            *(self.render(part, {}) for part in parts if part not in self.placed),
        ]
        return "\n\n".join(part for part in text if part)

    def field(self, name: str, schema: Schema, required: bool) -> str:
        """A line about a field."""
        kind = self.kind(schema)
        default = schema.get("default")
        if required:
            kind += ", required"
        elif default is not None and not isinstance(default, dict) and default != []:
            kind += f", default `{json.dumps(default, ensure_ascii=False)}`"
        description = " ".join(schema.get("description", "").split())
        return f"- `{name}` ({kind})" + (f": {description}" if description else "")

    def kind(self, schema: Schema) -> str:
        """What a field may hold, in words."""
        if "$ref" in schema:
            name = reference(schema)
            return (
                f"[{next(iter(types_of(self.definitions[name])), self.definitions[name]['title'])}](#{name})"
            )
        if "const" in schema:
            return f"`{json.dumps(schema['const'])}`"
        if "enum" in schema:
            if schema["enum"] == self.activations:
                return "[activation](#activations)"
            return ", ".join(f"`{value}`" for value in schema["enum"])
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return self.choice(schema[word])
        kind = schema.get("type")
        if kind == "array":
            return self.array(schema)
        if kind == "object":
            values = schema.get("additionalProperties")
            return f"object of {self.kind(values)} by name" if isinstance(values, dict) else "object"
        return PLAIN[kind](schema) if kind in PLAIN else "any"

    def choice(self, options: list[Schema]) -> str:
        """Several kinds, those of a chapter by the chapter's name."""
        names = {name for option in options for name in references(option, lists=False)}
        group = next((title for title in SINGULAR if len(names) > 1 and names <= self.chapters[title]), None)
        kinds = [f"[{SINGULAR[group]}](#{anchor(group)})"] if group else []
        for option in options:
            words = self.kind(option)
            is_member = group and references(option, lists=False)
            is_name = group and option.get("type") == "string"
            if option.get("type") != "null" and not is_member and not is_name and words not in kinds:
                kinds.append(words)
        return " or ".join(kinds)

    def array(self, schema: Schema) -> str:
        """A list, of how many of what."""
        items = schema.get("items")
        if not items:
            return "nested lists of numbers"
        length = schema.get("minItems")
        count = f"{length} " if length and length == schema.get("maxItems") else ""
        return f"list of {count}{self.kind(items)}"


def expanded(schema: Any, aliases: Mapping[str, Schema]) -> Any:
    """The schema with the types that it only names put in their places."""
    if isinstance(schema, list):
        return [expanded(part, aliases) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: expanded(part, aliases) for key, part in schema.items()}
    alias = aliases.get(reference(schema)) if isinstance(schema.get("$ref"), str) else None
    if alias is None:
        return schema
    others = {key: part for key, part in schema.items() if key != "$ref"}
    return {**expanded(alias, aliases), **others}


def enumeration(schema: Schema) -> list[str]:
    """The values that a field may have, of a field that may also be null."""
    return next(list(option["enum"]) for option in schema.get("anyOf", [schema]) if "enum" in option)


def references(schema: Schema, lists: bool = True) -> list[str]:
    """The names of the objects that a field may hold, in lists and by name as well unless said otherwise."""
    if "$ref" in schema:
        return [reference(schema)]
    parts = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
    if lists:
        parts += [
            schema[word] for word in ("items", "additionalProperties") if isinstance(schema.get(word), dict)
        ]
    return [name for part in parts for name in references(part, lists)]


def reference(schema: Schema) -> str:
    """The name of the object that `$ref` leads to."""
    return str(schema["$ref"]).rpartition("/")[2]


def types_of(definition: Schema) -> list[str]:
    """The words that `type` takes for an object."""
    field = definition["properties"].get("type", {})
    return [field["const"]] if "const" in field else list(field.get("enum", []))


def whole_number(schema: Schema) -> str:
    """An integer with its bounds; those that only keep it in 32 bits say nothing."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None and high < 10_000:
        return f"whole number, {low} to {high}"
    return "whole number" + (f" ≥ {low}" if low is not None else "")


def number(schema: Schema) -> str:
    """A number with its bounds."""
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    shown = [f"{sign} {schema[word]:g}" for word, sign in bounds.items() if word in schema]
    return " ".join(["number", " and ".join(shown)]).strip()


PLAIN: dict[str, Callable[[Schema], str]] = {
    "integer": whole_number,
    "number": number,
    "string": lambda schema: "text",
    "boolean": lambda schema: "true or false",
    "null": lambda schema: "null",
}


def module_of(name: str) -> str:
    """The module of `app.spec.layers` that defines a layer."""
    if "__" in name:
        return name.split("__")[-2]
    modules = (import_module(f"app.spec.layers.{module}") for module in FAMILIES)
    return next(
        m.__name__.rpartition(".")[2]
        for m in modules
        if getattr(vars(m).get(name), "__module__", "") == m.__name__
    )


def anchor(title: str) -> str:
    """The link to a heading."""
    return title.lower().replace(" ", "-")


def examples_of(title: str) -> list[str]:
    """The examples of a chapter."""
    return [
        f"{example.caption}\n\n```json\n{render_json(example.shown)}```".strip()
        for example in EXAMPLES
        if example.chapter == title
    ]


def render() -> str:
    """The text of docs/language.md."""
    reference = Reference(RunSpec.model_json_schema())
    chapters = [reference.section(title, words, places) for title, words, places in SECTIONS]
    contents = "\n".join(f"- [{title}](#{anchor(title)})" for title, _, _ in SECTIONS)
    return "\n\n".join([INTRODUCTION.strip(), contents, *chapters]) + "\n"


if __name__ == "__main__":
    TARGET.write_text(render())
