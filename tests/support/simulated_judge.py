"""What must hold of every answer in the simulation of an exchange, whatever came before it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cache_policies.freshness import may_serve_on_error
from cache_policies.message import RequestHead
from edge.delivery import lacks
from tests.support.simulated_node import Node
from tests.support.simulated_origin import Said, Version, World, etag_of, whole_body
from tests.support.simulated_player import Heard
from tests.support.simulated_rules import Rules

HOST = "edge.test"


@dataclass
class Ask:
    """One request, what may answer it, and since when."""

    number: int
    method: str
    key: str
    user: str
    fields: dict[str, str]
    asked_mono: float
    floor: int  # the oldest version whose content may still be served,
    tag_floor: int  # and that as long as the same rules are in force
    worker_no: int = 0

    def wire(self, version: str) -> bytes:
        lines = [f"{self.method} {self.key} HTTP/{version}"]
        lines += [f"{name}: {value}" for name, value in self.fields.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"


class Judge:
    """Knows what was purged, what the origin said and which rules were in force when."""

    def __init__(self, seed: int, world: World, node: Node, keys: list[str]) -> None:
        self.seed = seed
        self.clock = world.clock
        self.world = world
        self.node = node
        self.stored_mono: dict[tuple[int, bytes, bytes], float] = {}  # when last, by worker
        self.floor = dict.fromkeys(keys, 1)
        self.softly = dict.fromkeys(keys, 0.0)  # what was said before is stale since
        self.tag_floor = dict.fromkeys(keys, 1)  # by purges of a tag that the rules in force add
        self.rules: list[tuple[float, Rules]] = [(0.0, Rules())]  # since when
        self.has_spare = False  # another origin, which never fails
        self.says = Counter[str]()

    def rules_since(self, mono: float) -> list[Rules]:
        """The rules that were in force at any time since then."""
        ends = [began for began, _ in self.rules[1:]] + [float("inf")]
        return [rules for (_, rules), end in zip(self.rules, ends, strict=True) if end >= mono]

    def judge(self, ask: Ask, heard: Heard) -> None:
        about = (f"seed {self.seed}", ask, heard.status, heard.lines, heard.body[:80])
        status = heard.fields.get("cache-status", "")
        self.says[status.partition("; ttl")[0]] += 1
        if heard.status >= 500:
            self.judge_error(ask, heard, about)
            return
        if heard.status == 416:
            return
        if ask.method == "POST":  # what it changed was invalidated before it was answered
            version = self.world.said[int(heard.fields["x-said"])].version
            self.floor[ask.key] = max(self.floor[ask.key], version.number)
            return
        assert heard.status in (200, 206, 304), about
        said = self.world.said[int(heard.fields["x-said"])]
        assert said.key == ask.key, about
        self.judge_reuse(ask, heard, said, about)
        language = ask.fields.get("Accept-Language", "")
        assert said.owner in ("-", ask.user), ("another's", about)
        of_body = self.version_of(heard, said)
        lasting = len(self.rules_since(ask.asked_mono)) == 1
        floor = max(ask.floor, ask.tag_floor) if lasting else ask.floor
        assert of_body.number >= floor, ("purged content", about)
        if "set-cookie" in heard.fields:
            assert heard.fields["set-cookie"] == f"session={ask.user}", ("another's", about)
        whole = whole_body(ask.key, of_body, language, said.owner)
        if of_body.etag:
            assert heard.fields["etag"] == etag_of(ask.key, of_body, language, said.owner), about
        if heard.status == 304:
            assert heard.fields["etag"] == ask.fields["If-None-Match"], about
        elif ask.method != "HEAD":
            expected = whole
            if heard.status == 206:
                first, _, last = heard.fields["content-range"][6:].partition("/")[0].partition("-")
                expected = whole[int(first) : int(last) + 1]
            if heard.whole:
                assert heard.body == expected, ("wrong bytes", about)
            else:
                assert expected.startswith(heard.body), ("wrong bytes before a cut", about)

    def version_of(self, heard: Heard, said: Said) -> Version:
        """The version that the bytes are of: an older one where they were validated, not sent."""
        line = heard.body.partition(b"\n")[0].split(b" ")
        if heard.status != 206 and len(line) == 4:
            return self.world.versions[said.key][int(line[1]) - 1]
        return said.version

    def judge_reuse(self, ask: Ask, heard: Heard, said: Said, about: object) -> None:
        """See that somebody else's answer, or an older one, was this player's to have."""
        if said.asker == str(ask.number):
            return
        began, rule = heard.began_mono, said.rule
        assert said.shared, ("private to another", said, about)
        number = str(ask.number)
        if any(own.asker == number and own.version is said.version for own in self.world.said):
            return  # validated for this player too, at the same moment
        assert not rule.validated_always, ("not validated", said, about)
        age_s = said.age_s + began - said.generated_mono
        slack_s = len(self.node.workers) - 1  # Age counts whole seconds, between workers too
        assert int(heard.fields["age"]) >= int(age_s) - 1 - slack_s, ("young", age_s, said, about)
        in_force = self.rules_since(ask.asked_mono)
        lifetime_s = min(rule.lifetime_s, max(rules.lifetime_max_s for rules in in_force))
        soft = self.softly[ask.key]
        if said.generated_mono < soft <= ask.asked_mono:
            lifetime_s = min(lifetime_s, soft - said.generated_mono + said.age_s)
        stale_s = age_s - lifetime_s
        stale_s -= slack_s
        if stale_s < 0:
            return
        allowed_s = rule.while_revalidate_s
        if "max-stale" in ask.fields.get("Cache-Control", "") and not rule.never_stale:
            allowed_s = max(allowed_s, 100)
        failures = [at for at in self.world.errors[ask.key] if at >= ask.asked_mono - 1e-6]
        if failures or self.is_short():
            allowed_s = max(allowed_s, rule.if_error_s)
        if all(rules.never_stale for rules in in_force) and "max-stale" not in str(ask.fields):
            allowed_s = 0.0
        assert stale_s < allowed_s, ("too old", stale_s, allowed_s, said, about)

    def is_short(self) -> bool:
        workers = self.node.workers
        short = any(worker.memory.shortage() > 0 for worker in workers)
        return short or workers[0].settings.limits.fills_max < 1000

    def judge_error(self, ask: Ask, heard: Heard, about: object) -> None:
        """See that no stored response could have answered in its place."""
        assert self.world.failing, about
        if ask.method != "POST":
            assert not self.has_spare, ("an error where another origin could answer", about)
        if ask.method not in ("GET", "HEAD") or "no-cache" in ask.fields.get("Cache-Control", ""):
            return
        fields = tuple((n.lower().encode(), v.encode()) for n, v in ask.fields.items())
        request = RequestHead(ask.method.encode(), b"http", HOST.encode(), ask.key.encode(), fields)
        worker = self.node.workers[ask.worker_no]
        entry = worker.memory.find(b"http://" + HOST.encode() + ask.key.encode(), fields)
        if entry is None or len(self.rules_since(ask.asked_mono)) > 1 or self.rules[-1][1].bypasses:
            return
        if entry.stored.policy_epoch != worker.in_force.policies.epoch or entry.is_outdated:
            return
        name = (ask.worker_no, entry.key, entry.stored.variant)
        told_mono = max(self.stored_mono[name], entry.stored.response_mono)
        if told_mono >= heard.began_mono:  # it came, or was validated, after the answer began
            return
        usable = may_serve_on_error(entry.stored, heard.began_mono) and not lacks(entry, request)
        assert not usable, ("an error instead of a stale answer", request, entry.stored, about)
