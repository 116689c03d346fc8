"""Pages of the site that are generated: results, recipes, commands, notebooks, and their links.

A link in a page is relative to its file in the repository, so that it works there, too. On the site
it leads to the page made from that file, or else to the file in the repository (PROJECT_URL).
"""

import argparse
import posixpath
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import nbformat
import yaml
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
RESULTS = re.compile(r"(<!-- results: .*?<!-- end of results -->)", flags=re.DOTALL)
PLACE = re.compile(r"<!-- The site has README's results here. -->")
FENCE = re.compile(r"(^ *```.*?^ *```$)", flags=re.DOTALL | re.MULTILINE)

# From paths in the repository to those of their pages, and back for pages from outside of docs/.
pages: dict[str, str] = {"README.md": "index.md"}
sources: dict[str, str] = {}


def on_files(files, config):
    """Add what lies outside of docs/, and what is generated."""
    for name in ("CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md"):
        page = "benchmarks.md" if name.startswith("benchmarks") else name.lower()
        _add(files, config, page, name, content=(ROOT / name).read_text())
    reports = ROOT / "reports"
    for path in sorted([*reports.glob("*.md"), *reports.glob("cards/*.md")]):
        name = path.relative_to(ROOT).as_posix()
        _add(files, config, name, name, content=path.read_text())
    for path in sorted([*reports.glob("*.csv"), *reports.glob("*.svg"), *reports.glob("curves/*")]):
        name = path.relative_to(ROOT).as_posix()
        _add(files, config, name, name, abs_src_path=str(path))
    _add(files, config, "reports/index.html", "reports/index.html", content=_page())
    for name, content in _recipes():
        _add(files, config, f"catalog/{name}.md", f"recipes/{name}.yaml", content=content)
    _add(files, config, "catalog/index.md", "recipes", content=_recipe_list())
    _add(files, config, "reference/commands.md", "", content=_commands())
    _add(files, config, "reference/python.md", "", content=_python())
    for path in sorted((ROOT / "examples").glob("*.ipynb")):
        name = f"examples/{path.stem}"
        _add(files, config, f"{name}.md", f"{name}.ipynb", content=_notebook(path))
    return files


def on_page_markdown(markdown, page, config, files):
    """Point each link at the page of the file that it names, outside of code."""
    source = sources.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    folder = "recipes" if source == "recipes" else posixpath.dirname(source)

    if source == "docs/index.md":
        results = RESULTS.search((ROOT / "README.md").read_text())[1]
        markdown = PLACE.sub(lambda _: results.replace("](reports/", "](../reports/"), markdown)

    def point(match):
        mark, text, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        path, anchor = re.match(r"([^#]*)(#.*)?", target).groups()
        path = posixpath.normpath(posixpath.join(folder, path))
        uri = pages.get(path)
        if uri is None and path.startswith("docs/"):
            uri = path.removeprefix("docs/")
        if uri is not None:
            target = posixpath.relpath(uri, posixpath.dirname(page.file.src_uri) or ".")
            return f"{mark}[{text}]({target}{anchor or ''})"
        if not (ROOT / path).exists():
            return match[0]  # strict mode reports it
        if config.repo_url:
            return f"[{text}]({config.repo_url.rstrip('/')}/blob/main/{path})"
        return text

    parts = FENCE.split(markdown)
    parts[::2] = [LINK.sub(point, part) for part in parts[::2]]
    return "".join(parts)


def _add(files, config, uri, name, **what):
    files.append(File.generated(config, uri, **what))
    if name:
        pages[name], sources[uri] = uri, name


def _page() -> str:
    """Return the report's page, its links to Markdown turned to the site's."""
    text = (ROOT / "reports" / "index.html").read_text()
    text = re.sub(r'href="\.\./docs/([^":]+)\.md"', r'href="../\1/"', text)
    return re.sub(r'href="([^":]+)\.md"', r'href="\1/"', text)


def _recipes() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "recipes").glob("*.yaml")):
        text = path.read_text()
        keys = yaml.safe_load(text)
        base = keys.get("base")
        below = f"Everything else is as in [`{base}`]({base}.yaml).\n\n" if base else ""
        yield (
            path.stem,
            f"# {path.stem}\n\n{keys['title']}.\n\n"
            f'```yaml title="recipes/{path.name}"\n{text}```\n\n'
            f"{below}`cifar-keras recipes show {path.stem} --yaml` prints it in full. "
            "[All results](../reports/comparison.md), [about recipes](../docs/recipes.md).\n",
        )


def _recipe_list() -> str:
    from cifar_keras.recipe import load_recipe
    from cifar_keras.report.systems import SYSTEMS

    groups: dict[str, list[str]] = {}
    for path in sorted((ROOT / "recipes").glob("*.yaml")):
        recipe = load_recipe(path)
        published = f"{recipe.reference.accuracy} %" if recipe.reference else ""
        cells = (f"[`{path.stem}`]({path.name})", recipe.title, recipe.dataset, published)
        groups.setdefault(recipe.system, []).append(f"| {' | '.join(cells)} |\n")
    text = "# Recipe files\n\nA recipe is a YAML file that says how one network is trained.\n"
    for system in sorted(groups, key=lambda name: (name not in SYSTEMS, name)):
        title = f"{SYSTEMS[system].name} (system {system})" if system in SYSTEMS else system
        text += f"\n## {title}\n\n"
        if system in SYSTEMS:
            text += f"[Results](../reports/system_{system.lower()}.md)\n\n"
        text += "| recipe | title | data | published accuracy |\n| --- | --- | --- | ---: |\n"
        text += "".join(groups[system])
    return text


def _commands() -> str:
    from cifar_keras.cli.parser import _parser

    text = "# Commands\n\nGenerated from the help: `cifar-keras COMMAND --help` prints the same.\n"
    return text + "".join(_command(_parser(), 2))


def _command(parser: argparse.ArgumentParser, level: int) -> Iterator[str]:
    below = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    if parser.prog != "cifar-keras":
        yield f"\n{'#' * level} {parser.prog}\n\n{parser.description or ''}\n\n"
        parser.formatter_class = partial(argparse.HelpFormatter, width=80)
        yield f"```text\n{parser.format_usage().removeprefix('usage: ')}```\n\n"
        for each in parser._actions:
            if each not in below and each.dest != "help":
                yield _option(each)
    for action in below:
        for child in dict.fromkeys(action.choices.values()):
            yield from _command(child, level if parser.prog == "cifar-keras" else level + 1)


def _option(action: argparse.Action) -> str:
    name = ", ".join(action.option_strings) or action.metavar or action.dest
    value = action.metavar or "|".join(map(str, action.choices or []))
    if action.option_strings and action.nargs != 0 and value:
        name += f" {value}"
    text = (action.help or "").replace("%%", "%").replace("<", "&lt;")
    return f"`{name}`\n:   {text}\n\n"


def _python() -> str:
    """Return the reference of the names of `cifar_keras`, each by the module that defines it."""
    import cifar_keras

    text = "# Python\n\n```python\nimport cifar_keras as ck\n```\n\n"
    for name in sorted(cifar_keras.__all__, key=lambda name: name[0].isupper()):
        # Modules have pages of their own, and the version is no function.
        if name in ("__version__", "layers", "models"):
            continue
        value = getattr(cifar_keras, name)
        text += f"::: {value.__module__}.{value.__qualname__}\n\n"
    return text + "See also [layers](layers.md), [networks](models.md), [examples](../python.md).\n"


def _notebook(path: Path) -> str:
    """Return a notebook as Markdown, with the text and the images of its outputs."""
    parts = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code":
            parts.append(f"```python\n{cell.source}\n```")
            parts.extend(map(_output, cell.outputs))
    parts.append(f"The notebook itself: `examples/{path.name}`.")
    return "\n\n".join(parts) + "\n"


def _output(output) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        picture = data["image/png"].replace("\n", "")
        return f'<img alt="output" src="data:image/png;base64,{picture}">'
    if "text/html" in data:
        # Without a class it is a table like any other of the site.
        table = re.sub(r"<style.*?</style>", "", data["text/html"], flags=re.DOTALL)
        return table.replace('border="1" class="dataframe"', "")
    return f"```text\n{output.get('text') or data.get('text/plain', '')}\n```"
