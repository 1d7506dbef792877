"""A log of purges, for edges that keep responses on disk."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the log, and name it."""
    op.create_table(
        "purge_log",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("tag", sa.String(100), nullable=False),
        sa.Column("requested", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("purge_log_by_age", "purge_log", ["requested"])
    name = op.create_table("purge_log_name", sa.Column("name", sa.String(16), primary_key=True))
    op.bulk_insert(name, [{"name": secrets.token_hex(8)}])
