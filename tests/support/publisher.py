"""A Publisher that keeps everything in a directory, so that tests can look at it."""

import json
from pathlib import Path

from segmenter.publication import Publication


class DirectoryPublisher:
    """Sources in `uploads/ID`, published files in `v/ID/`, what was said in `v/ID.json`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def source(self, asset_id: str) -> Path:
        return self.root / "uploads" / asset_id

    def store(self, asset_id: str, name: str, body, content_type: str) -> None:
        data = body.read_bytes() if isinstance(body, Path) else body
        self._write(asset_id, name, data)

    def publish(self, asset_id: str, publication: Publication) -> None:
        for resource in publication.resources:
            self._write(asset_id, resource.name, resource.body)
        state = "complete" if publication.complete else "playable"
        names = [rendition.name for rendition in publication.renditions]
        said = self.said(asset_id)
        history = [*said.get("history", []), names]
        self._say(
            asset_id, state=state, history=history, width=publication.width,
            height=publication.height, duration_s=publication.duration_s, poster=publication.poster,
        )  # fmt: skip

    def progress(self, asset_id: str, stage: str, fraction: float) -> None:
        self._write(asset_id, "progress.json", json.dumps([stage, fraction]).encode())

    def fail(self, asset_id: str, sentence: str) -> None:
        self._say(asset_id, state="failed", error=sentence)

    def is_cancelled(self, asset_id: str) -> bool:
        return (self.root / f"{asset_id}.cancel").exists()

    def cancelled(self, asset_id: str) -> None:
        self._say(asset_id, state="cancelled")

    def said(self, asset_id: str) -> dict:
        path = self.root / "v" / f"{asset_id}.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def folder(self, asset_id: str) -> Path:
        return self.root / "v" / asset_id

    def _say(self, asset_id: str, **values) -> None:
        path = self.root / "v" / f"{asset_id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(self.said(asset_id) | values))
        draft.replace(path)

    def _write(self, asset_id: str, name: str, body: bytes) -> None:
        folder = self.folder(asset_id)
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{name}.draft"
        draft.write_bytes(body)
        draft.replace(folder / name)
