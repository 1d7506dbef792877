"""What somebody missed is all that came after their mark, or they are told of the gap."""

from hypothesis import given
from hypothesis import strategies as st

from edge.realtime.history import History, Kept
from edge.realtime.marks import ZERO, Mark

TOPICS = ["story:a", "story:b", "story:c"]
signals = st.lists(
    st.tuples(st.sampled_from(TOPICS), st.integers(1, 12), st.integers(1, 30)), max_size=40
)


@given(signals, st.integers(1, 4), st.integers(1, 3), st.integers(0, 14))
def test_nothing_is_missing_without_a_gap(
    said: list[tuple[str, int, int]], topic_max: int, topics_max: int, after_ms: int
) -> None:
    history = History(topic_max=topic_max, topics_max=topics_max)
    heard: dict[str, list[Kept]] = {topic: [] for topic in TOPICS}
    for topic, ms, key in said:
        signal = Kept(Mark(ms, 0), f"k{key}", b"%d" % key)
        if history.add(topic, signal):
            heard[topic].append(signal)
    after = Mark(after_ms, 0)
    for topic in TOPICS:
        marks = [each.mark for each in heard[topic]]
        assert marks == sorted(set(marks))
        found = history.missed(topic, after)
        assert len(found.signals) <= topic_max
        later = [each for each in heard[topic] if each.mark > after]
        assert found.signals == later[len(later) - len(found.signals) :]
        assert found.gap or found.signals == later
        assert all(each.mark > found.since for each in found.signals)
    assert len(history) <= topic_max * topics_max


def test_the_same_event_is_news_once() -> None:
    history = History(topic_max=4, topics_max=4)
    assert history.add("story:a", Kept(Mark(1, 0), "watchable", b""))
    assert not history.add("story:a", Kept(Mark(2, 0), "watchable", b""))  # said again
    assert not history.add("story:a", Kept(Mark(1, 0), "complete", b""))  # read again
    assert history.add("story:b", Kept(Mark(2, 0), "watchable", b""))


def test_who_comes_from_before_the_beginning_is_told_of_a_gap() -> None:
    history = History(topic_max=4, topics_max=4, floor=Mark(10, 0))
    assert history.missed("story:a", Mark(9, 0)) == (Mark(10, 0), [], True)
    assert history.missed("story:a", Mark(10, 0)) == (Mark(10, 0), [], False)


def test_a_mark_from_the_future_hides_nothing() -> None:
    history = History(topic_max=4, topics_max=4)
    history.add("story:a", Kept(Mark(5, 0), "one", b""))
    assert history.missed("story:a", Mark(99, 0)) == (Mark(5, 0), [], True)
    assert history.missed("story:b", Mark(5, 0)) == (ZERO, [], False)


def test_it_begins_where_a_stream_does() -> None:
    history = History(topic_max=4, topics_max=4)
    history.begin(Mark(10, 0))
    assert history.missed("story:a", Mark(9, 0)) == (Mark(10, 0), [], True)
