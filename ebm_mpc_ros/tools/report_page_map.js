// The map.

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
    const plan = map.plans[before(map.plans.map((each) => each.t), view.to)];
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
      if (k >= 0 && at <= forecast.t[k] + forecast.lasts)
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
