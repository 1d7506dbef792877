"""The first catalog."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table of the first version."""
    op.create_table(
        "assets",
        sa.Column("asset_id", sa.String(16), primary_key=True),
        sa.Column("region", sa.String(32), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("stage", sa.String(64), nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("duration_s", sa.Double),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("poster", sa.String(200)),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("uploaded", sa.Double),
        sa.Column("first_playable", sa.Double),
        sa.Column("complete", sa.Double),
    )
    op.create_index("assets_by_feed", "assets", ["region", "first_playable", "asset_id"])
    op.create_table(
        "renditions",
        sa.Column("asset_id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("bandwidth", sa.BigInteger, nullable=False),
        sa.Column("average_bandwidth", sa.BigInteger, nullable=False),
        sa.Column("codecs", sa.String(200), nullable=False),
    )
    op.create_table(
        "resources",
        sa.Column("asset_id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("object_key", sa.String(300), nullable=False),
        sa.Column("content_type", sa.String(100), nullable=False),
        sa.Column("etag", sa.String(64), nullable=False),
        sa.Column("last_modified", sa.Double, nullable=False),
        sa.Column("may_grow", sa.Boolean, nullable=False),
        sa.Column("encodings", sa.String(32), nullable=False),
    )
    op.create_table(
        "uploads",
        sa.Column("asset_id", sa.String(16), primary_key=True),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("boot_id", sa.String(64), nullable=False),
        sa.Column("upload_metadata", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("touched", sa.Double, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        sa.Column("completed", sa.Double),
        sa.Column("submitted", sa.Double),
    )
    op.create_index("uploads_by_client", "uploads", ["client", "touched"])
    op.create_index("uploads_by_expiry", "uploads", ["expires"])
    op.create_index("uploads_to_submit", "uploads", ["submitted", "completed"])
    op.create_table(
        "feed_changes",
        sa.Column("region", sa.String(32), primary_key=True),
        sa.Column("changed", sa.Double, nullable=False),
    )
    op.create_table(
        "pending_purges",
        sa.Column("edge", sa.String(200), primary_key=True),
        sa.Column("tag", sa.String(100), primary_key=True),
        sa.Column("sequence", sa.String(32), nullable=False),
        sa.Column("requested", sa.Double, nullable=False),
    )
