import json
import re
from html.parser import HTMLParser

import pytest

from cifar_keras.recipe import load_recipe, recipe_names, recipe_path
from cifar_keras.report.page import index_html
from cifar_keras.report.results import collect


@pytest.fixture(scope="module")
def recipes():
    return [(name, load_recipe(recipe_path(name))) for name in recipe_names()]


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.seen = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, flags=re.DOTALL)[1])


def test_the_page_asks_nothing_of_the_network(tmp_path, recipes):
    page = index_html(collect(recipes, [tmp_path]).rows)

    loaded = {"script": "src", "link": "href", "img": "src", "iframe": "src"}
    asked = [attrs for tag, attrs in Tags(page).seen if loaded.get(tag) in attrs]
    assert asked == []
    assert "url(" not in page
    assert "@import" not in page


def test_every_recipe_is_a_row_and_rows_with_runs_come_first(tmp_path, recipes, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.9171])

    page = index_html(collect(recipes, [tmp_path]).rows)

    rows = [attrs for tag, attrs in Tags(page).seen if tag == "tr" and "class" in attrs]
    assert len(rows) == len(recipes)
    assert [row["data-chart"] for row in rows if row["class"] == "run"] == ["resnet20"]
    assert rows[0]["data-chart"] == "resnet20"
    assert '<td class="in-band"><span>one run, in its band</span></td>' in page


def test_each_run_and_the_published_curve_are_there_to_be_chosen(tmp_path, resnet20, make_run):
    for seed, accuracy in ((1, 0.90), (2, 0.92)):
        make_run(tmp_path, resnet20, accuracies=[accuracy], seed=seed)

    [chart] = data_of(index_html(collect([("resnet20", resnet20)], [tmp_path]).rows))

    assert [(run["seed"], run["test"][0][-1], run["test"][1][-1]) for run in chart["runs"]] == [
        (1, 180, 10.0),
        (2, 180, 8.0),
    ]
    assert chart["mean"]["test"][1][-1] == 9.0
    # The last point read off the authors' plot.
    assert (chart["published"][0][-1], chart["published"][1][-1]) == (180, 8.27)
    assert chart["steps"] == [90, 135]


def test_a_scaled_run_counts_its_own_epochs_and_the_published_curve_its(
    tmp_path, resnet20, make_run
):
    make_run(tmp_path, resnet20, accuracies=[0.86], budget="0.1")

    charts = data_of(index_html(collect([("resnet20", resnet20)], [tmp_path]).rows))

    [scaled] = [chart for chart in charts if chart["runs"]]
    assert (scaled["epochs"], scaled["full"]) == (18, 180)
    assert (scaled["runs"][0]["test"][0][-1], scaled["published"][0][-1]) == (18, 180)


def test_the_licence_of_the_library_is_in_the_page(tmp_path, resnet20):
    page = index_html(collect([("resnet20", resnet20)], [tmp_path]).rows)

    assert "uPlot (v1.6.32)" in page
    assert "Copyright (c) 2022 Leon Sorokin" in page
