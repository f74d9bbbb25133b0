/** A chart that is drawn anew for each width, so that its letters keep their size. */
function chart(height, draw, label) {
  const box = el("div", {role: "img", "aria-label": label});
  let last = 0;
  const again = () => {
    const width = Math.floor(box.clientWidth);
    if (width > 40) { last = width; box.replaceChildren(draw(width, height)); }
  };
  new ResizeObserver(() => { if (Math.floor(box.clientWidth) !== last) again(); }).observe(box);
  box.redraw = again;
  return box;
}

function ticks(low, high, most) {
  if (!(high > low)) return [low];
  const raw = (high - low) / Math.max(1, most), power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw - 1e-12), found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(+(k * step).toPrecision(12));
  return found;
}
const short = (x, step) => step && Math.abs(x) < 1e4 ? x.toFixed(Math.min(8, (step.toFixed(9).replace(/0+$/, "").split(".")[1] || "").length)).replace("-", "−") : Math.abs(x) >= 1e6 ? +(x / 1e6).toPrecision(3) + " M" : Math.abs(x) >= 1e4 ? +(x / 1e3).toPrecision(3) + " k" : String(+x.toPrecision(4)).replace("-", "−");

/** A frame with axes; returns the svg and functions from values to pixels. */
function frame(width, height, x, y, names = {}) {
  const left = 54, right = 14, top = 14, bottom = names.x ? 44 : 28;
  const px = (v) => left + (v - x[0]) / (x[1] - x[0] || 1) * (width - left - right);
  const py = (v) => height - bottom - (v - y[0]) / (y[1] - y[0] || 1) * (height - top - bottom);
  const root = svg("svg", {width, height, viewBox: `0 0 ${width} ${height}`});
  const ys = ticks(y[0], y[1], Math.max(2, height / 60)), xs = ticks(x[0], x[1], Math.max(2, width / 110));
  for (const t of ys) put(root, [svg("line", {class: "grid", x1: left, x2: width - right, y1: py(t), y2: py(t)}),
    svg("text", {x: left - 8, y: py(t) + 4, "text-anchor": "end"}, short(t, ys[1] - ys[0]))]);
  for (const t of xs) put(root, [svg("text", {x: px(t), y: height - bottom + 17, "text-anchor": "middle"}, short(t, xs[1] - xs[0]))]);
  put(root, [svg("line", {class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom})]);
  if (names.x) put(root, [svg("text", {x: (left + width - right) / 2, y: height - 7, "text-anchor": "middle"}, names.x)]);
  return {root, px, py, left, right, top, bottom};
}

/** Bars of how many values fall where, and vertical lines; `pick(low, high)` is told which bar was chosen. */
function histogram(values, lines, names, pick) {
  const sorted = Float64Array.from(values).sort(), low = sorted[0], high = sorted[sorted.length - 1];
  const distinct = new Set(low === high ? [low] : sorted.length > 50000 ? [] : sorted), few = distinct.size && distinct.size <= 12;
  const room = (high - low || 1) * 0.5, near = lines.filter((l) => l.value !== null && l.value >= low - room && l.value <= high + room);
  const far = lines.filter((l) => l.value !== null && !near.includes(l));
  const from = Math.min(low, ...near.map((l) => l.value)), to = Math.max(high, ...near.map((l) => l.value)), edge = (to - from || 1) * 0.06;
  const n = few ? 0 : Math.min(44, Math.max(8, Math.ceil(Math.sqrt(sorted.length)))), bins = [];
  if (few) for (const v of distinct) bins.push({low: v, high: v, at: v, count: 0});
  else for (let k = 0; k < n; k++) bins.push({low: low + k * (high - low) / n, high: low + (k + 1) * (high - low) / n, count: 0});
  const place = few ? new Map(bins.map((b, k) => [b.low, k])) : null;
  for (const v of sorted) bins[few ? place.get(v) : Math.min(n - 1, Math.floor((v - low) / (high - low) * n))].count++;
  const most = Math.max(...bins.map((b) => b.count));
  const box = chart(250, (width, height) => {
    const f = frame(width, height, [from - edge, to + edge], [0, most * (1.12 + 0.1 * near.length)], names);
    const bar = few ? Math.min(38, 0.5 * (width - 70) / Math.max(2, bins.length)) : 0;
    for (const b of bins) {
      if (!b.count) continue;
      const x0 = few ? f.px(b.at) - bar / 2 : f.px(b.low) + 0.5, w = few ? bar : Math.max(1, f.px(b.high) - f.px(b.low) - 1);
      const said = few ? `${plural(b.count, "episode")} of return ${number(b.at)}` : `${plural(b.count, "episode")} from ${number(b.low)} to ${number(b.high)}`;
      f.root.append(svg("rect", {x: x0, y: f.py(b.count), width: w, height: Math.max(1.5, f.py(0) - f.py(b.count)), rx: 2, css: {fill: "var(--s0)", cursor: pick ? "pointer" : "auto"},
        on: pick ? {click: () => pick(b.low, b.high)} : {}}, svg("title", {}, said + (pick ? "; click to filter" : ""))));
      if (few) f.root.append(svg("text", {x: f.px(b.at), y: f.py(b.count) - 5, "text-anchor": "middle", class: "strong"}, whole(b.count)));
    }
    near.forEach((l, k) => {
      const x = f.px(l.value), flip = x > width - 120;
      put(f.root, [svg("line", {x1: x, x2: x, y1: f.top, y2: f.py(0), "stroke-width": 2, "stroke-dasharray": l.dash, css: {stroke: l.colour}}),
        svg("text", {x: x + (flip ? -6 : 6), y: f.top + 9 + 15 * k, "text-anchor": flip ? "end" : "start", class: "strong halo"}, `${l.name} ${number(l.value)}`)]);
    });
    return f.root;
  }, names.label);
  return el("div", {}, box, far.map((l) => el("p.note", {}, `${l.name}: ${number(l.value)}, ${l.value < low ? "left" : "right"} of the picture.`)));
}

/** Curves; each line has name, points, colour, dash, faint, hidden. `marks` are horizontal lines. */
function curves(lines, marks, names, height = 300) {
  const box = chart(height, (width, h) => {
    const seen = lines.filter((l) => !l.hidden && l.points.length), every = seen.flatMap((l) => l.points);
    if (!every.length) return svg("svg", {width, height: 40}, svg("text", {x: 8, y: 24}, "nothing to draw"));
    let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const [x] of every) { x0 = Math.min(x0, x); x1 = Math.max(x1, x); }
    const late = x0 + (x1 - x0) * 0.4;  // where the end is looked at, what comes before it may leave the frame
    for (const [x, y] of every) if (!box.zoomed || x >= late) { y0 = Math.min(y0, y); y1 = Math.max(y1, y); }
    const span = y1 - y0 || Math.abs(y1) || 1, fit = marks.filter((m) => m.value !== null && m.value > y0 - 1.2 * span && m.value < y1 + 1.2 * span);
    for (const m of fit) { y0 = Math.min(y0, m.value); y1 = Math.max(y1, m.value); }
    const pad = 0.08 * (y1 - y0 || Math.abs(y1) || 1), f = frame(width, h, [x0, x1 > x0 ? x1 : x0 + 1], [y0 - pad, y1 + pad], names);
    for (const m of fit) put(f.root, [svg("line", {x1: f.left, x2: width - f.right, y1: f.py(m.value), y2: f.py(m.value), "stroke-dasharray": m.dash || "5 4", "stroke-width": 1.5, css: {stroke: m.colour || "var(--dim)"}}),
      svg("text", {x: width - f.right, y: f.py(m.value) - 5, "text-anchor": "end", class: "halo"}, `${m.name} ${number(m.value)}`)]);
    const clip = `clip-${curves.count = (curves.count || 0) + 1}`, inside = svg("g", {"clip-path": `url(#${clip})`});
    put(f.root, [svg("clipPath", {id: clip}, svg("rect", {x: f.left - 5, y: f.top - 5, width: width - f.left - f.right + 10, height: h - f.top - f.bottom + 10})), inside]);
    for (const l of seen) {
      const d = l.points.map(([x, y], i) => `${i ? "L" : "M"}${f.px(x).toFixed(1)} ${f.py(y).toFixed(1)}`).join("");
      inside.append(svg("path", {d, fill: "none", "stroke-width": l.faint ? 1 : 2.3, "stroke-linejoin": "round", "stroke-dasharray": l.dash || null, css: {stroke: l.colour, "stroke-opacity": l.faint ? 0.28 : 1}},
        svg("title", {}, l.name)));
      if (!l.faint) for (const [x, y] of l.points.length > 60 ? l.points.slice(-1) : l.points)
        inside.append(svg("circle", {cx: f.px(x), cy: f.py(y), r: 3.2, css: {fill: l.colour}}, svg("title", {}, `${l.name}: ${number(y)} at ${whole(x)}`)));
    }
    return f.root;
  }, names.label || "Curves");
  return box;
}

/** A box to tick that shows the end of curves at its own scale. */
function endOnly(box) {
  return el("label.line", {}, el("input", {type: "checkbox", on: {change: (event) => { box.zoomed = event.target.checked; box.redraw(); }}}), "scale of the end");
}

/** Buttons that show and hide curves. */
function legend(lines, box) {
  return el("div.legend", {role: "group", "aria-label": "Curves"}, lines.map(({name, colour, dash: dashes, members}) => {
    const button = el("button", {type: "button", "aria-pressed": "true", on: {click: () => {
      const hide = button.getAttribute("aria-pressed") === "true";
      button.setAttribute("aria-pressed", String(!hide));
      for (const line of members) line.hidden = hide;
      box.redraw();
    }}}, svg("svg", {viewBox: "0 0 26 10", "aria-hidden": "true"}, svg("line", {x1: 0, x2: 26, y1: 5, y2: 5, "stroke-width": 3, "stroke-dasharray": dashes || null, css: {stroke: colour}})), name);
    return button;
  }));
}

/** A square of shares for two agents: rows are those of agent 0, columns of agent 1. */
function matrix(shares, names, title, hot) {
  const n = shares.length, wordy = Math.max(...names.map((s) => s.length)), cell = n <= 2 ? 92 : n <= 3 ? 74 : n <= 5 ? 56 : 42, left = 22 + Math.min(64, wordy * 8), top = 44;
  const root = svg("svg", {viewBox: `0 0 ${left + n * cell + 2} ${top + n * cell + 4}`, width: left + n * cell + 2, role: "img", "aria-label": title});
  put(root, [svg("text", {x: left + n * cell / 2, y: 13, "text-anchor": "middle"}, "agent 1"), svg("text", {x: 11, y: top + n * cell / 2, "text-anchor": "middle", transform: `rotate(-90 11 ${top + n * cell / 2})`}, "agent 0")]);
  const top1 = Math.max(...shares.flat(), 1e-9);
  names.forEach((name, i) => put(root, [svg("text", {x: left + (i + 0.5) * cell, y: top - 10, "text-anchor": "middle", class: "strong"}, name), svg("text", {x: left - 8, y: top + (i + 0.5) * cell + 4, "text-anchor": "end", class: "strong"}, name)]));
  shares.forEach((row, i) => row.forEach((share, j) => {
    const x = left + j * cell, y = top + i * cell, isHot = hot && hot[0] === i && hot[1] === j;
    put(root, [svg("rect", {x: x + 1.5, y: y + 1.5, width: cell - 3, height: cell - 3, rx: 6, css: {fill: share ? "var(--s0)" : "var(--soft)", "fill-opacity": share ? 0.08 + 0.52 * share / top1 : 1}}, svg("title", {}, `${names[i]} ${names[j]}: ${percent(share)}`)),
      isHot && svg("rect", {x: x + 2.5, y: y + 2.5, width: cell - 5, height: cell - 5, rx: 5, fill: "none", "stroke-width": 2.5, css: {stroke: "var(--bad)"}}),
      svg("text", {x: x + cell / 2, y: y + cell / 2 + 4, "text-anchor": "middle", class: share ? "strong" : ""}, share ? cell < 50 ? (100 * share).toFixed(share < 0.1 ? 1 : 0) : percent(share) : "0")]);
  }));
  return el("figure", {css: {margin: "0"}}, el("h3", {}, title), root);
}
