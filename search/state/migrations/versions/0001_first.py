"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "lathe_architecture",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("json", sa.Text(), nullable=False),
        sa.Column("params", sa.BigInteger(), nullable=False),
        sa.Column("macs", sa.BigInteger(), nullable=False),
        sa.Column("peak_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lathe_architecture")),
    )
    op.create_table(
        "lathe_device",
        sa.Column("id", BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lathe_device")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_lathe_device_fingerprint")),
    )
    op.create_table(
        "lathe_meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_lathe_meta")),
    )
    op.create_table(
        "lathe_study",
        sa.Column("id", BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("config_hash", sa.Text(), nullable=False),
        sa.Column("data_hash", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('running', 'paused', 'done', 'failed')", name=op.f("ck_lathe_study_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lathe_study")),
        sa.UniqueConstraint("name", name=op.f("uq_lathe_study_name")),
    )
    op.create_table(
        "lathe_artifact",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("study_id", BIG, nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("maker", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("size_bytes >= 0", name=op.f("ck_lathe_artifact_size_bytes")),
        sa.ForeignKeyConstraint(
            ["study_id"], ["lathe_study.id"], name=op.f("fk_lathe_artifact_study_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_lathe_artifact")),
    )
    op.create_index(op.f("ix_lathe_artifact_study_id"), "lathe_artifact", ["study_id"], unique=False)
    op.create_table(
        "lathe_event",
        sa.Column("id", BIG, nullable=False),
        sa.Column("study_id", BIG, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.CheckConstraint("level IN ('info', 'warning', 'error')", name=op.f("ck_lathe_event_level")),
        sa.ForeignKeyConstraint(
            ["study_id"], ["lathe_study.id"], name=op.f("fk_lathe_event_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lathe_event")),
    )
    op.create_index(op.f("ix_lathe_event_study_id_id"), "lathe_event", ["study_id", "id"], unique=False)
    op.create_table(
        "lathe_trial",
        sa.Column("id", BIG, nullable=False),
        sa.Column("study_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("architecture_id", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("system_attrs", sa.Text(), nullable=False),
        sa.Column("values", sa.Text(), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('done', 'failed')", name=op.f("ck_lathe_trial_state")),
        sa.CheckConstraint("number >= 0", name=op.f("ck_lathe_trial_number")),
        sa.ForeignKeyConstraint(
            ["architecture_id"], ["lathe_architecture.id"], name=op.f("fk_lathe_trial_architecture_id")
        ),
        sa.ForeignKeyConstraint(
            ["study_id"], ["lathe_study.id"], name=op.f("fk_lathe_trial_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lathe_trial")),
        sa.UniqueConstraint("study_id", "architecture_id", name=op.f("uq_lathe_trial_study_id_architecture_id")),
        sa.UniqueConstraint("study_id", "number", name=op.f("uq_lathe_trial_study_id_number")),
    )
    op.create_index(op.f("ix_lathe_trial_architecture_id"), "lathe_trial", ["architecture_id"], unique=False)
    op.create_table(
        "lathe_artifact_parent",
        sa.Column("child", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["child"],
            ["lathe_artifact.sha256"],
            name=op.f("fk_lathe_artifact_parent_child"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["parent"], ["lathe_artifact.sha256"], name=op.f("fk_lathe_artifact_parent_parent")),
        sa.PrimaryKeyConstraint("child", "parent", name=op.f("pk_lathe_artifact_parent")),
    )
    op.create_index(op.f("ix_lathe_artifact_parent_parent"), "lathe_artifact_parent", ["parent"], unique=False)
    op.create_table(
        "lathe_checkpoint",
        sa.Column("study_id", BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["sha256"], ["lathe_artifact.sha256"], name=op.f("fk_lathe_checkpoint_sha256")),
        sa.ForeignKeyConstraint(
            ["study_id"], ["lathe_study.id"], name=op.f("fk_lathe_checkpoint_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("study_id", "name", name=op.f("pk_lathe_checkpoint")),
    )
    op.create_index(op.f("ix_lathe_checkpoint_sha256"), "lathe_checkpoint", ["sha256"], unique=False)
    op.create_table(
        "lathe_variant",
        sa.Column("id", BIG, nullable=False),
        sa.Column("study_id", BIG, nullable=False),
        sa.Column("architecture_id", sa.Text(), nullable=False),
        sa.Column("trial_id", BIG, nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("precision", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("is_shipped", sa.Boolean(), nullable=False),
        sa.Column("weights", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('winner', 'baseline', 'teacher')", name=op.f("ck_lathe_variant_role")),
        sa.CheckConstraint("verdict IN ('start', 'accepted', 'rejected')", name=op.f("ck_lathe_variant_verdict")),
        sa.ForeignKeyConstraint(
            ["architecture_id"], ["lathe_architecture.id"], name=op.f("fk_lathe_variant_architecture_id")
        ),
        sa.ForeignKeyConstraint(["model"], ["lathe_artifact.sha256"], name=op.f("fk_lathe_variant_model")),
        sa.ForeignKeyConstraint(
            ["study_id"], ["lathe_study.id"], name=op.f("fk_lathe_variant_study_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["lathe_trial.id"], name=op.f("fk_lathe_variant_trial_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["weights"], ["lathe_artifact.sha256"], name=op.f("fk_lathe_variant_weights")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lathe_variant")),
        sa.UniqueConstraint("study_id", "key", name=op.f("uq_lathe_variant_study_id_key")),
    )
    op.create_index(op.f("ix_lathe_variant_architecture_id"), "lathe_variant", ["architecture_id"], unique=False)
    op.create_index(op.f("ix_lathe_variant_model"), "lathe_variant", ["model"], unique=False)
    op.create_index(op.f("ix_lathe_variant_trial_id"), "lathe_variant", ["trial_id"], unique=False)
    op.create_index(op.f("ix_lathe_variant_weights"), "lathe_variant", ["weights"], unique=False)
    op.create_table(
        "lathe_evaluation",
        sa.Column("id", BIG, nullable=False),
        sa.Column("study_id", BIG, nullable=False),
        sa.Column("architecture_id", sa.Text(), nullable=False),
        sa.Column("trial_id", BIG, nullable=True),
        sa.Column("variant_id", BIG, nullable=True),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("fidelity", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("fidelity IN ('supernet', 'alone', 'exported')", name=op.f("ck_lathe_evaluation_fidelity")),
        sa.CheckConstraint("split IN ('train', 'validation', 'test')", name=op.f("ck_lathe_evaluation_split")),
        sa.CheckConstraint("low <= value AND value <= high", name=op.f("ck_lathe_evaluation_interval")),
        sa.ForeignKeyConstraint(
            ["architecture_id"], ["lathe_architecture.id"], name=op.f("fk_lathe_evaluation_architecture_id")
        ),
        sa.ForeignKeyConstraint(
            ["study_id"], ["lathe_study.id"], name=op.f("fk_lathe_evaluation_study_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["lathe_trial.id"], name=op.f("fk_lathe_evaluation_trial_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["variant_id"],
            ["lathe_variant.id"],
            name=op.f("fk_lathe_evaluation_variant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lathe_evaluation")),
        sa.UniqueConstraint("key", name=op.f("uq_lathe_evaluation_key")),
    )
    op.create_index(op.f("ix_lathe_evaluation_architecture_id"), "lathe_evaluation", ["architecture_id"], unique=False)
    op.create_index(
        op.f("ix_lathe_evaluation_study_id_metric"), "lathe_evaluation", ["study_id", "metric"], unique=False
    )
    op.create_index(op.f("ix_lathe_evaluation_trial_id"), "lathe_evaluation", ["trial_id"], unique=False)
    op.create_index(op.f("ix_lathe_evaluation_variant_id"), "lathe_evaluation", ["variant_id"], unique=False)
    op.create_table(
        "lathe_measurement",
        sa.Column("id", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("study_id", BIG, nullable=True),
        sa.Column("architecture_id", sa.Text(), nullable=True),
        sa.Column("variant_id", BIG, nullable=True),
        sa.Column("artifact", sa.Text(), nullable=True),
        sa.Column("device_id", BIG, nullable=True),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("repeats", sa.BigInteger(), nullable=False),
        sa.Column("samples", sa.LargeBinary(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('measured', 'predicted', 'simulated', 'exact')", name=op.f("ck_lathe_measurement_kind")
        ),
        sa.CheckConstraint("low <= value AND value <= high", name=op.f("ck_lathe_measurement_interval")),
        sa.ForeignKeyConstraint(
            ["architecture_id"], ["lathe_architecture.id"], name=op.f("fk_lathe_measurement_architecture_id")
        ),
        sa.ForeignKeyConstraint(["device_id"], ["lathe_device.id"], name=op.f("fk_lathe_measurement_device_id")),
        sa.ForeignKeyConstraint(
            ["study_id"], ["lathe_study.id"], name=op.f("fk_lathe_measurement_study_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["variant_id"],
            ["lathe_variant.id"],
            name=op.f("fk_lathe_measurement_variant_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lathe_measurement")),
        sa.UniqueConstraint("key", name=op.f("uq_lathe_measurement_key")),
    )
    op.create_index(
        op.f("ix_lathe_measurement_architecture_id"), "lathe_measurement", ["architecture_id"], unique=False
    )
    op.create_index(
        op.f("ix_lathe_measurement_artifact_device_id_metric"),
        "lathe_measurement",
        ["artifact", "device_id", "metric"],
        unique=False,
    )
    op.create_index(op.f("ix_lathe_measurement_study_id"), "lathe_measurement", ["study_id"], unique=False)
    op.create_index(op.f("ix_lathe_measurement_variant_id"), "lathe_measurement", ["variant_id"], unique=False)
    op.create_table(
        "lathe_variant_edge",
        sa.Column("child_id", BIG, nullable=False),
        sa.Column("parent_id", BIG, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.CheckConstraint("role IN ('base', 'teacher')", name=op.f("ck_lathe_variant_edge_role")),
        sa.CheckConstraint("child_id > parent_id", name=op.f("ck_lathe_variant_edge_order")),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["lathe_variant.id"],
            name=op.f("fk_lathe_variant_edge_child_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"],
            ["lathe_variant.id"],
            name=op.f("fk_lathe_variant_edge_parent_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("child_id", "parent_id", "role", name=op.f("pk_lathe_variant_edge")),
    )
    op.create_index(op.f("ix_lathe_variant_edge_parent_id"), "lathe_variant_edge", ["parent_id"], unique=False)
