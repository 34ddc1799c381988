"""What a run may ask for, by the settings."""

from app.errors import FieldProblem, InvalidDocument
from app.settings import Settings
from app.spec.run import RunSpec


def check_limits(spec: RunSpec, parameters: int, settings: Settings) -> None:
    """Refuses a run document that asks for more than the settings allow.

    Args:
        spec: a checked document.
        parameters: weights of its model.
        settings: of the service.

    Raises:
        InvalidDocument: it does.
    """
    asked = (
        ("/model", "weights", parameters, settings.max_parameters),
        ("/fit/epochs", "epochs", spec.fit.epochs, settings.max_epochs),
        ("/fit/time_limit_seconds", "seconds", spec.fit.time_limit_seconds or 0, settings.max_run_seconds),
    )
    problems = [
        FieldProblem(pointer, f"Expected at most {most:g} {unit}, as the service is set; received {value:g}.")
        for pointer, unit, value, most in asked
        if value > most
    ]
    if problems:
        raise InvalidDocument(problems)


def with_time_limit(spec: RunSpec, settings: Settings) -> RunSpec:
    """The document with the longest time that the service allows, where it names no shorter one."""
    seconds = min(spec.fit.time_limit_seconds or settings.max_run_seconds, settings.max_run_seconds)
    return spec.model_copy(update={"fit": spec.fit.model_copy(update={"time_limit_seconds": seconds})})
