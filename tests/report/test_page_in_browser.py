"""The page in a browser, used as a reader uses it: on a desktop, in dark colors and on a phone.

These tests need playwright (of the `dev` extra) and a Chromium: the command `chromium`, or the one
whose path is in the environment variable CHROMIUM.
"""

import os
import shutil
from dataclasses import replace

import pytest

from cifar_keras.recipe import load_recipe, recipe_names, recipe_path
from cifar_keras.records import TTA, Tta, write_record
from cifar_keras.report.page import index_html
from cifar_keras.report.results import collect

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="no chromium is installed, nor named by $CHROMIUM"),
]

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
SETTINGS = {
    "desktop": DESKTOP,
    "dark": {**DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True},
}
RECIPES = [(name, load_recipe(recipe_path(name))) for name in recipe_names()]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory, make_run):
    """A page of all recipes; three runs of airbench94, and resnet20 in full and scaled down."""
    tmp_path = tmp_path_factory.mktemp("page")
    recipes = dict(RECIPES)
    for seed, last, augmented in ((1, 0.9341, 0.9407), (2, 0.9288, 0.9370), (3, 0.9320, 0.9398)):
        folder = make_run(
            tmp_path, recipes["airbench94"], accuracies=[last], name="airbench94", seed=seed
        )
        views = {"test_correct": round(10000 * augmented), "test_images": 10000, "views": 6}
        sums = {"weights_sha256": "0" * 64, "finished": "2026-01-01T10:00:00+00:00"}
        write_record(folder, TTA, Tta(test_accuracy=augmented, **views, **sums))
    make_run(tmp_path, recipes["resnet20"], accuracies=[0.9177])
    make_run(tmp_path, recipes["resnet20"], accuracies=[0.8734], budget="0.1")
    rows = collect(RECIPES, [tmp_path]).rows
    path = tmp_path / "index.html"
    path.write_text(index_html(rows, ["card_resnet20_seed-1.md"], rule="../docs/verdict.md"))
    return path.as_uri()


@pytest.fixture(params=SETTINGS)
def page(request, browser, address):
    """The page, opened; whatever goes wrong in its scripts fails the test."""
    context = browser.new_context(**SETTINGS[request.param])
    page = context.new_page()
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.goto(address)
    yield page
    context.close()
    assert problems == []


def row(page, slug):
    return page.locator(f'tr[data-chart="{slug}"]')


def click(page, slug, **options):
    row(page, slug).locator("th a").click(**options)


def curves(page):
    """The names in the legend, the first of which is the axis'."""
    return page.locator(".u-legend .u-label").all_inner_texts()[1:]


def legend(page):
    """Name -> value under the cursor."""
    series = page.locator(".u-legend .u-series").all()[1:]
    return {
        each.locator(".u-label").inner_text(): each.locator(".u-value").inner_text()
        for each in series
    }


def recipe_links(page):
    return page.locator("tbody th a:visible")


def focused(page):
    return page.evaluate("document.activeElement.closest('tbody tr')?.dataset.chart")


def test_the_figure_that_was_compared_stands_next_to_the_published_one(page):
    text = " ".join(row(page, "airbench94").inner_text().split())

    assert "94.01 last, mean of 1000 runs, with TTA 93.92 ± 0.19 (3) with TTA" in text
    assert "-0.09" in text
    assert "reproduced" in text


def test_not_run_and_nothing_published_differ(page):
    page.get_by_label("only what has been run").uncheck()

    both, published, neither = (
        row(page, slug).inner_text() for slug in ("resnet20", "resnet32", "resnet20_cv")
    )
    assert [phrase in both for phrase in ("not run", "nothing published")] == [False, False]
    assert [phrase in published for phrase in ("not run", "nothing published")] == [True, False]
    assert [phrase in neither for phrase in ("not run", "nothing published")] == [True, True]


def test_nothing_is_wider_than_the_screen(page):
    page.get_by_label("only what has been run").uncheck()

    screen = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= screen
    table = page.get_by_role("region", name="comparison table")
    assert table.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


def test_the_first_chart_is_one_of_ours_with_a_published_curve(page):
    assert curves(page) == ["resnet20 test, seed 1", "resnet20 published"]


def test_a_click_replaces_the_chart_and_a_modifier_adds_to_it(page):
    means = ["airbench94 test, seed 1", "airbench94 test, seed 2", "airbench94 test, seed 3"]
    means.append("airbench94 test, mean")

    click(page, "airbench94")
    assert curves(page) == means
    click(page, "resnet20", modifiers=["Control"])
    assert curves(page) == [*means, "resnet20 test, seed 1", "resnet20 published"]
    assert page.url.endswith("#airbench94,resnet20")
    click(page, "airbench94", modifiers=["Shift"])
    assert curves(page) == ["resnet20 test, seed 1", "resnet20 published"]
    row(page, "airbench94").locator("td").nth(2).click()
    assert curves(page) == means


def test_the_keyboard_reaches_every_recipe_and_enter_shows_it(page):
    page.get_by_label("only what has been run").focus()
    page.keyboard.press("Space")
    count = recipe_links(page).count()

    reached = {}
    while focused(page) or not reached:
        page.keyboard.press("Tab")
        reached |= {focused(page): None} if focused(page) else {}
        if len(reached) == count:
            break

    assert {name for name, _ in RECIPES} < set(reached)
    page.keyboard.press("Enter")
    assert page.url.endswith(f"#{list(reached)[-1]}")
    assert row(page, list(reached)[-1]).get_attribute("aria-current") == "true"


def test_the_legend_hides_a_curve_by_keyboard(page):
    name = page.locator(".u-legend th").nth(1)

    name.focus()
    page.keyboard.press("Enter")

    assert "u-off" in page.locator(".u-legend .u-series").nth(1).get_attribute("class")


def test_a_link_to_a_recipe_shows_it_even_if_the_table_hides_it(page, address):
    assert not row(page, "resnet32").is_visible()

    page.goto(f"{address}#resnet32")

    assert row(page, "resnet32").is_visible()
    assert curves(page) == ["resnet32 published"]
    page.go_back()
    assert curves(page) == ["resnet20 test, seed 1", "resnet20 published"]
    page.go_forward()
    assert curves(page) == ["resnet32 published"]


def test_a_link_opened_afresh_shows_its_recipe(browser, address):
    page = browser.new_page()

    page.goto(f"{address}#airbench94,resnet20_cv")

    assert len(curves(page)) == 4
    assert page.locator("#facts h3").all_inner_texts() == [
        "airbench94",
        "resnet20_cv: ResNet-20, neon, with RandAugment and mixup",
    ]
    page.close()


def test_a_recipe_without_curves_says_so_and_how_to_run_it(page):
    page.get_by_label("only what has been run").uncheck()

    click(page, "resnet20_cv")

    assert page.get_by_role("heading", name="Curves: resnet20_cv").is_visible()
    assert "not run" in page.locator("#chart").inner_text()
    assert "cifar-keras train --recipe resnet20_cv" in page.locator("#facts").inner_text()


def test_the_facts_link_to_system_source_and_card(page):
    click(page, "resnet20")

    links = page.locator("#facts a").evaluate_all("all => all.map((a) => a.getAttribute('href'))")
    assert links == [
        "#resnet20",
        "system_c.md",
        "https://github.com/apark263/cfmz",
        "cards/card_resnet20_seed-1.md",
    ]
    page.get_by_text("How the verdict is reached").click()
    assert page.get_by_role("link", name="docs/verdict.md").is_visible()


def test_no_value_is_shown_beyond_the_end_of_a_run(page):
    click(page, "resnet20")
    click(page, "resnet20-budget-0.1", modifiers=["Control"])
    page.get_by_label("against").select_option("epochs")

    over = page.locator(".u-over")
    over.hover(position={"x": 0.9 * over.bounding_box()["width"], "y": 20})

    values = legend(page)
    shown = {name for name, value in values.items() if value.endswith(" %")}
    assert "resnet20, budget 0.1 test, seed 1" in values.keys() - shown
    assert {"resnet20 test, seed 1", "resnet20 published"} <= shown


def test_a_drop_of_the_learning_rate_is_not_hidden_by_the_grid(page):
    # The strongest ink around epoch 90, where the rate drops, and around epoch 100, where there is
    # only a line of the grid; both are away from the curves.
    drop, grid = page.evaluate(
        """() => {
          const canvas = document.querySelector("#chart canvas");
          const over = document.querySelector("#chart .u-over");
          const scale = canvas.width / canvas.clientWidth;
          const y = Math.round((over.offsetTop + 0.45 * over.clientHeight) * scale);
          const { data } = canvas.getContext("2d").getImageData(0, y, canvas.width, 1);
          const paper = matchMedia("(prefers-color-scheme: dark)").matches ? 0 : 255;
          return [90, 100].map((epoch) => {
            const x = Math.round((over.offsetLeft + (epoch - 1) / 179 * over.clientWidth) * scale);
            const inks = [-2, -1, 0, 1, 2].map((away) => 4 * (x + away))
              .map((at) => Math.abs(paper - data[at]) * data[at + 3] / 255);
            return Math.max(...inks);
          });
        }"""
    )

    assert drop > 2 * grid > 0


def test_seeds_are_faint_and_the_mean_is_bold_in_the_legend(page):
    click(page, "airbench94")

    names = page.locator(".u-legend .u-series th")
    weights = names.evaluate_all("all => all.map((th) => getComputedStyle(th).fontWeight)")
    assert weights[1:] == ["400", "400", "400", "700"]
    opacity = page.locator(".u-legend .u-marker").evaluate_all(
        "all => all.map((each) => getComputedStyle(each).opacity)"
    )
    assert opacity[-1] == "1"
    assert set(opacity[-4:-1]) == {"0.5"}


def test_hostile_text_is_shown_as_it_is(browser, tmp_path, make_run):
    hostile = '"><img src=q onerror=alert(1)></script>'
    resnet20 = dict(RECIPES)["resnet20"]
    reference = resnet20.reference.model_copy(update={"source": hostile})
    recipe = resnet20.model_copy(
        update={"title": hostile, "system": hostile, "reference": reference}
    )
    provenance = {"hardware": {"cpu": hostile}, "versions": {"tensorflow": hostile}}
    make_run(tmp_path, recipe, accuracies=[0.9], name="own", provenance=provenance)
    [found] = collect([], [tmp_path]).rows
    (tmp_path / "index.html").write_text(index_html([replace(found, slug=hostile)]))
    page = browser.new_page()

    page.goto((tmp_path / "index.html").as_uri())
    recipe_links(page).click()

    assert page.locator("img").count() == 0
    assert page.locator("#facts").inner_text().count(hostile) == 5
    page.close()


def test_a_heading_sorts_with_what_was_not_measured_last(page):
    page.get_by_role("button", name="ours, as compared, %").click()

    order = recipe_links(page).all_inner_texts()
    assert order == ["resnet20, budget 0.1", "resnet20", "airbench94"]
