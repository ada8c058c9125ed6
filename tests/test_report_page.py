"""The page: harmless whatever files say, whole without a network, usable without a mouse, readable in the dark."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from atari_dqn.evaluation.result import game_title
from atari_dqn.published.aggregates import Estimate
from atari_dqn.report import gather, render, write_report
from atari_dqn.report.figures import COLOURS, NARROW, ROOMY, bar_axis
from atari_dqn.report.formatting import few, hours_told, interval, percent, score
from atari_dqn.report.markup import Markup, element, join, void
from atari_dqn.report.scales import BentScale, LinearScale, LogScale, short
from tests.run_folders import write_run

VOID = {"meta", "input", "br", "link", "img"}
CSS = (files("atari_dqn") / "data" / "report.css").read_text(encoding="utf-8")


class Tree(HTMLParser):
    """Elements of a page as (name, attributes, names of the elements around it, text inside)."""

    def __init__(self, text):
        super().__init__()
        self.found, self._open = [], []
        self.feed(text)
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        item = [tag, dict(attrs), [name for name, *_ in self._open], ""]
        self.found.append(item)
        if tag not in VOID:
            self._open.append(item)

    def handle_endtag(self, tag):
        name, *_ = self._open.pop()
        assert name == tag, f"</{tag}> closes <{name}>"

    def handle_data(self, data):
        for item in self._open:
            item[3] += data

    def all(self, name):
        return [item for item in self.found if item[0] == name]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report with two sets of runs, three seeds, an unfinished run, and a game that was never published."""
    root = tmp_path_factory.mktemp("runs")
    for seed in range(3):
        evals = [(250_000 * k, -20.0 + 3 * k + seed, 1.0, 5) for k in range(1, 5)]
        scores = {("nature", "best"): [15.0 + seed, 12.0], ("nature", "last"): [10.0, 11.0]}
        write_run(root / "a", seed=seed, scores=scores, evals=evals, returns=[(1000, -21.0), (900_000, 3.0)])
    write_run(root / "a", "double_dunk", scores={("nature", "last"): [-24.0] * 30}, finished=False)
    write_run(
        root / "b", preset="quick", scores={("nature", "last"): [0.0] * 30}, returns=[(1000, -21.0), (200_000, 3.0)]
    )
    write_run(
        root / "b", "cartpole", preset="cartpole", scores={("greedy", "last"): [500.0]}, returns=[(9, 9.0), (99, 9.0)]
    )
    contents = gather([("ours", [root / "a"]), ("theirs", [root / "b"])])
    return render(contents, command=["atari-dqn", "report"], written=datetime(2026, 11, 24, 12, 0, tzinfo=UTC))


# --- nothing from a file acts as HTML


def test_markup_escapes_whatever_is_not_markup():
    assert element("p", "<b>", Markup("<i>x</i>"), None, 3) == "<p>&lt;b&gt;<i>x</i>3</p>"
    assert element("a", class_="x", data_value='"><script>', hidden=True, title=None, open=False) == (
        '<a class="x" data-value="&#34;&gt;&lt;script&gt;" hidden></a>'
    )
    assert void("input", stroke_width=0.125) == '<input stroke-width="0.12">'
    assert join("&", Markup("&amp;")) == "&amp;&amp;"


def test_names_in_files_are_harmless(tmp_path):
    evil = "<script>alert(1)</script>\"'<img src=x onerror=alert(2)>"
    scores = {("nature", "last"): [1.0]}
    meta = {"cpu": evil, "gpu": evil, "commit": evil, "packages": {"torch": evil}}
    folder = write_run(tmp_path, "x", scores=scores, returns=[(1000, 1.0), (2000, 2.0)], meta=meta)
    for path in (folder / "config.json", folder / "evaluations" / "nature_last.json"):
        path.write_text(path.read_text().replace('"x"', '"' + evil.replace('"', '\\"') + '"'))
    (folder / "evaluations" / "<script>.json").write_text("{}")
    contents = write_report([(evil, [tmp_path])], tmp_path / "out", command=["atari-dqn", evil])
    assert contents.games == [evil]
    tree = Tree((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    assert [item[1] for item in tree.all("script")] == [{}]
    assert not tree.all("img")
    assert not [name for _, attributes, *_ in tree.found for name in attributes if name.startswith("on")]
    assert any(item[3] == game_title(evil) for item in tree.all("h3"))


# --- alone


def test_the_page_needs_no_network(page):
    tree = Tree(page)
    names = {"src", "srcset", "action", "formaction", "poster", "background"}
    assert not [item for item in tree.found if names & set(item[1])]
    assert all(item[1]["href"].startswith("#") for item in tree.all("a"))
    assert not tree.all("link")
    assert not re.search(r"url\(|@import|https?:", page)
    (policy,) = [item[1]["content"] for item in tree.all("meta") if "http-equiv" in item[1]]
    assert "default-src 'none'" in policy


def test_links_lead_somewhere(page):
    tree = Tree(page)
    anchors = {item[1]["id"] for item in tree.found if "id" in item[1]}
    assert {item[1]["href"][1:] for item in tree.all("a")} <= anchors
    assert len(anchors) == sum("id" in item[1] for item in tree.found)


# --- for everybody


def test_tables_name_their_rows_and_columns(page):
    tree = Tree(page)
    assert len(tree.all("table")) == len(tree.all("caption")) == 5
    assert {item[1].get("scope") for item in tree.all("th")} == {"row", "col"}
    for item in tree.all("th"):
        assert item[1]["scope"] == ("col" if "thead" in item[2] else "row")


def test_pictures_and_controls_have_names(page):
    tree = Tree(page)
    for _, attributes, around, _ in tree.all("svg"):
        named = "Learning curve of" in attributes.get("aria-label", "")
        assert attributes.get("aria-hidden") == "true" or (attributes["role"] == "img" and named)
        assert attributes.get("aria-hidden") != "true" or {"td", "th", "li"} & set(around)
    for name in ("button", "summary", "h1", "h2", "h3", "label", "a"):
        assert all(item[3].strip() for item in tree.all(name)), name
    assert all("label" in item[2] for item in tree.all("input"))
    (html,) = tree.all("html")
    assert html[1]["lang"] == "en"


def test_axes_are_named_in_the_clock_of_the_game_and_points_have_their_values(page):
    tree = Tree(page)
    charts = {item[1]["aria-label"].split(".")[0]: item[3] for item in tree.all("svg") if "aria-label" in item[1]}
    assert "emulator frames, 4 an agent step" in charts["Learning curve of Pong"]
    assert (
        "agent steps" in charts["Learning curve of Cartpole"] and "frames" not in charts["Learning curve of Cartpole"]
    )
    (ours,) = [item[1] for item in tree.all("g") if item[1].get("data-name") == "ours"]
    # three seeds at -17, -16 and -15; the band is the bootstrap interval of their mean
    assert ours["data-places"].split(";")[:2] == ["1M frames", "2M frames"]
    values = ours["data-values"].split(";")
    assert len(values) == 4 and values[0].startswith("\N{MINUS SIGN}16.0 (\N{MINUS SIGN}")


def colours(theme):
    """Names of the style sheet's colours -> (red, green, blue) in [0, 1]."""
    found = re.findall(r"--([\w]+): light-dark\((#\w{6}), (#\w{6})\);", CSS)
    assert len(found) == CSS.count("light-dark(")
    index = ("light", "dark").index(theme)
    return {name: [int(pair[index][at : at + 2], 16) / 255 for at in (1, 3, 5)] for name, *pair in found}


def luminance(colour):
    """Source: WCAG 2.2, relative luminance."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_by_hand():
    assert contrast([0, 0, 0], [1, 1, 1]) == pytest.approx(21)
    # #767676 on white is the well-known lightest grey that passes
    grey = [0x76 / 255] * 3
    assert contrast(grey, [1, 1, 1]) == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_drawings_stand_out(theme):
    found = colours(theme)
    grounds = [found[name] for name in ("page", "card", "raised")]
    for text in ("text", "muted", "link"):
        assert min(contrast(found[text], ground) for ground in grounds) >= 4.5, text
    for drawn in (*(f"series{index}" for index in range(COLOURS)), "reference", "nnabla", "dopamine", "rlzoo", "zoo"):
        assert contrast(found[drawn], found["card"]) >= 3.0, drawn


def test_every_colour_comes_from_the_two_sheets():
    rules = CSS[CSS.index("* { box-sizing") :]
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?=[;, ])", rules)
    used = set(re.findall(r"var\(--(\w+)\)", rules))
    assert used <= {*colours("light"), "own"}
    assert {f".series{index} {{ --own: var(--series{index}); }}" in CSS for index in range(COLOURS + 1)} == {
        True,
        False,
    }


# --- what it says


def test_the_page_says_what_each_number_is(page):
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page).replace("\N{NO-BREAK SPACE}", " "))
    assert "nature protocol, best network, human of 5-minute games" in text
    assert "4 runs" not in text.split("Overview")[0]
    assert "6 runs, 5 finished; 3 games" in text
    # mean of 13.5, 14, 14.5 over three seeds; normalised (14 + 20.7) / 30; two episodes a seed, not thirty
    assert "14.0 \N{PLUS-MINUS SIGN} 2.1 116 %, 3 seeds, 6 episodes" in text
    assert ">116\N{NO-BREAK SPACE}%, 3\N{NO-BREAK SPACE}seeds, 6\N{NO-BREAK SPACE}episodes<" in page
    assert "18.9 \N{PLUS-MINUS SIGN} 1.3 132 %, 30 episodes" in text
    assert "ours over theirs: quick nature protocol, last network; 1 game 100 %" in text
    # the last evaluation, at 1 M steps: -8, -7, -6
    assert "ours: \N{MINUS SIGN}7.0 at 4M frames (evaluation, 3 seeds, band: 95 % bootstrap interval" in text
    assert "nnabla-rl \N{MINUS SIGN}12.9 at 4M" in text
    assert "0 of 50,000,000 (0%) agent steps seen" in text


def test_rows_of_games_can_be_filtered(page):
    rows = [item[1] for item in Tree(page).found if "data-game" in item[1]]
    assert {"double_dunk double dunk", "ms_pacman ms pacman"} <= {row["data-game"] for row in rows}
    played = {row["data-game"].split()[0] for row in rows if "data-played" in row}
    assert played == {"pong", "double_dunk", "cartpole"}


def test_the_same_runs_are_the_same_page(page, tmp_path):
    write_run(tmp_path, scores={("nature", "last"): [1.0, 2.0]})
    written = datetime(2026, 1, 1, tzinfo=UTC)
    one, two = (render(gather([(None, [tmp_path])]), command=["x"], written=written) for _ in range(2))
    assert one == two


# --- scales and words


def test_bars_are_linear_up_to_the_human_and_logarithmic_above():
    scale = BentScale([0.0, 0.5, 10.0])
    assert scale(0.0) == 0.0
    assert scale(0.5) == pytest.approx(scale(1.0) / 2)
    # from 1 to 2 as far as from 2 to 4
    assert scale(2.0) - scale(1.0) == pytest.approx(scale(4.0) - scale(2.0))
    assert scale(10.0) < 100
    below = BentScale([-0.5, -30.0, 1.0])
    assert below(-30.0) == below(-1.0) == 0.0


def label_edges(text, width):
    """Left and right end, pixels, of a number on an axis that is `width` pixels wide, in a broad font at 11 px."""
    at, words = float(text["x"].rstrip("%")) / 100 * width, text["words"]
    length = sum(3.6 if letter in ",\N{NO-BREAK SPACE}" else 10.5 if letter == "%" else 7.1 for letter in words)
    return at - {"start": 0, "middle": 0.5, "end": 1}[text["text-anchor"]] * length, length


@pytest.mark.parametrize("best", [1.0, 1.4, 3.0, 9.0, 11.0, 24.0, 60.0, 260.0])
@pytest.mark.parametrize("worst", [0.0, -0.2, -3.0])
def test_numbers_of_an_axis_never_touch(best, worst):
    drawn = Tree(bar_axis(BentScale([worst, best])))
    texts = [{**attributes, "words": words} for _, attributes, _, words in drawn.all("text")]
    # on strips as narrow as the style sheet lets them be, and from where on it shows all numbers
    for width, shown in ((NARROW, [text for text in texts if text.get("class") != "roomy"]), (ROOMY, texts)):
        ends = -5.0  # the padding of the cell
        for text in shown:
            left, length = label_edges(text, width)
            assert left > ends, (width, text)
            ends = left + length
        assert ends <= width + 5
        assert "100\N{NO-BREAK SPACE}%" in [text["words"] for text in shown]
    assert f"@container (max-width: {ROOMY - 1}px) {{ .roomy {{ display: none; }} }}" in CSS
    least = [int(pixels) for pixels in re.findall(r"td\.bars { width: \d+%; min-width: (\d+)px", CSS)]
    assert len(least) == 2 and min(least) - 10 >= NARROW


def test_many_columns_have_a_short_title_and_fold_their_comparisons(tmp_path):
    presets = ("c51", "double", "dueling", "nature", "quick", "rainbow")
    for preset in presets:
        write_run(tmp_path, preset=preset, scores={("nature", "last"): [1.0, 2.0]})
    text = render(gather([(None, [tmp_path])]), command=["x"], written=datetime(2026, 1, 1, tzinfo=UTC))
    tree = Tree(text)
    assert [item[3] for item in tree.all("h1")] == ["DQN on Atari: c51, double, dueling, nature and 2 more"]
    assert "15 comparisons" in [item[3] for item in tree.all("summary")]
    # eight colours: no two of these six are alike
    assert len({item[1]["class"] for item in tree.all("rect") if "series" in item[1].get("class", "")}) >= len(presets)


def test_a_page_without_atari_does_not_speak_of_the_paper(tmp_path):
    write_run(tmp_path, "cartpole", preset="cartpole", returns=[(1000, 9.0), (2000, 9.0)])
    text = render(gather([(None, [tmp_path])]), command=["x"], written=datetime(2026, 1, 1, tzinfo=UTC))
    assert "<title>DQN: cartpole</title>" in text
    assert "best network, nature protocol" not in text
    # 2,000 steps, 100 a second
    assert ">0.0056<" in text


def test_axes_name_round_numbers():
    assert LinearScale(-21.0, 20.0, 0, 1).ticks() == [-20.0, -10.0, 0.0, 10.0, 20.0]
    for flat in (
        (5.0, 5.0),
        (0.0, 0.0),
        (-500.0, -500.0),
        (499.0, 500.0),
        (99.9, 100.1),
        (-21.0, -20.99),
        (9_999.0, 10_001.0),
    ):
        named = [short(tick) for tick in LinearScale(*flat, 0, 1).ticks()]
        assert 3 <= len(named) == len(set(named)) <= 8, named
    assert LogScale(1e4, 1.2e4, 0, 1).ticks() == [1e4, 1.2e4]
    scale = LogScale(1e6, 2e8, 0, 100)
    assert scale.ticks() == [1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8, 2e8]
    assert (scale(1e6), scale(2e8)) == (0.0, pytest.approx(100.0))
    assert [short(number) for number in (0.25, 20.0, 1500, 2e6, -3e3)] == ["0.25", "20", "1.5k", "2M", "-3k"]


def test_numbers_in_words():
    minus, space = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"
    assert [score(number) for number in (-20.66, 1234.5, 0.04)] == [f"{minus}20.7", "1,234", "0.040"]
    assert [percent(number) for number in (1.32, -0.5, -0.001)] == [f"132{space}%", f"{minus}50{space}%", f"0{space}%"]
    assert interval(Estimate(0.5, 0.25, 0.75)) == f"25 to 75{space}%"
    assert interval(Estimate(0.5, None, None)) == "one seed, no interval"
    assert [hours_told(hours) for hours in (1234.56, 0.5, 0.0056, 8e-5)] == ["1,234.6", "0.5", "0.0056", "< 0.01"]
    assert game_title("ms_pacman") == "Ms Pacman"
    assert [few(list(names)) for names in ("", "a", "ab", "abcd", "abcdef")] == [
        "", "a", "a and b", "a, b, c and d", "a, b, c, d and 2 more"
    ]  # fmt: skip
