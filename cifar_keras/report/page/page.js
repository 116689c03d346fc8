"use strict";
const find = (id) => document.getElementById(id);
const charts = JSON.parse(find("data").textContent);
const chosen = new Set();
const COLORS = 6;
let plot = null;

// The table: sort by a heading, filter by words, choose curves by a row.

function sortBy(heading) {
  const column = heading.cellIndex;
  const up = heading.getAttribute("aria-sort") !== "ascending";
  const numeric = heading.classList.contains("number");
  const value = (row) => {
    const cell = row.cells[column];
    return numeric ? parseFloat(cell.dataset.value) : cell.textContent;
  };
  const rows = [...document.querySelectorAll("tbody tr")].filter((row) => row.dataset.chart);
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
  document.querySelectorAll("tr[data-chart]").forEach((row) => {
    const text = `${row.textContent} ${row.title}`.toLowerCase();
    row.hidden = (only && row.classList.contains("not-run")) || !words.every((w) => text.includes(w));
  });
}

// The chart: each line is one series of uPlot.

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function linesOf(chart, place) {
  const color = style(`--s${place % COLORS}`);
  const share = find("axis").value === "share";
  const lines = [];
  const add = (label, points, length, look) => {
    if (!points) return;
    const x = share ? points[0].map((epoch) => epoch / length) : points[0];
    const label_ = `${chart.name} ${label}`;
    lines.push({ data: [x, points[1]], series: { label: label_, stroke: color, ...look } });
  };
  const quantity = find("quantity").value;
  for (const kind of ["test", "train"]) {
    if (quantity !== "both" && quantity !== kind) continue;
    const dash = kind === "train" ? [2, 3] : undefined;
    const several = chart.mean !== null;
    for (const run of chart.runs) {
      const look = several ? { width: 1, alpha: 0.45 } : { width: 2 };
      add(`${kind}, seed ${run.seed}`, run[kind], chart.epochs, { dash, ...look });
    }
    if (several) add(`${kind}, mean`, chart.mean[kind], chart.epochs, { dash, width: 2.5 });
  }
  if (quantity !== "train") add("published", chart.published, chart.full, { dash: [7, 5], width: 1.5 });
  return lines;
}

// Where a line has no point under the cursor, its nearest one.
function nearest(u, series, index) {
  const values = u.data[series];
  if (series === 0 || values[index] != null) return index;
  for (let away = 1; away < values.length; away++) {
    if (values[index - away] != null) return index - away;
    if (values[index + away] != null) return index + away;
  }
  return null;
}

function drawSteps(u) {
  const share = find("axis").value === "share";
  const { ctx, bbox } = u;
  ctx.save();
  ctx.strokeStyle = style("--quiet");
  ctx.lineWidth = devicePixelRatio;
  for (const chart of charts.filter((each) => chosen.has(each.id))) {
    for (const step of chart.steps) {
      const x = u.valToPos(share ? step / chart.epochs : step, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
  }
  ctx.restore();
}

// uPlot hears the mouse alone: one finger moves the cursor, two zoom.
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

function draw() {
  const shown = charts.filter((chart) => chosen.has(chart.id));
  const lines = shown.flatMap(linesOf);
  if (plot) plot.destroy();
  plot = null;
  find("chart").textContent = lines.length ? "" : "Choose a recipe above.";
  if (!lines.length) return;
  const share = find("axis").value === "share";
  const percent = (value) => (value == null ? "–" : `${value.toFixed(2)} %`);
  const axis = { stroke: style("--ink"), grid: { stroke: style("--line"), width: 1 },
    ticks: { stroke: style("--line"), width: 1 }, font: "12px system-ui", labelFont: "13px system-ui" };
  const x = share
    ? { label: "share of the schedule", values: (u, at) => at.map((v) => `${Math.round(100 * v)} %`) }
    : { label: "epoch" };
  const at = (u, value) => (share ? `${(100 * (value ?? 0)).toFixed(1)} %` : value ?? "–");
  const options = {
    width: find("chart").clientWidth,
    height: Math.max(320, Math.min(520, innerHeight * 0.6)),
    scales: { x: { time: false }, y: { distr: find("log").checked ? 3 : 1 } },
    axes: [{ ...axis, ...x }, { ...axis, label: "error, %", size: 52 }],
    cursor: { dataIdx: nearest, drag: { x: true, y: false }, focus: { prox: 24 },
      points: { size: 7, fill: (u, at) => u.series[at].stroke(u, at) } },
    legend: { markers: { dash: (u, at) => (u.series[at].dash ? "dashed" : "solid") } },
    focus: { alpha: 0.35 },
    series: [{ label: share ? "share" : "epoch", value: at },
      ...lines.map((line) => ({ ...line.series, points: { show: line.data[0].length <= 30, fill: style("--paper") },
        value: (u, value) => percent(value) }))],
    hooks: { drawClear: [drawSteps], ready: [touch] },
  };
  plot = new uPlot(options, uPlot.join(lines.map((line) => line.data)), find("chart"));
}

function zoomToEnd() {
  if (!plot) return;
  const share = find("axis").value === "share";
  const from = charts.filter((chart) => chosen.has(chart.id)).map((chart) => {
    const step = chart.steps.length ? chart.steps[0] : chart.epochs / 2;
    return share ? step / chart.epochs : step;
  });
  const xs = plot.data[0];
  plot.setScale("x", { min: Math.min(...from), max: xs[xs.length - 1] });
}

function choose(id, on) {
  if (on) chosen.add(id);
  else chosen.delete(id);
  document.querySelector(`#recipes input[value="${CSS.escape(id)}"]`).checked = on;
  draw();
}

function addChoices() {
  for (const chart of charts) {
    const label = document.createElement("label");
    const box = document.createElement("input");
    Object.assign(box, { type: "checkbox", value: chart.id });
    box.addEventListener("change", () => choose(chart.id, box.checked));
    label.append(box, ` ${chart.name}${chart.runs.length ? "" : " (published only)"}`);
    find("recipes").append(label);
  }
}

addChoices();
const known = new Set(charts.map((chart) => chart.id));
document.querySelectorAll("tr[data-chart]").forEach((row) => {
  if (!known.has(row.dataset.chart)) return;
  row.classList.add("has-chart");
  row.addEventListener("click", () => {
    choose(row.dataset.chart, !chosen.has(row.dataset.chart));
    if (chosen.has(row.dataset.chart)) find("curves").scrollIntoView({ behavior: "smooth" });
  });
});
document.querySelectorAll("thead th").forEach((th) => th.addEventListener("click", () => sortBy(th)));
filterRows();
find("only-run").addEventListener("change", filterRows);
find("filter").addEventListener("input", filterRows);
for (const id of ["quantity", "axis", "log"]) find(id).addEventListener("change", draw);
find("end").addEventListener("click", zoomToEnd);
find("whole").addEventListener("click", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
addEventListener("resize", () => plot && plot.setSize({ width: find("chart").clientWidth, height: plot.height }));
if (charts.length) {
  const first = charts.reduce((a, b) => (b.runs.length > a.runs.length ? b : a));
  if (first.epochs !== first.full) find("axis").value = "share";
  choose(first.id, true);
}
