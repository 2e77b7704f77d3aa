// Figures over time, and over another axis.

function outline(series, from, to, x, y) {
  const parts = [], step = series.draw === "step";
  let pen = false, last = 0;
  for (let k = from; k <= to; k++) {
    if (series.y[k] === null || series.x[k] === null) { pen = false; continue; }
    const px = x(series.x[k]).toFixed(1), py = y(series.y[k]).toFixed(1);
    if (series.draw === "points") parts.push(`M${px} ${py}h0`);
    else if (!pen) parts.push(`M${px} ${py}`);
    else parts.push(step ? `L${px} ${last}L${px} ${py}` : `L${px} ${py}`);
    pen = true;
    last = py;
  }
  return parts.join("");
}

function area(series, from, to, x, y) {
  const upper = [], lower = [], parts = [];
  const close = () => {
    if (upper.length) parts.push(`M${upper.join("L")}L${lower.reverse().join("L")}Z`);
    upper.length = lower.length = 0;
  };
  for (let k = from; k <= to; k++) {
    if (series.y[k] === null || series.high[k] === null) { close(); continue; }
    const px = x(series.x[k]).toFixed(1);
    upper.push(`${px} ${y(series.high[k]).toFixed(1)}`);
    lower.push(`${px} ${y(series.y[k]).toFixed(1)}`);
  }
  close();
  return parts.join("");
}

// What the vertical axis shows of what is drawn, and what that really spans.
function range(chart, from, to) {
  const found = [], always = chart.zero ? [0] : [];
  const take = (value) => {
    if (value !== null && !(chart.log && value <= 0)) found.push(value);
  };
  for (const series of chart.series) {
    if (series.draw === "level") { always.push(series.y[0]); continue; }
    const first = Math.max(before(series.x, from), 0);
    for (let k = first; k < series.x.length && series.x[k] <= to; k++) {
      take(series.y[k]);
      if (series.high) take(series.high[k]);
    }
  }
  if (!found.length && !always.length) found.push(...chart.log ? [0.1, 10] : [0, 1]);
  const sorted = Float64Array.from(found).sort();
  const within = (few) => {
    const ends = few < sorted.length ? [sorted[few], sorted[sorted.length - 1 - few]] : [];
    return [Math.min(...ends, ...always), Math.max(...ends, ...always)];
  };
  const all = within(0);
  if (chart.log) {
    const low = Math.min(all[0], 0.5), high = Math.max(all[1], 2), margin = (high / low) ** 0.06;
    return [low / margin, high * margin, all];
  }
  // A few wild values must not flatten all others.
  const few = sorted.length < MANY ? 0 : Math.ceil(FEW * sorted.length);
  let [low, high] = within(few);
  if (high === low || all[1] - all[0] < WILD * (high - low)) [low, high] = all;
  if (high === low) high += Math.abs(high) || 1;
  const margin = (high - low) * 0.06;
  return [low - margin, high + margin, all];
}

function chartFigure(host, chart) {
  const own = chart.x !== "";
  const items = legend(host, chart.series);
  const svg = canvas(host, chart.spoken);
  const scale = timeScale();
  let x = scale.x, y = null, marks = null;

  function axes(width, bottom, low, high) {
    const labels = chart.log ? logTicks(low, high) : ticks(low, high, 5);
    for (const [value, label] of labels) {
      element("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) },
        svg);
      text(label, { x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" }, svg);
    }
    text(chart.y, {
      x: -0.5 * (TOP + bottom), y: 11, "text-anchor": "middle", transform: "rotate(-90)",
    }, svg);
    if (!own) return timeAxis(svg, x, width, TOP, bottom);
    const last = Math.max(...chart.series.map((s) => s.x.at(-1) || 0), 1e-3);
    x = (value) => LEFT + value / last * (width - RIGHT - LEFT);
    for (const [value, label] of ticks(0, last, width / 90)) {
      element("line", { class: "grid", x1: x(value), x2: x(value), y1: TOP, y2: bottom }, svg);
      text(label, { x: x(value), y: bottom + 13, "text-anchor": "middle" }, svg);
    }
    text(chart.x, { x: width - 2, y: bottom + 26, "text-anchor": "end" }, svg);
  }

  function draw() {
    const height = CHART + (own ? LABEL : 0);
    const width = sized(svg, height), bottom = height - BOTTOM - (own ? LABEL : 0);
    scale.fit(width);
    const [low, high, all] = own ? range(chart, -Infinity, Infinity) : range(chart, view.from, view.to);
    const f = chart.log ? Math.log : (value) => value;
    y = (value) => {
      if (chart.log && value <= 0) return bottom;
      return bottom - (f(value) - f(low)) / (f(high) - f(low)) * (bottom - TOP);
    };
    axes(width, bottom, low, high);
    const group = clipped(svg, width - RIGHT, bottom);
    for (const series of chart.series) {
      const stroke = colour(series.colour);
      if (series.draw === "level") {
        const at = y(series.y[0]);
        element("line", {
          x1: LEFT, x2: width - RIGHT, y1: at, y2: at, stroke, "stroke-width": 1.3,
          "stroke-dasharray": dashes(series),
        }, group);
        continue;
      }
      const from = own ? 0 : Math.max(before(series.x, view.from), 0);
      const to = own ? series.x.length - 1
        : Math.min(before(series.x, view.to) + 1, series.x.length - 1);
      if (series.draw === "band")
        element("path", { d: area(series, from, to, x, y), fill: stroke, opacity: 0.2 }, group);
      else
        element("path", {
          d: outline(series, from, to, x, y), fill: "none", stroke,
          "stroke-width": series.draw === "points" ? 2.6 : 1.4, "stroke-linejoin": "round",
          "stroke-linecap": series.draw === "points" ? "round" : "butt",
          "stroke-dasharray": dashes(series),
        }, group);
    }
    const beyond = { x: width - RIGHT - 4, "text-anchor": "end", class: "over beyond" };
    if (all[1] > high) text(`▲ up to ${shown(all[1])}`, { ...beyond, y: TOP + 11 }, svg);
    if (all[0] < low) text(`▼ down to ${shown(all[0])}`, { ...beyond, y: bottom - 5 }, svg);
    marks = element("g", {}, svg);
  }

  function point() {
    if (own) return;
    marks.replaceChildren();
    const at = view.at, inside = at !== null && at >= view.from && at <= view.to;
    if (inside)
      element("line", { class: "cursor", x1: x(at), x2: x(at), y1: TOP, y2: CHART - BOTTOM },
        marks);
    chart.series.forEach((series, index) => {
      const k = at === null ? -1
        : series.draw === "step" ? before(series.x, at) : nearest(series.x, at);
      const value = series.draw === "level" ? series.y[0] : k < 0 ? null : series.y[k];
      const fixed = series.draw === "level";
      items[index].value.textContent = at === null && !fixed ? ""
        : series.draw === "band" ? `${shown(value)} … ${shown(k < 0 ? null : series.high[k])}`
          : shown(value);
      if (inside && k >= 0 && value !== null && !["level", "band"].includes(series.draw))
        element("circle", {
          cx: x(series.draw === "step" ? at : series.x[k]), cy: y(value), r: 3,
          fill: colour(series.colour),
        }, marks);
    });
  }

  if (!own) listen(svg, scale);
  return { draw, point };
}

// What went on from when to when

function stripFigure(host, strip) {
  const svg = canvas(host, strip.spoken);
  const told = [];
  const scale = timeScale();
  const bottom = TOP + ROW * strip.rows.length;
  const fills = ["var(--c5)", "var(--warning)", "var(--error)", "var(--error)"];
  let marks = null;

  function draw() {
    const width = sized(svg, bottom + BOTTOM);
    scale.fit(width);
    timeAxis(svg, scale.x, width, TOP, bottom);
    const group = clipped(svg, width - RIGHT, bottom);
    told.length = 0;
    strip.rows.forEach(([name, spans], row) => {
      const base = TOP + ROW * (row + 1) - 2;
      for (const [from, to, level, message] of spans) {
        const left = scale.x(Math.max(from, view.from)), right = scale.x(Math.min(to, view.to));
        if (right < LEFT || left > width) continue;
        const height = 4 + 4 * Math.min(level, 2);
        const bar = element("rect", {
          x: left, y: base - height, width: Math.max(right - left, 2), height,
          fill: fills[level] || fills[2],
        }, group);
        element("title", {}, bar).textContent = `${name}: ${message}`;
      }
      told.push(element("text", { x: 2, y: base - 14 }, svg));
    });
    marks = element("g", {}, svg);
  }

  function point() {
    marks.replaceChildren();
    const at = view.at;
    strip.rows.forEach(([name, spans], row) => {
      const now = at === null ? null : spans.findLast(([from, to]) => from <= at && at <= to);
      told[row].textContent = at === null ? name : `${name}: ${now ? now[3] : "–"}`;
    });
    if (at !== null && at >= view.from && at <= view.to)
      element("line", { class: "cursor", x1: scale.x(at), x2: scale.x(at), y1: TOP, y2: bottom },
        marks);
  }

  listen(svg, scale);
  return { draw, point };
}
