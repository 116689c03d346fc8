"use strict";
const find = (id) => document.getElementById(id);
const charts = JSON.parse(find("data").textContent);
const byId = new Map(charts.map((chart) => [chart.id, chart]));
const rows = [...document.querySelectorAll("tr[data-chart]")];
const hasCurve = (chart) => chart.runs !== undefined;
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const COLORS = 6;
let chosen = [];
let axisChosen = false;
let plot = null;

function element(tag, text, properties = {}) {
  return Object.assign(document.createElement(tag), { textContent: text, ...properties });
}

// The table: sort by a heading, filter by words.

function sortBy(heading) {
  const column = heading.cellIndex;
  const up = heading.getAttribute("aria-sort") !== "ascending";
  const numeric = heading.classList.contains("number");
  const value = (row) => {
    const cell = row.cells[column];
    return numeric ? parseFloat(cell.dataset.value) : cell.textContent;
  };
  rows.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (numeric && (isNaN(x) || isNaN(y))) return isNaN(x) - isNaN(y);
    const order = numeric ? x - y : x.localeCompare(y, "en", { numeric: true });
    return up ? order : -order;
  });
  heading.closest("tr").querySelectorAll("th").forEach((th) => th.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  document.querySelector(".scroll tbody").append(...rows);
}

function filterRows() {
  const words = find("filter").value.toLowerCase().split(/\s+/);
  const only = find("only-run").checked;
  for (const row of rows) {
    const text = `${row.textContent} ${row.title}`.toLowerCase();
    row.hidden = (only && row.classList.contains("not-run")) || !words.every((w) => text.includes(w));
  }
}

// What is chosen: the address names it, so that a link to a recipe is `#resnet20`.

function fromAddress() {
  let ids;
  try {
    ids = location.hash.slice(1).split(",").map(decodeURIComponent);
  } catch {
    return false;
  }
  if (!ids.every((id) => byId.has(id))) return false;
  const hidden = rows.filter((row) => row.hidden && ids.includes(row.dataset.chart));
  if (hidden.length) {
    find("only-run").checked = false;
    find("filter").value = "";
    filterRows();
  }
  show(ids);
  return true;
}

function choose(ids) {
  const address = `#${ids.map(encodeURIComponent).join(",")}`;
  if (ids.length && address !== location.hash) history.pushState(null, "", address);
  show(ids);
}

function toggle(id) {
  choose(chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id]);
}

function show(ids) {
  chosen = ids;
  for (const row of rows) {
    if (ids.includes(row.dataset.chart)) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
  for (const box of document.querySelectorAll("#recipes input")) box.checked = ids.includes(box.value);
  const shown = ids.map((id) => byId.get(id));
  const lengths = new Set(shown.filter(hasCurve).flatMap((chart) => [chart.epochs, chart.full]));
  if (!axisChosen) find("axis").value = lengths.size > 1 ? "share" : "epochs";
  draw();
  find("facts").replaceChildren(...shown.map(factsOf));
}

function scrollToCurves() {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  find("curves").scrollIntoView({ behavior: still ? "auto" : "smooth" });
}

function rowClicked(row, event) {
  const link = event.target.closest("a");
  if (link && link.parentElement.tagName !== "TH") return;
  if (!link && getSelection().toString()) return;
  event.preventDefault();
  if (event.ctrlKey || event.metaKey || event.shiftKey) {
    toggle(row.dataset.chart);
    return;
  }
  choose([row.dataset.chart]);
  scrollToCurves();
}

function addChoices() {
  for (const chart of charts.filter(hasCurve)) {
    const label = document.createElement("label");
    const box = element("input", "", { type: "checkbox", value: chart.id });
    box.addEventListener("change", () => toggle(chart.id));
    label.append(box, ` ${chart.name}${chart.runs.length ? "" : chart.unfinished ? " (unfinished)" : " (published only)"}`);
    find("recipes").append(label);
  }
}

// Below the chart: all columns of the recipe's row, its source and its cards.

function factsOf(chart) {
  const row = rows.find((each) => each.dataset.chart === chart.id);
  const headings = document.querySelectorAll("thead th");
  const facts = document.createElement("dl");
  const add = (name, ...content) => {
    const pair = document.createElement("div");
    const value = document.createElement("dd");
    value.append(...content);
    pair.append(element("dt", name), value);
    facts.append(pair);
  };
  for (const cell of [...row.cells].slice(1)) {
    add(headings[cell.cellIndex].textContent, ...cell.cloneNode(true).childNodes);
  }
  if (chart.source.length) {
    add("published in", ...chart.source.map(([words, href]) => (href ? element("a", words, { href }) : words)));
  }
  if (chart.cards.length) {
    add("model card", ...chart.cards.flatMap(([words, href]) => [element("a", words, { href }), " "]));
  }
  if (row.classList.contains("not-run")) add("to run it", element("code", `cifar-keras train --recipe ${chart.id}`));
  const about = document.createElement("article");
  const heading = document.createElement("h3");
  heading.append(element("a", chart.name, { href: `#${encodeURIComponent(chart.id)}` }));
  if (chart.title !== chart.name) heading.append(`: ${chart.title}`);
  about.append(heading, facts);
  return about;
}

// The chart: each line is one series of uPlot.

function linesOf(chart, place) {
  const color = style(`--s${place % COLORS}`);
  const share = find("axis").value === "share";
  const lines = [];
  const add = (label, points, length, look) => {
    if (!points) return;
    const x = share ? points[0].map((epoch) => epoch / length) : points[0];
    lines.push({ data: [x, points[1]], series: { label: `${chart.name} ${label}`, stroke: color, ...look } });
  };
  const quantity = find("quantity").value;
  for (const kind of ["test", "train"]) {
    if (quantity !== "both" && quantity !== kind) continue;
    const dash = kind === "train" ? [2, 3] : undefined;
    const several = chart.mean !== null;
    for (const run of chart.runs) {
      const look = several ? { width: 1, alpha: 0.45, class: "faint" } : { width: 2 };
      add(`${kind}, seed ${run.seed}`, run[kind], chart.epochs, { dash, ...look });
    }
    if (several) add(`${kind}, mean`, chart.mean[kind], chart.epochs, { dash, width: 2.5, class: "strong" });
  }
  for (const run of quantity === "train" ? [] : (chart.unfinished ?? [])) {
    add(`test, seed ${run.seed}, unfinished at epoch ${run.epoch}`, run.test, chart.epochs, { width: 1.5 });
  }
  if (quantity !== "train") add("published", chart.published, chart.full, { dash: [7, 5], width: 1.5 });
  return lines;
}

// Where a line has no point under the cursor, its nearest one; none before its first or after its last.
function nearest(u, series, index) {
  const values = u.data[series];
  let [before, after] = [index, index];
  while (before >= 0 && values[before] == null) before--;
  while (after < values.length && values[after] == null) after++;
  if (before < 0 || after === values.length) return null;
  return index - before <= after - index ? before : after;
}

// Over the grid and under the curves.
function drawSteps(u) {
  const share = find("axis").value === "share";
  const { ctx, bbox } = u;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = style("--quiet");
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.font = `${11 * devicePixelRatio}px system-ui`;
  ctx.textAlign = "left";
  let labeled = -Infinity;
  for (const chart of chosen.map((id) => byId.get(id)).filter(hasCurve)) {
    for (const step of chart.steps) {
      const x = u.valToPos(share ? step / chart.epochs : step, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      if (Math.abs(x - labeled) < 60 * devicePixelRatio) continue;
      ctx.fillText("lr drop", x + 4 * devicePixelRatio, bbox.top + 12 * devicePixelRatio);
      labeled = x;
    }
  }
  ctx.restore();
}

// uPlot listens to the mouse only: one finger moves the cursor, two zoom.
function touch(u) {
  const fingers = new Map();
  let start = null;
  const places = () => [...fingers.values()].map((x) => x - u.over.getBoundingClientRect().left);
  u.over.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    fingers.set(event.pointerId, event.clientX);
    if (fingers.size === 2) start = places().sort((a, b) => a - b).map((x) => u.posToVal(x, "x"));
  });
  u.over.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, event.clientX);
    const [a, b] = places().sort((x, y) => x - y);
    if (fingers.size === 1) u.setCursor({ left: a, top: 10 });
    if (fingers.size !== 2 || b - a < 10) return;
    const slope = (start[1] - start[0]) / (b - a);
    const min = start[0] - slope * a;
    u.setScale("x", { min, max: min + slope * u.over.clientWidth });
  });
  for (const end of ["pointerup", "pointercancel"]) {
    u.over.addEventListener(end, (event) => fingers.delete(event.pointerId));
  }
}

// The names of the legend hide and show their curves by keyboard, too.
function legendKeys(u) {
  for (const name of u.root.querySelectorAll(".u-legend .u-series:not(:first-child) th")) {
    Object.assign(name, { tabIndex: 0, role: "button" });
    name.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      name.click();
    });
  }
}

const namesOf = (shown) => shown.map((chart) => chart.name).join("; ");

function emptyChart(shown) {
  if (!shown.length) return "Choose a recipe in the table.";
  if (find("quantity").value === "train" && shown.some(hasCurve)) return "No train error: not run.";
  return "No curve: not run, and no curve was published.";
}

function draw() {
  const shown = chosen.map((id) => byId.get(id));
  const lines = shown.filter(hasCurve).flatMap(linesOf);
  if (plot) plot.destroy();
  plot = null;
  find("chart").textContent = lines.length ? "" : emptyChart(shown);
  find("shown").textContent = shown.length ? `: ${namesOf(shown)}` : "";
  if (lines.length) plot = new uPlot(optionsOf(lines), uPlot.join(lines.map((line) => line.data)), find("chart"));
}

function optionsOf(lines) {
  const share = find("axis").value === "share";
  const percent = (value) => (value == null ? "–" : `${value.toFixed(2)} %`);
  const axis = { stroke: style("--ink"), grid: { stroke: style("--line"), width: 1 },
    ticks: { stroke: style("--line"), width: 1 }, font: "12px system-ui", labelFont: "13px system-ui" };
  const x = share
    ? { label: "share of the schedule", values: (u, at) => at.map((v) => `${Math.round(100 * v)} %`) }
    : { label: "epoch" };
  const at = (u, value) => (share && value != null ? `${(100 * value).toFixed(1)} %` : value ?? "–");
  const looks = (u, at) => u.series[at];
  return {
    width: find("chart").clientWidth,
    height: Math.max(320, Math.min(520, innerHeight * 0.6)),
    scales: { x: { time: false }, y: { distr: find("log").checked ? 3 : 1 } },
    axes: [{ ...axis, ...x }, { ...axis, label: "error, %", size: 52 }],
    cursor: { dataIdx: nearest, drag: { x: true, y: false }, focus: { prox: 24 },
      points: { size: 7, fill: (u, at) => looks(u, at).stroke(u, at) } },
    legend: { markers: { width: (u, at) => looks(u, at).width,
      dash: (u, at) => (looks(u, at).dash ? "dashed" : "solid") } },
    focus: { alpha: 0.35 },
    series: [{ label: share ? "share" : "epoch", value: at },
      ...lines.map((line) => ({ ...line.series, points: { show: line.data[0].length <= 30, fill: style("--paper") },
        value: (u, value) => percent(value) }))],
    hooks: { drawAxes: [drawSteps], ready: [touch, legendKeys] },
  };
}

function zoomToEnd() {
  if (!plot) return;
  const share = find("axis").value === "share";
  const from = chosen.map((id) => byId.get(id)).filter(hasCurve).map((chart) => {
    const step = chart.steps.length ? chart.steps[0] : chart.epochs / 2;
    return share ? step / chart.epochs : step;
  });
  const xs = plot.data[0];
  plot.setScale("x", { min: Math.min(...from), max: xs[xs.length - 1] });
}

// The fullest evidence: our runs and a published curve, else runs, else a published curve.
function showFirst() {
  const evidence = (chart) => 2 * (chart.runs.length > 0) + (chart.published !== null);
  const [first] = charts.filter(hasCurve).sort((a, b) => evidence(b) - evidence(a));
  if (first) show([first.id]);
}

addChoices();
for (const row of rows) row.addEventListener("click", (event) => rowClicked(row, event));
document.querySelectorAll("thead th").forEach((th) => th.addEventListener("click", () => sortBy(th)));
filterRows();
find("only-run").addEventListener("change", filterRows);
find("filter").addEventListener("input", filterRows);
find("axis").addEventListener("change", () => { axisChosen = true; });
for (const id of ["quantity", "axis", "log"]) find(id).addEventListener("change", draw);
find("end").addEventListener("click", zoomToEnd);
find("whole").addEventListener("click", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
addEventListener("resize", () => plot && plot.setSize({ width: find("chart").clientWidth, height: plot.height }));
addEventListener("hashchange", () => {
  if (fromAddress()) scrollToCurves();
  else if (!location.hash) showFirst();
});
if (fromAddress()) scrollToCurves();
else showFirst();
