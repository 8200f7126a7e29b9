"""The way of a job through the folders, and its relatives, as drawings."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from spoolrunner.web.drawn_job import Relative, Stay, relations, way

EVIL = "\"><script>alert('x')</script>&"
RETRIED = [
    Stay("pending", 0.02, "11:39:02", "20 ms"),
    Stay("running", 10.4, "11:39:02", "1: 10.4 s", has_failed=True),
    Stay("pending", 31, "11:39:12", "again in 31 s"),
    Stay("running", 10.2, "11:39:43", "2: 10.2 s", has_failed=True),
    Stay("failed", 884, "11:39:53", "for 14 m 44 s"),
]


def rects(svg: str, folder: str) -> list[tuple[float, float]]:
    """The x and width of the bars in the rows of a folder."""
    groups = [one for one in ET.fromstring(svg).iter("g") if one.get("class") == folder]
    return [(float(bar.get("x")), float(bar.get("width"))) for group in groups for bar in group.iter("rect")]


def texts(svg: str) -> list[str]:
    return [one.text or "" for one in ET.fromstring(svg).iter("text")]


def test_way() -> None:
    """Each stay is a bar in the row of its folder, wider by the root of its time; each failed attempt has a red end."""
    drawn = way(RETRIED, "two attempts")
    waited, ran = rects(drawn, "pending"), rects(drawn, "running")
    assert (len(waited), len(ran), len(rects(drawn, "failed"))) == (2, 2, 2)
    assert waited[0][1] < ran[0][1] < waited[1][1] < 3 * ran[0][1]
    assert [x for x, _ in sorted(waited + ran)] == [waited[0][0], ran[0][0], waited[1][0], ran[1][0]]
    assert drawn.count('class="s e"') == 4


def test_words_that_fit() -> None:
    """What does not fit over its bar is left out, and so is a time that would stand on another."""
    said = texts(way(RETRIED, "x"))
    assert "again in 31 s" in said
    assert "for 14 m 44 s" in said
    assert "20 ms" not in said
    assert said.count("11:39:02") == 1


def test_where_it_lies_now() -> None:
    """The last stay has the sign of a file: at its end while it waits or runs, alone when it is over."""
    for folder, bars in (("pending", 1), ("running", 1), ("done", 0), ("failed", 0)):
        drawn = way([Stay(folder, 5, "11:39:02", "for 5 s")], "x")
        assert (drawn.count("h11l6 6v14h-17z"), len(rects(drawn, folder))) == (1, bars)
        assert "for 5 s" in texts(drawn)


def test_many_attempts() -> None:
    """Of a hundred attempts the first and last are drawn, within the room, and it is said how many are not."""
    drawn = way(RETRIED[:2] * 100 + RETRIED[4:], "a hundred attempts")
    everything = rects(drawn, "pending") + rects(drawn, "running")
    assert len(everything) == 15
    assert max(x + width for x, width in everything) < 1012
    assert ET.fromstring(drawn).get("aria-label").endswith("; 185 stays in the middle are not drawn")
    assert way([], "nothing").count("<rect") == 0


def test_way_is_text() -> None:
    """What jobs are called is text in the drawing, never an element."""
    drawn = way([Stay("pending", 9e9, EVIL, EVIL)], EVIL)
    assert "<script" not in drawn
    assert ET.fromstring(drawn).get("aria-label") == EVIL


def test_relations() -> None:
    """What it waits for stands left, what waits for it right, each a link in the colour of its folder."""
    before = [Relative("orders-1", "done", "done/orders-1"), Relative("feed-1", "running", "job/feed-1", 0.9)]
    drawn = relations(before, Relative("invoice-1", "pending", ""), [Relative("mail-1", "pending", "job/mail-1")], "x")
    links = [one.get("href") for one in ET.fromstring(drawn).iter("a")]
    assert links == ["done/orders-1", "job/feed-1", "job/mail-1"]
    assert texts(drawn) == ["done/orders-1", "feed-1", "invoice-1", "mail-1"]
    assert len(rects(drawn, "running")) == 2


def test_relation_of_any_name() -> None:
    """A long name is shortened in its middle, and one of a stranger is text."""
    drawn = relations([Relative("x" * 200, "", "#")], Relative(EVIL, "failed", ""), [], EVIL)
    assert len(texts(drawn)[0]) == 26
    assert "<script" not in drawn
