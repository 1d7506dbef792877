"""What a node learns from samples of its requests: what is watched, where, and how it plays."""

from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from cache_policies.key import normalise
from cache_policies.message import Fields, field_lines
from edge.clients import client_name
from edge.cmcd import Report, read_request
from edge.devices import device_of
from edge.hours import HOUR_S, Hours
from edge.networks import Heeded, Networks, Viewing
from edge.playlists import is_playlist
from edge.popularity import Popularity, PopularityPolicy
from edge.quality import MEDIA, Heard, Quality, Tally
from edge.retention import Retention
from edge.stories import story_of
from edge.warm_lists import WARM_MAX
from edge.whereabouts import Whereabouts

NAMES_MAX: Final = 1024  # that a worker counts until it is asked for them
OBJECT_BYTES_MAX: Final = 256  # longer keys are not counted
HOURS: Final = 24  # that are told
AT_ONCE: Final = 64  # names that are added in one go, in a millisecond
# Most of what is asked for is asked for once. Where counts of that push out what comes again, a
# restarted edge is filled with the wrong things: so many are counted that all of an hour fits.
OBJECTS: Final = PopularityPolicy(names_max=2048, everywhere_max=4 * WARM_MAX, regions_max=8)
KEPT_MAX: Final = 256  # stories of each region that outlast a restart


class Sample(NamedTuple):
    """One request, which stands for `weight` of them."""

    target: bytes
    prefix: bytes  # of its cache key
    fields: Fields
    address: bytes  # whose connection it came by
    weight: float


class Gatherer:
    """Adds samples up, in one worker, until they are taken."""

    def __init__(self, whereabouts: Whereabouts) -> None:
        self._whereabouts = whereabouts
        self.listeners: list[Callable[[str, Sample, Report], None]] = []  # hear of objects' keys
        self._salt = b""  # of this hour, the same in all workers
        self._stories: dict[tuple[str, str], list[float]] = {}
        self._objects: dict[tuple[str, str], list[float]] = {}
        self.retention: Retention | None = None  # by position, where playlists are read
        self._tally = Tally()
        self._networks = Heeded() if whereabouts.has_networks else None

    def gather(self, sample: Sample) -> None:
        """Add a sample. None of it is kept but names of what was asked for, and sums."""
        path = normalise(sample.target)[1]
        region = self._whereabouts.region(sample.address, sample.fields)
        story = story_of(path.decode("latin-1"))
        report = read_request(sample.target, sample.fields)
        viewing = self._viewing(region, sample) if self._networks else None
        if story is not None:
            _count(self._stories, (region, story), sample.weight)
            if self._networks and viewing:
                self._networks.watch(viewing, story)
            key = sample.prefix + path
            if b"?" not in path and len(key) <= OBJECT_BYTES_MAX:  # a query may be somebody's own
                name = key.decode("latin-1")
                _count(self._objects, (region, name), sample.weight)
                for heard in self.listeners:
                    heard(name, sample, report)
        if report and report.get("object_type") in MEDIA:
            device = device_of(b" ".join(field_lines(sample.fields, b"user-agent")))
            session = self._hashed(report.get("session_id"))
            heard_report = Heard(report, sample.weight, session)
            self._tally.hear((region, device), heard_report)
            if self._networks and viewing:
                self._networks.hear(viewing, heard_report)

    def take(self, salt: str) -> dict[str, Any]:
        """What was heard since the last time, as JSON has it; `salt` is for what comes."""
        stories, self._stories = self._stories, {}
        objects, self._objects = self._objects, {}
        self._salt = salt.encode()
        return {
            "stories": [[*name, *counted] for name, counted in stories.items()],
            "objects": [[*name, *counted] for name, counted in objects.items()],
            "quality": self._tally.take(),
            "retention": None if self.retention is None else self.retention.take(),
            "networks": None if self._networks is None else self._networks.take(),
        }

    def _viewing(self, region: str, sample: Sample) -> Viewing:
        where, address, fields = self._whereabouts, sample.address, sample.fields
        viewer = self._hashed(client_name(where.client(address, fields).encode()).decode("latin-1"))
        return Viewing(region, where.network(address, fields), viewer, sample.weight)

    def _hashed(self, name: object) -> int | None:
        if not self._salt or not isinstance(name, str):
            return None
        made = blake2b(name.encode(), digest_size=6, key=self._salt)
        return int.from_bytes(made.digest())


class Audience:
    """All that was heard, in one node."""

    def __init__(self) -> None:
        self.stories = Popularity()
        self.objects = Popularity(OBJECTS)
        self.quality = Quality()
        self.networks = Networks()
        self.retention = Retention()
        self.hours = Hours()  # of playlists

    def adding(self, taken: Mapping[str, Any], now_mono: float, hour: int) -> Iterator[None]:
        """Add what a worker's `take` tells; stops now and then, so that others have their turn."""
        self.quality.add(taken["quality"], hour)
        if (by_network := taken.get("networks")) is not None:
            yield from self.networks.adding(by_network, now_mono, hour)
        if (counted := taken.get("retention")) is not None:
            self.retention.add_counted(counted)
        for _, name, weight, _ in taken["objects"]:
            if is_playlist(name):
                self.hours.add(name, weight, hour * HOUR_S)
        for popularity, counted in (
            (self.stories, taken["stories"]),
            (self.objects, taken["objects"]),
        ):
            for number, (region, name, weight, squares) in enumerate(counted, start=1):
                popularity.add(region, name, weight, now_mono, squares)
                if number % AT_ONCE == 0:
                    yield

    def told(self, region: str | None, limit: int, now_mono: float) -> dict[str, Any]:
        """What `GET /popular` says of a region, or of all together."""
        top, rising, cold = self.stories.ranking(region, now_mono, limit)
        objects = self.objects.ranking(region, now_mono, limit).top
        return {
            "region": region,
            "regions": self.stories.regions(now_mono),
            "per_minute": round(self.stories.per_minute(region, now_mono), 2),
            "top": [each.to_mapping("story") for each in top],
            "rising": [each.to_mapping("story") for each in rising],
            "cold": [each.to_mapping("story") for each in cold],
            "objects": [each.to_mapping("object") for each in objects],
            "hours": self.quality.hours(region, HOURS),
            "devices": self.quality.classes(region, HOURS),
            "networks": self.networks.told(region, now_mono),
            "network_quality": self.networks.quality(region),
            "retention": [round(share, 3) for share in self.retention.curve()],
        }

    def warm_list(self, limit: int, now_mono: float) -> list[tuple[str, str, float]]:
        """What to hold here: (key, story, requests a minute) of the leading objects."""
        rates = self.objects.rates(limit, now_mono)
        return [(key, story_of(path_of(key)) or "", rate) for key, rate in rates]

    def to_mapping(self, now_mono: float) -> dict[str, Any]:
        """What outlasts a restart, as JSON has it: names of what was asked for, and counts."""
        return {
            "stories": self.stories.to_mapping(KEPT_MAX, now_mono),
            "objects": self.objects.everywhere(WARM_MAX, now_mono),
            "retention": self.retention.to_list(),
            "hours": self.hours.to_mapping(),
        }

    def take_in(self, said: Mapping[str, Any], then_mono: float) -> None:
        """Go on from what `to_mapping` told at `then_mono`, a time before anything was added."""
        self.stories.take_in(said["stories"], then_mono)
        self.objects.take_in_everywhere(said["objects"], then_mono)
        self.retention = Retention.from_list(said["retention"])
        self.hours = Hours.from_mapping(said["hours"])


def path_of(key: str) -> str:
    """The path of a key."""
    return "/" + key.partition("://")[2].partition("/")[2]


def _count(
    counts: dict[tuple[str, str], list[float]], name: tuple[str, str], weight: float
) -> None:
    known = counts.get(name)
    if known is not None:
        known[0] += weight
        known[1] += weight * weight
    elif len(counts) < NAMES_MAX:
        counts[name] = [weight, weight * weight]
