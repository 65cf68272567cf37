"""A quality may be that of a short training."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("lathe_evaluation") as table:
        table.drop_constraint(op.f("ck_lathe_evaluation_fidelity"), type_="check")
        table.create_check_constraint(
            op.f("ck_lathe_evaluation_fidelity"), "fidelity IN ('supernet', 'short', 'alone', 'exported')"
        )
