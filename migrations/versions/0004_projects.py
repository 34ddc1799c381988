"""Keys, and the project that each run, dataset and model belongs to; what is there belongs to `default`."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

OF_ALL_SO_FAR = "default"


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
    )

    _add_project("runs")
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_constraint("uq_runs_idempotency_key", type_="unique")
        batch_op.create_unique_constraint("uq_runs_project_idempotency_key", ["project", "idempotency_key"])
        batch_op.drop_index("ix_runs_name_id")
        batch_op.create_index("ix_runs_project_id", ["project", "id"], unique=False)
        batch_op.create_index("ix_runs_project_name_id", ["project", "name", "id"], unique=False)

    _add_project("datasets")
    with op.batch_alter_table("datasets", schema=None) as batch_op:
        batch_op.drop_constraint("uq_datasets_sha256_form", type_="unique")
        batch_op.create_unique_constraint("uq_datasets_project_sha256_form", ["project", "sha256", "form"])

    # Names become those of a project: the keys of these tables begin with it.
    with op.batch_alter_table("model_runs", schema=None) as batch_op:
        batch_op.drop_constraint("fk_model_runs_name_version_model_versions", type_="foreignkey")
    with op.batch_alter_table("model_versions", schema=None) as batch_op:
        batch_op.drop_constraint("fk_model_versions_name_models", type_="foreignkey")
    _add_project("models", ["name"])
    _add_project("model_versions", ["name", "version"])
    with op.batch_alter_table("model_versions", schema=None) as batch_op:
        batch_op.create_foreign_key(
            "fk_model_versions_project_name_models",
            "models",
            ["project", "name"],
            ["project", "name"],
            ondelete="CASCADE",
        )
    _add_project("model_runs", ["name", "version", "position"])
    with op.batch_alter_table("model_runs", schema=None) as batch_op:
        batch_op.create_foreign_key(
            "fk_model_runs_project_name_version_model_versions",
            "model_versions",
            ["project", "name", "version"],
            ["project", "name", "version"],
            ondelete="CASCADE",
        )


def _add_project(table: str, key: Sequence[str] = ()) -> None:
    """Adds the column; and puts it before those of the primary key, where they are named."""
    with op.batch_alter_table(table, schema=None) as batch_op:
        column = sa.Column("project", sa.String(length=64), nullable=False, server_default=OF_ALL_SO_FAR)
        batch_op.add_column(column)
    with op.batch_alter_table(table, schema=None) as batch_op:
        batch_op.alter_column("project", server_default=None)
        if key:
            batch_op.drop_constraint(f"pk_{table}", type_="primary")
            batch_op.create_primary_key(f"pk_{table}", ["project", *key])
