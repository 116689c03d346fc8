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
    assert '<span class="in-band">one run, in its band</span>' in page


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


def test_the_summary_counts_runs_in_the_plural_and_the_singular(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.9])

    page = index_html(collect([("resnet20", resnet20)], [tmp_path]).rows)

    assert "1 recipe, 1 full run, 0 scaled or modified runs." in page


def test_hardware_and_versions_are_next_to_the_time(tmp_path, resnet20, make_run):
    provenance = {
        "versions": {"cifar_keras": "0.3.0", "tensorflow": "2.21.0"},
        "hardware": {"cpu": "Example CPU", "cores": 2},
    }
    make_run(tmp_path, resnet20, accuracies=[0.9], provenance=provenance)

    page = index_html(collect([("resnet20", resnet20)], [tmp_path]).rows)

    where = "Example CPU (2 cores), cifar_keras 0.3.0, TensorFlow 2.21.0"
    assert f"200<small>{where}</small></td></tr>" in page


def test_only_cards_that_are_there_are_linked(tmp_path, resnet20, make_run):
    for seed in (1, 2):
        make_run(tmp_path, resnet20, accuracies=[0.9], seed=seed)
    rows = collect([("resnet20", resnet20)], [tmp_path]).rows

    [row] = data_of(index_html(rows, cards=["card_resnet20_seed-2.md"]))

    assert row["cards"] == [["seed 2", "cards/card_resnet20_seed-2.md"]]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "apache/mxnet@011bde4d example/notebooks/CIFAR-100.ipynb, log",
            [
                [
                    "apache/mxnet@011bde4d example/notebooks/CIFAR-100.ipynb",
                    "https://github.com/apache/mxnet/blob/011bde4d/example/notebooks/CIFAR-100.ipynb",
                ],
                [", log", None],
            ],
        ),
        (
            "Lee et al.; so in arXiv 1507.06228, table 3",
            [
                ["Lee et al.; so in ", None],
                ["arXiv 1507.06228", "https://arxiv.org/abs/1507.06228"],
                [", table 3", None],
            ],
        ),
        (
            "apark263/cfmz README, error 6.31 %",
            [
                ["apark263/cfmz README", "https://github.com/apark263/cfmz"],
                [", error 6.31 %", None],
            ],
        ),
        (
            "KaimingHe/resnet-1k-layers@ffc57b3 README",
            [
                [
                    "KaimingHe/resnet-1k-layers@ffc57b3",
                    "https://github.com/KaimingHe/resnet-1k-layers/tree/ffc57b3",
                ],
                [" README", None],
            ],
        ),
        (
            "javascript:alert(1)//x/y README",
            [["javascript:alert(1)//", None], ["x/y README", "https://github.com/x/y"]],
        ),
        ('a/b"><img src=q>', [['a/b"><img src=q>', None]]),
    ],
)
def test_a_source_links_to_the_papers_and_repositories_it_names(
    tmp_path, resnet20, source, expected
):
    reference = resnet20.reference.model_copy(update={"source": source})
    recipe = resnet20.model_copy(update={"reference": reference})

    [row] = data_of(index_html(collect([("resnet20", recipe)], [tmp_path]).rows))

    assert row["source"] == expected


def test_the_license_of_the_library_is_in_the_page(tmp_path, resnet20):
    page = index_html(collect([("resnet20", resnet20)], [tmp_path]).rows)

    assert "uPlot (v1.6.32)" in page
    assert "Copyright (c) 2022 Leon Sorokin" in page
