function showSweep() {
  masthead("Sweep");
  const tasks = [...new Set(content.groups.map((g) => `${g.game}\u0000${g.data}`))].map((key) => { const [game, data] = key.split("\u0000"); return {key, game, data, groups: content.groups.filter((g) => g.game === game && g.data === data)}; });
  const methods = [...new Set(content.groups.map((g) => g.method))], order = new Map(methods.map((m, k) => [m, k]));
  const means = section("means", "Means", "Mean ± population standard deviation over seeds; bold: the best of a row and what is within its standard error. Bars reach from the worst mean of a row (or random play) to the optimum. Choose a row to see its runs.");
  let shown = null;
  const buttons = new Map();
  const cell = (task, g) => {
    if (!g) return "";
    const best = task.best, place = g.optimum === null ? null : score(g, task);
    return el("div.nw", {}, el("span", {css: {"font-weight": close(g, best) ? 700 : 400}}, two(g.mean)), el("small", {css: {color: "var(--dim)"}}, ` ± ${two(g.std)}`),
      place !== null && el("span.meter", {css: {display: "block", "margin-top": "4px", "min-width": "70px"}, title: `from the worst mean here to the optimum: ${percent(place)}`}, el("i", {css: {width: `${100 * place}%`, background: close(g, best) ? "var(--s2)" : "var(--s0)"}})));
  };
  for (const task of tasks) task.best = task.groups.reduce((a, b) => b.mean > a.mean ? b : a);
  const place = el("div");
  const choose = (task) => {
    shown = task;
    for (const [key, button] of buttons) button.setAttribute("aria-pressed", String(key === task.key));
    picker.value = task.key;
    showTask(place, task, order);
  };
  const rows = tasks.map((task) => {
    const button = el("button.task", {type: "button", "aria-pressed": "false", on: {click: () => { choose(task); place.scrollIntoView({block: "start"}); }}}, `${task.game} · ${task.data}`);
    buttons.set(task.key, button);
    return [button, ...methods.map((m) => cell(task, task.groups.find((g) => g.method === m))), number(task.groups[0].optimum)];
  });
  means.append(table(["game · data", ...methods, {text: "optimum", n: true}], rows, {label: "Means", sticky: true}));

  if (content.differs.length) section("differs", "What differs between the runs", "", el("div.multi", {}, content.differs.map((d) => el("div", {}, el("h3", {}, d.key), el("div.tags", {}, d.values.slice(0, 24).map(([name, n]) => el("span.pill", {title: plural(n, "run")}, name, el("span.note", {}, ` × ${n}`))), d.values.length > 24 && el("span.note", {}, `and ${d.values.length - 24} more`))))));

  const picker = el("select", {"aria-label": "Game and data", on: {change: () => choose(tasks.find((t) => t.key === picker.value))}}, tasks.map((t) => el("option", {value: t.key}, `${t.game} · ${t.data}`)));
  section("runs", "Curves and seeds", "Thin lines are single runs, thick ones their means.", el("div", {css: {"margin-bottom": "14px"}}, picker), place);
  const points = (t) => Math.min(200, Math.max(...t.groups.flatMap((g) => g.runs.map((r) => r.curve.length)))) * t.groups.length;
  choose(tasks.reduce((a, b) => points(b) > points(a) ? b : a));
}

const two = (x) => x.toFixed(2).replace("-", "−");
const stderr = (g) => g.std / Math.sqrt(Math.max(1, g.runs.length));
const close = (g, best) => g === best || best.mean - g.mean <= Math.hypot(stderr(g), stderr(best));
function score(g, task) {
  const low = Math.min(...task.groups.map((each) => each.random ?? each.mean));
  return g.optimum - low < 1e-9 ? 1 : Math.max(0, Math.min(1, (g.mean - low) / (g.optimum - low)));
}

function meanCurve(runs) {
  const at = new Map();
  for (const run of runs) for (const [t, value] of run.curve) { const all = at.get(t) || []; all.push(value); at.set(t, all); }
  return [...at].filter(([, all]) => all.length === runs.length).sort((a, b) => a[0] - b[0]).map(([t, all]) => [t, all.reduce((a, b) => a + b, 0) / all.length]);
}

function showTask(place, task, order) {
  const marks = [{name: "optimum", value: task.groups[0].optimum, colour: "var(--s2)"}], lines = [], groups = [];
  for (const g of task.groups) {
    const k = order.get(g.method), colour = series(k), with_curve = g.runs.filter((r) => r.curve.length > 1);
    if (!with_curve.length) continue;
    const members = with_curve.map((r) => ({name: `${g.method}, seed ${r.seed}`, points: r.curve, colour, faint: true}));
    members.push({name: `${g.method}, mean of ${with_curve.length}`, points: meanCurve(with_curve), colour, dash: dash(k)});
    lines.push(...members);
    groups.push({name: g.method, colour, dash: dash(k), members});
  }
  lines.sort((a, b) => (b.faint || false) - (a.faint || false));
  const box = lines.length ? curves(lines, marks, {x: "t_env", label: `Learning curves of ${task.game}, ${task.data}`}, 340) : null;
  place.replaceChildren(el("h3", {}, "Learning curves"), box ? el("div", {}, legend(groups, box), endOnly(box), box) : el("p.note", {}, "The rows of these runs hold no curves."),
    el("h3", {css: {"margin-top": "22px"}}, "Every seed"), seeds(task, order), el("details", {}, el("summary", {}, "All runs of these data"), runTable(task)));
}

/** A line for each method, a dot for each seed. */
function seeds(task, order) {
  const every = task.groups.flatMap((g) => g.runs.map((r) => r.value)), optimum = task.groups[0].optimum;
  const low = Math.min(...every, optimum ?? Infinity), high = Math.max(...every, optimum ?? -Infinity), pad = 0.05 * (high - low || 1);
  const line = 30, head = 20;
  return chart(head + line * task.groups.length + 30, (width, height) => {
    const left = Math.min(210, Math.max(90, width * 0.3)), px = (v) => left + (v - low + pad) / (high - low + 2 * pad) * (width - left - 18), root = svg("svg", {width, height, viewBox: `0 0 ${width} ${height}`}), letters = Math.floor(left / 8.2);
    const marks = ticks(low, high, Math.max(2, (width - left) / 90));
    for (const t of marks) put(root, [svg("line", {class: "grid", x1: px(t), x2: px(t), y1: head, y2: height - 26}), svg("text", {x: px(t), y: height - 9, "text-anchor": "middle"}, short(t, marks[1] - marks[0]))]);
    if (optimum !== null) put(root, [svg("line", {x1: px(optimum), x2: px(optimum), y1: head - 4, y2: height - 26, "stroke-width": 1.5, "stroke-dasharray": "5 4", css: {stroke: "var(--s2)"}}), svg("text", {x: px(optimum), y: 12, "text-anchor": "end"}, `optimum ${number(optimum)}`)]);
    task.groups.forEach((g, i) => {
      const y = head + line * (i + 0.5), colour = series(order.get(g.method));
      put(root, [svg("text", {x: left - 12, y: y + 4, "text-anchor": "end", class: "strong"}, svg("title", {}, g.method), g.method.length > letters ? g.method.slice(0, letters - 1) + "…" : g.method),
        g.runs.map((r, k) => svg("circle", {cx: px(r.value), cy: y + ((k * 7) % 9 - 4) * 2.1, r: 4.2, css: {fill: colour, "fill-opacity": 0.55}}, svg("title", {}, `${g.method}, seed ${r.seed}: ${number(r.value)}`))),
        svg("line", {x1: px(g.mean), x2: px(g.mean), y1: y - 11, y2: y + 11, "stroke-width": 2.5, css: {stroke: "var(--ink)"}})]);
    });
    return root;
  }, "Results of every seed");
}

function runTable(task) {
  const keys = [...new Set(task.groups.flatMap((g) => Object.keys(g.measures)))];
  return table(["method", {text: "seed", n: true}, {text: "result", n: true}, {text: "seconds", n: true}, ...keys.map((text) => ({text: `${text} (mean)`, n: true})), "id"],
    task.groups.flatMap((g) => g.runs.map((r) => [g.method, r.seed, number(r.value), number(r.seconds), ...keys.map((key) => number(g.measures[key])), el("span.mono", {}, r.id)])), {label: "Runs", tall: true});
}
