"use strict";
(() => {
  const NS = "http://www.w3.org/2000/svg";
  const LEFT = 54, RIGHT = 10, TOP = 6, BOTTOM = 20, LABEL = 12, CHART = 168, ROW = 27;
  const LONGEST_STEP = 0.02, SHORTEST_VIEW = 0.05, ELLIPSES = 40, VISIBLE = 4;
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
    const step = LONGEST_STEP * 0.5 * (view.to - view.from);
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

  // Lines

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

  function range(chart, from, to) {
    let low = Infinity, high = -Infinity;
    const take = (value) => {
      if (value === null || (chart.log && value <= 0)) return;
      low = Math.min(low, value);
      high = Math.max(high, value);
    };
    for (const series of chart.series) {
      if (series.draw === "level") { take(series.y[0]); continue; }
      const first = Math.max(before(series.x, from), 0);
      for (let k = first; k < series.x.length && series.x[k] <= to; k++) {
        take(series.y[k]);
        if (series.high) take(series.high[k]);
      }
    }
    if (low > high) [low, high] = chart.log ? [0.1, 10] : [0, 1];
    if (chart.log) return [Math.min(low / 1.2, 0.5), Math.max(high * 1.2, 2)];
    if (chart.zero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
    if (high === low) high += Math.abs(high) || 1;
    const margin = (high - low) * 0.06;
    return [low - margin, high + margin];
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
      const [low, high] = own ? range(chart, -Infinity, Infinity) : range(chart, view.from, view.to);
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

  // The map

  function mapFigure(host, map) {
    const entries = map.tracks.map((track) => ({ ...track, draw: "place", width: 2 }));
    if (map.plans.length)
      entries.push({ name: "plan", colour: 4, draw: "line", width: 5 });
    if (map.obstacles.length) entries.push({ name: "obstacles", colour: 3, draw: "disc" });
    const rings = entries.length;
    if (map.ellipses) entries.push({ name: "95 % ellipse", colour: 0, draw: "ring" });
    for (const forecast of map.forecasts)
      entries.push({ ...forecast, draw: "line" });
    const items = legend(host, entries);
    const svg = canvas(host, map.spoken);
    const main = map.tracks.find((track) => track.name === "estimate") || map.tracks[0];
    let marks = null, x = null, y = null, scale = 1, larger = 1;

    // The part of a track that the view shows.
    function part(track) {
      const from = Math.max(before(track.t, view.from), 0);
      return [from, Math.max(before(track.t, view.to), from)];
    }

    function bounds() {
      const box = [Infinity, -Infinity, Infinity, -Infinity];
      const take = (px, py) => {
        if (px === null || py === null) return;
        box[0] = Math.min(box[0], px);
        box[1] = Math.max(box[1], px);
        box[2] = Math.min(box[2], py);
        box[3] = Math.max(box[3], py);
      };
      for (const track of map.tracks) {
        const [from, to] = part(track);
        for (let k = from; k <= to; k++) take(track.x[k], track.y[k]);
      }
      if (view.to - view.from >= end)
        for (const [cx, cy, r] of map.obstacles.filter(([cx, cy]) => near(box, cx, cy))) {
          take(cx - r, cy - r);
          take(cx + r, cy + r);
        }
      const margin = Math.max(0.06 * Math.max(box[1] - box[0], box[3] - box[2]), 0.3);
      return [box[0] - margin, box[1] + margin, box[2] - margin, box[3] + margin];
    }

    // An obstacle far from where the robot went does not shrink the map.
    function near(box, cx, cy) {
      const reach = Math.max(box[1] - box[0], box[3] - box[2]);
      return cx > box[0] - reach && cx < box[1] + reach && cy > box[2] - reach && cy < box[3] + reach;
    }

    function draw() {
      const [left, right, low, high] = bounds();
      const room = Math.max(svg.parentElement.clientWidth, 200) - LEFT - RIGHT;
      const tallest = Math.max(240, Math.min(0.66 * window.innerHeight, 1.1 * room));
      scale = Math.min(room / (right - left), tallest / (high - low));
      const plot = clamp((high - low) * scale, 200, tallest);
      const width = sized(svg, plot + TOP + BOTTOM + LABEL), bottom = TOP + plot;
      const cx = 0.5 * (left + right), cy = 0.5 * (low + high), middle = 0.5 * (LEFT + width - RIGHT);
      x = (value) => middle + (value - cx) * scale;
      y = (value) => TOP + 0.5 * plot - (value - cy) * scale;
      const wide = 0.5 * room / scale, tall = 0.5 * plot / scale;
      for (const [value, label] of ticks(cx - wide, cx + wide, room / 70)) {
        element("line", { class: "grid", x1: x(value), x2: x(value), y1: TOP, y2: bottom }, svg);
        text(label, { x: x(value), y: bottom + 13, "text-anchor": "middle" }, svg);
      }
      for (const [value, label] of ticks(cy - tall, cy + tall, plot / 45)) {
        element("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) },
          svg);
        text(label, { x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" }, svg);
      }
      text("x (m)", { x: width - 2, y: bottom + 26, "text-anchor": "end" }, svg);
      text("y (m)", {
        x: -0.5 * (TOP + bottom), y: 11, "text-anchor": "middle", transform: "rotate(-90)",
      }, svg);
      const group = clipped(svg, width - RIGHT, bottom);
      const whole = view.to - view.from >= end;
      const plan = map.plans[Math.max(before(map.plans.map((each) => each.t), view.to), 0)];
      if (plan) line(group, plan, 0, plan.x.length - 1, 4, 5, 0.4);
      for (const [ox, oy, r, from, to] of map.obstacles) {
        if (to < view.from || from > view.to) continue;
        element("circle", {
          cx: x(ox), cy: y(oy), r: r * scale, fill: colour(3), "fill-opacity": 0.35,
          stroke: colour(3),
        }, group);
      }
      drawEllipses(group);
      for (const track of map.tracks) {
        if (!whole) line(group, track, 0, track.t.length - 1, track.colour, 1, 0.3);
        const [from, to] = part(track);
        line(group, track, from, to, track.colour, track.colour === 1 ? 2.4 : 1.6, 1, track.dashed);
      }
      const [first, last] = part(main);
      label(group, main.x[first], main.y[first], "start");
      label(group, main.x[last], main.y[last], "end");
      marks = element("g", {}, group);
    }

    function line(group, track, from, to, index, width, opacity, dashed) {
      const series = { x: track.x.slice(from, to + 1), y: track.y.slice(from, to + 1) };
      element("path", {
        d: outline(series, 0, series.x.length - 1, x, y), fill: "none", stroke: colour(index),
        "stroke-width": width, opacity, "stroke-linejoin": "round", "stroke-linecap": "round",
        "stroke-dasharray": dashes({ dashed }),
      }, group);
    }

    function label(group, px, py, content) {
      if (px === null || px === undefined) return;
      const start = content === "start";
      const mark = start ? { r: 5, cx: x(px), cy: y(py) }
        : { x: x(px) - 4.5, y: y(py) - 4.5, width: 9, height: 9 };
      element(start ? "circle" : "rect",
        { ...mark, fill: "var(--page)", stroke: colour(1), "stroke-width": 2 }, group);
      text(content, { x: x(px) + 8, y: y(py) + (start ? -6 : 13) }, group);
    }

    function ring(group, k, width) {
      const found = map.ellipses;
      const degrees = -found.angle[k] * 180 / Math.PI;
      element("ellipse", {
        rx: found.long[k] * scale * larger, ry: found.short[k] * scale * larger,
        transform: `translate(${x(found.x[k])} ${y(found.y[k])}) rotate(${degrees})`,
        fill: colour(0), "fill-opacity": 0.08, stroke: colour(0), "stroke-width": width,
      }, group);
    }

    function drawEllipses(group) {
      if (!map.ellipses) return;
      const [from, to] = part(map.ellipses);
      const sizes = map.ellipses.long.slice(from, to + 1).sort((a, b) => a - b);
      const typical = (sizes[sizes.length >> 1] || 0) * scale;
      larger = [1, 2, 5, 10, 20, 50, 100].find((each) => each * typical >= VISIBLE) || 100;
      items[rings].name.textContent = larger === 1 ? "95 % ellipse"
        : `95 % ellipse, drawn ${larger} times as large`;
      const every = Math.max(1, Math.ceil((to - from + 1) / ELLIPSES));
      for (let k = from; k <= to; k += every) ring(group, k, 0.7);
    }

    function point() {
      marks.replaceChildren();
      const at = view.at;
      map.tracks.forEach((track, index) => {
        const k = at === null ? -1 : nearest(track.t, at);
        items[index].value.textContent = k < 0 ? ""
          : `${shown(track.x[k])}, ${shown(track.y[k])}`;
        if (k < 0 || track.x[k] === null) return;
        const px = x(track.x[k]), py = y(track.y[k]);
        element("circle", { cx: px, cy: py, r: 4.5, fill: colour(track.colour) }, marks);
        element("line", {
          x1: px, y1: py, x2: px + 14 * Math.cos(track.yaw[k]), y2: py - 14 * Math.sin(track.yaw[k]),
          stroke: colour(track.colour), "stroke-width": 2,
        }, marks);
      });
      if (at === null) return;
      if (map.ellipses) ring(marks, nearest(map.ellipses.t, at), 1.6);
      for (const forecast of map.forecasts) {
        const k = before(forecast.t, at);
        if (k >= 0)
          line(marks, { x: forecast.x[k], y: forecast.y[k] }, 0, forecast.x[k].length - 1,
            forecast.colour, forecast.width, 0.8);
      }
    }

    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const px = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
      const py = (event.clientY - box.top) * svg.viewBox.baseVal.height / box.height;
      const [from, to] = part(main);
      let best = null, closest = Infinity;
      for (let k = from; k <= to; k++) {
        if (main.x[k] === null) continue;
        const distance = (x(main.x[k]) - px) ** 2 + (y(main.y[k]) - py) ** 2;
        if (distance < closest) [closest, best] = [distance, main.t[k]];
      }
      if (best !== null) setCursor(best);
    });
    svg.addEventListener("pointerleave", () => setCursor(null));
    svg.addEventListener("keydown", onKey);
    return { draw, point };
  }

  // The page

  const makers = { chart: chartFigure, strip: stripFigure, map: mapFigure };
  for (const host of document.querySelectorAll("[data-figure]")) {
    const content = data.figures[Number(host.dataset.figure)];
    figures.push(makers[content.kind](host, content));
  }
  const buttons = {
    in: () => zoom(0.5), out: () => zoom(2), back: () => pan(-0.5), on: () => pan(0.5),
    all: () => setView(0, end),
  };
  for (const button of document.querySelectorAll("[data-do]"))
    button.addEventListener("click", buttons[button.dataset.do]);
  for (const button of document.querySelectorAll("[data-at]"))
    button.addEventListener("click", () => goTo(Number(button.dataset.at)));
  let width = 0, waiting = 0;
  new ResizeObserver(() => {
    if (document.body.clientWidth === width) return;
    width = document.body.clientWidth;
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(drawAll);
  }).observe(document.body);
  width = document.body.clientWidth;
  drawAll();
})();
