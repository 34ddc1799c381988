"""Digests of datasets that say by which function they are."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("datasets", schema=None) as batch_op:
        batch_op.drop_constraint("uq_datasets_project_sha256_form", type_="unique")
        batch_op.alter_column(
            "sha256", new_column_name="digest", existing_type=sa.String(length=64), type_=sa.String(length=80)
        )
    with op.batch_alter_table("datasets", schema=None) as batch_op:
        batch_op.create_unique_constraint("uq_datasets_project_digest_form", ["project", "digest", "form"])
    op.execute("UPDATE datasets SET digest = 'sha256:' || digest")
