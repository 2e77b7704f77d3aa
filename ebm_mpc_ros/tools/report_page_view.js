// What all figures share: drawing, the time in view, the cursor. One scope with the files after it.

const NS = "http://www.w3.org/2000/svg";
const LEFT = 54, RIGHT = 10, TOP = 6, BOTTOM = 20, LABEL = 12, CHART = 168, ROW = 27;
const STEP = 0.01, SHORTEST_VIEW = 0.05, ELLIPSES = 40, VISIBLE = 4, CROWD = 50;
// Of so many values this share may lie beyond the axis if it would span so many times as much.
const MANY = 50, FEW = 0.003, WILD = 8;
const data = JSON.parse(document.getElementById("report-data").textContent);
const end = Math.max(data.duration, SHORTEST_VIEW);
const view = { from: 0, to: end, at: null };
const output = document.getElementById("time");
const figures = [];

// Small tools

function element(name, attributes, parent) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (parent) parent.append(made);
  return made;
}

function text(content, attributes, parent) {
  element("text", attributes, parent).textContent = content;
}

const colour = (index) => `var(--c${index})`;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// Index of the last of rising `values` that is not above `value`; -1 where all are.
function before(values, value) {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= value) low = middle + 1; else high = middle;
  }
  return low - 1;
}

function nearest(values, value) {
  const k = before(values, value);
  if (k < 0) return values.length ? 0 : -1;
  return k + 1 < values.length && values[k + 1] - value < value - values[k] ? k + 1 : k;
}

function shown(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(2);
  return String(+value.toPrecision(4));
}

function ticks(low, high, most) {
  const raw = (high - low) / Math.max(most, 1), power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++)
    found.push([k * step, (k * step).toFixed(Math.min(digits, 9)).replace(/^-(0\.?0*)$/, "$1")]);
  return found;
}

function logTicks(low, high) {
  const found = [];
  const few = Math.log10(high / low) > 1.5;
  for (let d = Math.floor(Math.log10(low)); d <= Math.ceil(Math.log10(high)); d++)
    for (const m of few ? [1] : [1, 2, 5]) {
      const value = m * 10 ** d;
      if (value >= low && value <= high) found.push([value, String(+value.toPrecision(1))]);
    }
  return found;
}

function swatch(item, series) {
  const svg = element("svg", { width: 24, height: 12, "aria-hidden": "true" }, item);
  const stroke = colour(series.colour);
  if (series.draw === "band")
    element("rect", { x: 1, y: 1, width: 22, height: 10, fill: stroke, opacity: 0.25 }, svg);
  else if (series.draw === "points")
    for (const x of [5, 12, 19]) element("circle", { cx: x, cy: 6, r: 2, fill: stroke }, svg);
  else if (series.draw === "ring")
    element("ellipse", { cx: 12, cy: 6, rx: 9, ry: 4, fill: "none", stroke }, svg);
  else if (series.draw === "disc")
    element("circle", { cx: 12, cy: 6, r: 5, fill: stroke, opacity: 0.6 }, svg);
  else
    element("line", {
      x1: 1, x2: 23, y1: 6, y2: 6, stroke, "stroke-width": series.width || 2,
      "stroke-dasharray": dashes(series),
    }, svg);
}

function dashes(series) {
  return series.draw === "level" ? "2 3" : series.dashed ? "6 3" : "none";
}

function legend(host, entries) {
  const list = document.createElement("ul");
  list.className = "legend";
  const items = entries.map((series) => {
    const item = document.createElement("li");
    if (series.colour !== undefined) swatch(item, series);
    const name = document.createElement("span"), value = document.createElement("span");
    name.textContent = series.name;
    value.className = `value ${series.draw || ""}`;
    item.append(name, value);
    list.append(item);
    return { name, value };
  });
  host.append(list);
  return items;
}

function canvas(host, spoken) {
  const svg = element("svg", { class: "plot", role: "img", tabindex: 0, "aria-label": spoken });
  host.append(svg);
  return svg;
}

function sized(svg, height) {
  const width = Math.max(svg.parentElement.clientWidth, 200);
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  return width;
}

// What all figures over time share

function setView(from, to) {
  const length = clamp(to - from, SHORTEST_VIEW, end);
  view.from = clamp(from, 0, end - length);
  view.to = view.from + length;
  drawAll();
}

function zoom(factor) {
  const middle = view.at !== null && view.at >= view.from && view.at <= view.to
    ? view.at : 0.5 * (view.from + view.to);
  setView(middle - (middle - view.from) * factor, middle + (view.to - middle) * factor);
}

function pan(share) {
  const by = share * (view.to - view.from);
  setView(view.from + by, view.to + by);
}

function setCursor(time) {
  view.at = time === null ? null : clamp(time, 0, end);
  for (const figure of figures) figure.point();
  tell();
}

function goTo(time) {
  view.at = clamp(time, 0, end);
  const half = 0.5 * (view.to - view.from);
  if (time < view.from || time > view.to) setView(time - half, time + half);
  else setCursor(time);
}

function tell() {
  const span = `${view.from.toFixed(2)} to ${view.to.toFixed(2)} s`;
  output.textContent = view.at === null ? span : `${span}, cursor at ${view.at.toFixed(2)} s`;
}

function drawAll() {
  for (const figure of figures) {
    figure.draw();
    figure.point();
  }
  tell();
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const step = STEP * (view.to - view.from);
  const at = view.at === null ? view.from : view.at;
  const actions = {
    ArrowLeft: () => event.shiftKey ? pan(-0.25) : goTo(at - step),
    ArrowRight: () => event.shiftKey ? pan(0.25) : goTo(at + step),
    Home: () => goTo(view.from),
    End: () => goTo(view.to),
    "+": () => zoom(0.5),
    "=": () => zoom(0.5),
    "-": () => zoom(2),
    0: () => setView(0, end),
    Escape: () => { setCursor(null); setView(0, end); },
  };
  if (!(event.key in actions)) return;
  event.preventDefault();
  actions[event.key]();
}

// Pointer and keys on a figure whose horizontal axis is the run's time.
function listen(svg, scale) {
  let start = null, chosen = null;
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    return (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
  };
  svg.addEventListener("pointermove", (event) => {
    const x = clamp(place(event), LEFT, scale.right());
    setCursor(scale.time(x));
    if (start === null) return;
    if (!chosen) chosen = element("rect", { class: "chosen", y: 0, height: 9999 }, svg);
    chosen.setAttribute("x", Math.min(start, x));
    chosen.setAttribute("width", Math.abs(x - start));
  });
  svg.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch" || event.button !== 0) return;
    start = clamp(place(event), LEFT, scale.right());
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointerup", (event) => {
    if (start === null) return;
    const x = clamp(place(event), LEFT, scale.right()), from = start;
    start = null;
    if (chosen) chosen.remove();
    chosen = null;
    if (Math.abs(x - from) > 5)
      setView(scale.time(Math.min(x, from)), scale.time(Math.max(x, from)));
  });
  svg.addEventListener("pointerleave", () => { if (start === null) setCursor(null); });
  svg.addEventListener("dblclick", () => setView(0, end));
  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8);
  }, { passive: false });
  svg.addEventListener("keydown", onKey);
}

function timeScale() {
  let right = 100;
  return {
    right: () => right,
    fit: (width) => { right = width - RIGHT; },
    x: (time) => LEFT + (time - view.from) / (view.to - view.from) * (right - LEFT),
    time: (x) => view.from + (x - LEFT) / (right - LEFT) * (view.to - view.from),
  };
}

function timeAxis(svg, x, width, top, bottom) {
  for (const [time, label] of ticks(view.from, view.to, width / 90)) {
    element("line", { class: "grid", x1: x(time), x2: x(time), y1: top, y2: bottom }, svg);
    const edge = x(time) > width - 30;
    text(`${label} s`,
      { x: edge ? width : x(time), y: bottom + 13, "text-anchor": edge ? "end" : "middle" }, svg);
  }
}

function clipped(svg, right, bottom) {
  const id = `clip-${clipped.next = (clipped.next || 0) + 1}`;
  const clip = element("clipPath", { id }, svg);
  element("rect", { x: LEFT, y: 0, width: right - LEFT, height: bottom + 1 }, clip);
  return element("g", { "clip-path": `url(#${id})` }, svg);
}
