"""Purges of all kinds in the log, and a place in it for everybody who is told of them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# Who has not acknowledged a purge is told from the first of these on.
_PLACES = """
    INSERT INTO purge_places (address, number)
    SELECT edge, COALESCE(
        (SELECT MIN(number) - 1 FROM purge_log WHERE requested >= since),
        (SELECT MAX(number) FROM purge_log),
        0
    )
    FROM (SELECT edge, MIN(requested) AS since FROM pending_purges GROUP BY edge) AS pending
"""


def upgrade() -> None:
    """Make tags one kind of value, and places of what edges had not acknowledged."""
    kept = {"sqlite_autoincrement": True}
    with op.batch_alter_table("purge_log", table_kwargs=kept) as table:
        table.alter_column(
            "tag",
            new_column_name="value",
            existing_type=sa.String(100),
            existing_nullable=False,
            type_=sa.Text,
        )
        table.add_column(sa.Column("kind", sa.String(8), nullable=False, server_default="tag"))
        table.add_column(sa.Column("soft", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "purge_places",
        sa.Column("address", sa.String(200), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.execute(_PLACES)
    op.drop_table("pending_purges")
