"""What can be done with named models: make a version, find, roll back, delete. Knows no HTTP."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.artifacts import read_signature
from app.database import utc_now
from app.errors import Conflict, NotFound
from app.models.documents import ModelDocument
from app.models.tables import ModelRow, ModelRunRow, ModelVersionRow
from app.predictions.scorers import check_same_tensors
from app.predictions.targets import EnsembleTarget, RunTarget
from app.runs.files import RunFiles
from app.runs.service import get_succeeded_run

Members = RunTarget | EnsembleTarget
"""What a version is made of."""


def members_of(document: ModelDocument) -> Members:
    """What a document asks a version to be made of."""
    if document.run_id is not None:
        return RunTarget(document.run_id)
    return EnsembleTarget(tuple(document.run_ids or ()), document.combine or "mean")


def members_in(version: ModelVersionRow) -> Members:
    """What a stored version is made of."""
    run_ids = tuple(run.run_id for run in version.runs)
    if version.combine is None:
        return RunTarget(run_ids[0])
    return EnsembleTarget(run_ids, "vote" if version.combine == "vote" else "mean")


def check_members(session: Session, files: RunFiles, members: Members) -> None:
    """Sees to it that the runs have models, and that those go together.

    Raises:
        InvalidDocument: one has other inputs or outputs than the first.
        NotFound: there is no such run.
        Conflict: a run didn't succeed, or hasn't yet.
    """
    run_ids = _run_ids(members)
    for run_id in run_ids:
        get_succeeded_run(session, run_id)
    if isinstance(members, EnsembleTarget):
        check_same_tensors([read_signature(files.artifacts(run_id)) for run_id in run_ids], "/run_ids")


def _run_ids(members: Members) -> tuple[str, ...]:
    return members.run_ids if isinstance(members, EnsembleTarget) else (members.run_id,)


def get_model(session: Session, name: str, *, to_change: bool = False) -> ModelRow:
    """The model of that name; `to_change` makes those who also want to change it wait.

    Raises:
        NotFound: there is none.
    """
    model = _find_model(session, name, to_change)
    if model is None:
        raise NotFound(f"There is no model {name!r}.")
    return model


def _find_model(session: Session, name: str, to_change: bool) -> ModelRow | None:
    found = select(ModelRow).where(ModelRow.name == name)
    return session.scalars(found.with_for_update() if to_change else found).first()


def get_version(session: Session, name: str, version: int | None = None) -> ModelVersionRow:
    """A version of a model; by default the current one.

    Raises:
        NotFound: there is no such model, or no such version of it.
    """
    model = get_model(session, name)
    number = model.current_version if version is None else version
    this = (ModelVersionRow.name == name) & (ModelVersionRow.version == number)
    found = session.scalars(select(ModelVersionRow).where(this)).first()
    if found is None:
        raise NotFound(f"There is no version {version} of the model {name!r}.")
    return found


def put_version(session: Session, name: str, members: Members) -> bool:
    """Makes the next version, and makes it the current one, unless the current one is the same already.

    Returns:
        Whether the name is new.

    Raises:
        Conflict: another request made the name, or deleted a run, at the same moment.
    """
    model = _find_model(session, name, to_change=True)
    if model is not None and members_in(get_version(session, name)) == members:
        return False
    try:
        with session.begin_nested():
            _add_version(session, model, name, members)
    except IntegrityError as error:
        message = f"Another request changed {name!r} or its runs in the same moment; send this one again."
        raise Conflict(message) from error
    return model is None


def _add_version(session: Session, model: ModelRow | None, name: str, members: Members) -> None:
    now = utc_now()
    if model is None:
        model = ModelRow(name=name, created_at=now, last_version=0)
        session.add(model)
    number = model.last_version + 1
    model.last_version = model.current_version = number
    model.updated_at = now
    session.flush()
    combine = members.combine if isinstance(members, EnsembleTarget) else None
    session.add(ModelVersionRow(name=name, version=number, combine=combine, created_at=now))
    session.flush()
    session.add_all(
        ModelRunRow(name=name, version=number, position=position, run_id=run_id)
        for position, run_id in enumerate(_run_ids(members))
    )
    session.flush()


def list_models(
    session: Session, limit: int | None, after: str | None
) -> tuple[list[tuple[ModelRow, ModelVersionRow]], bool]:
    """Models with their current versions, by name, and whether there are more.

    Args:
        session: a transaction.
        limit: at most as many; None for all.
        after: name of the last model of the page before.
    """
    query = (
        select(ModelRow, ModelVersionRow)
        .join(
            ModelVersionRow,
            (ModelVersionRow.project == ModelRow.project)
            & (ModelVersionRow.name == ModelRow.name)
            & (ModelVersionRow.version == ModelRow.current_version),
        )
        .order_by(ModelRow.name)
    )
    if limit is not None:
        query = query.limit(limit + 1)
    if after is not None:
        query = query.where(ModelRow.name > after)
    models = [(model, version) for model, version in session.execute(query)]
    return models[:limit], limit is not None and len(models) > limit


def list_versions(session: Session, name: str) -> Sequence[ModelVersionRow]:
    """All versions of a model, the newest first."""
    versions = select(ModelVersionRow).where(ModelVersionRow.name == name)
    return session.scalars(versions.order_by(ModelVersionRow.version.desc())).all()


def roll_back(session: Session, name: str, version: int) -> None:
    """Makes a version current, an earlier or a later one.

    Raises:
        NotFound: there is no such model, or no such version of it.
    """
    model = get_model(session, name, to_change=True)
    get_version(session, name, version)
    if model.current_version != version:
        model.current_version = version
        model.updated_at = utc_now()


def delete_model(session: Session, name: str) -> None:
    """Removes a name with all its versions; the runs stay.

    Raises:
        NotFound: there is none.
    """
    session.delete(get_model(session, name, to_change=True))


def delete_version(session: Session, name: str, version: int) -> None:
    """Removes a version; its number is not given again.

    Raises:
        NotFound: there is no such model, or no such version of it.
        Conflict: it's the current one.
    """
    model = get_model(session, name, to_change=True)
    get_version(session, name, version)
    if model.current_version == version:
        raise Conflict(
            f"Expected a version that is not current; {version} is the current one of {name!r}. "
            "Make another current first, or delete the model."
        )
    this = (ModelVersionRow.name == name) & (ModelVersionRow.version == version)
    session.execute(delete(ModelVersionRow).where(this))
