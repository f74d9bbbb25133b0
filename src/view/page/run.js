/** Joint actions and their probabilities as bars. */
function lawBars(law, names, colour) {
  return el("div.fill", {}, law.map((each) => [joint(each.actions, names), el("span.meter", {}, el("i", {css: {width: `${100 * each.probability}%`, background: colour}})), el("span", {}, percent(each.probability))]));
}

function square(law, names) {
  const shares = names.map(() => names.map(() => 0));
  for (const each of law) shares[each.actions[0]][each.actions[1]] += each.probability;
  return shares;
}

function gauge(result) {
  const box = el("div", {}, el("div.note", {}, result.what), el("div.big", {}, number(result.value)));
  if (result.score === null) return box;
  const place = Math.max(0, Math.min(1, result.score));
  return put(box, [el("div.gauge", {role: "img", "aria-label": `score ${number(result.score)}`}, el("i", {css: {left: `${100 * place}%`}})),
    el("div.ends", {}, el("span", {}, "random play ", number(result.random)), el("span", {}, "optimum ", number(result.optimum))),
    el("p", {css: {"margin-top": "10px"}}, el("strong", {}, `Score ${number(result.score)}`), el("span.note", {}, " (0: random play, 1: optimum)"))]);
}

const POINTS = {x: "t_env"};
function curveOf(one, marks, height) {
  return curves([{name: one.name, points: one.points, colour: "var(--s0)"}], marks, {...POINTS, label: one.name}, height);
}

async function showRun() {
  masthead("Run");
  const result = content.result, test = content.series.find((s) => s.name === "test_return_mean");
  const marks = [{name: "optimum", value: result.optimum, colour: "var(--s2)"}, {name: "random play", value: result.random, colour: "var(--s1)", dash: "2 4"}];
  section("result", "Result", "", el("div.cols.side", {}, gauge(result), el("div", {}, test ? (() => { const box = curveOf(test, marks, 260); return [el("h3", {}, "Test return while it learned"), box, endOnly(box)]; })() : el("p.note", {}, "No curve of this run is at hand."))));
  if (content.policies) await showPolicies(content.policies);

  const others = content.series.filter((s) => s !== test), small = (s) => el("div", {}, el("h3", {}, s.name), curveOf(s, [], 170), s.left > 0 && el("p.note", {}, `${whole(s.left)} points between these are left out.`));
  if (others.length) {
    const first = others.filter((s) => /test_|loss/.test(s.name)).slice(0, 8), rest = others.filter((s) => !first.includes(s));
    const card = section("curves", "Learning curves", "Everything that the run measured, by environment steps or updates.", el("div.multi", {}, first.map(small)));
    if (rest.length) card.append(el("details", {}, el("summary", {}, `${plural(rest.length, "more curve")}`), el("div.multi", {}, rest.map(small))));
  }
  const changed = content.config.filter((row) => row.differs), all = el("div"), find = el("input", {type: "search", placeholder: "find a key", "aria-label": "Find a key", on: {input: () => list()}});
  const list = () => all.replaceChildren(table(["key", "value", "default"], content.config.filter((row) => row.key.includes(find.value.trim())).map((row) => ({kind: row.differs ? "best" : "", cells: [row.key, el("span.mono", {}, row.value), el("span.mono", {}, row.default ?? "–")]})), {label: "Configuration", tall: true}));
  list();
  const compared = content.config.some((row) => row.default !== null), differ = changed.length ? `${plural(changed.length, "key")} other than` : "All keys are as";
  section("config", "Configuration", compared ? `${differ} the method's own files say for this game.` : "No file of the method and the game is known here, so that nobody can say what was changed.",
    changed.length ? table(["key", "value", "default"], changed.map((row) => [row.key, el("span.mono", {}, row.value), el("span.mono", {}, row.default)]), {label: "What differs"}) : null,
    el("details", {}, el("summary", {}, `All ${content.config.length} keys`), el("div", {css: {margin: "8px 0"}}, find), all));
  section("places", "Where things are", "", el("dl.places", {}, content.places.map(([name, path]) => [el("dt", {}, name), el("dd", {}, path)])), content.commands.map(([name, text]) => el("div", {css: {"margin-top": "16px"}}, el("h3", {}, name), command(text).node)));
}

async function showPolicies(p) {
  const drawings = await Pictures.of(p.drawings), names = p.actions, pair = p.agents === 2 && names.length <= 6;
  const ways = section("ways", "Ways to cooperate", `The joint actions at the first step of ${p.episodes} test episodes${p.greedy ? ", played greedily" : ""}.`);
  const most = Math.max(...p.ways.map((w) => w.count));
  const first_actions = table(["first joint action", {text: "episodes", n: true}, "", {text: "mean return", n: true}], p.ways.map((w) => [joint(w.actions, names), whole(w.count), el("span.bars", {}, el("i", {css: {width: `${100 * w.count / most}%`}})), number(w.mean)]), {label: "Ways"});
  ways.append(p.entries ? el("div.cols", {}, first_actions, el("div", {}, el("h3", {}, `Which ${p.entryName} each episode follows`), entryMap(p))) : first_actions);
  const card = section("policies", "The policy, state by state", p.counted ? `${p.counted}, so what they play is counted in the test episodes.` : `${plural(p.states.length, "state")} of ${whole(p.distinct)} that the test episodes visited, in the order in which they came up: how likely the team plays each joint action.`);
  if (p.legend) card.append(el("p.legendtext", {css: {margin: "0 0 12px"}}, p.legend));
  const has = p.states.some((s) => s.teacher);
  if (has) card.append(el("div", {css: {"margin-bottom": "12px"}}, el("span.key", {}, el("i"), "the team"), el("span.key", {}, el("i.o"), "its teacher")));
  const tile = (s, k) => el("div.tile", {}, el("h3", {}, `State ${k + 1} · t = ${s.time} · ${plural(s.visits, "visit")}`), drawings && s.picture !== null ? el("div.stage.small", {}, drawings.draw(s.picture, `State ${k + 1}`)) : el("div.stage.small", {}, vector(s.seen)),
    el("div", {css: {"margin-top": "12px"}}, lawBars(s.law || s.played, names, "var(--s0)")), s.teacher && el("div", {css: {"margin-top": "10px"}}, lawBars(s.teacher, names, "var(--s1)")),
    pair && el("details", {}, el("summary", {}, "As a table"), matrix(square(s.law || s.played, names), names, "The team")));
  const first = p.states.slice(0, 6), rest = p.states.slice(6);
  card.append(el("div.cards", {}, first.map(tile)));
  if (rest.length) card.append(el("details", {}, el("summary", {}, `${plural(rest.length, "more state")}`), el("div.cards", {}, rest.map((s, k) => tile(s, k + 6)))));
}

/** A line for each episode, a cell for each step with the number of its entry. */
function entryMap(p) {
  const SHOWN = 40, order = p.entries.map((row, e) => [row.join(), e]).sort((a, b) => a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] - b[1]).map(([, e]) => e);
  const used = [...new Set(p.entries.flat())].filter((j) => j >= 0).sort((a, b) => a - b), steps = p.entries[0].length, cell = 20, left = 54;
  const colour = (j) => series(used.indexOf(j));
  const draw = (rows) => svg("svg", {width: left + steps * cell + 60, height: 22 + rows.length * 17, viewBox: `0 0 ${left + steps * cell + 60} ${22 + rows.length * 17}`, css: {"max-width": "none"}, role: "img", "aria-label": `Number of the ${p.entryName} by episode and step`},
    svg("text", {x: left, y: 12}, "step →"), svg("text", {x: left + steps * cell + 8, y: 12}, "return"),
    rows.map((e, i) => [svg("text", {x: left - 8, y: 33 + i * 17, "text-anchor": "end"}, String(e)), p.entries[e].map((j, t) => j < 0 ? null : svg("g", {}, svg("rect", {x: left + t * cell + 1, y: 21 + i * 17, width: cell - 2, height: 15, rx: 3, css: {fill: colour(j), "fill-opacity": 0.22}}), svg("text", {x: left + t * cell + cell / 2, y: 32.5 + i * 17, "text-anchor": "middle", class: "strong", css: {"font-size": "11px"}}, String(j)), svg("title", {}, `episode ${e}, step ${t}: ${p.entryName} ${j}`))),
      svg("text", {x: left + steps * cell + 8, y: 33 + i * 17}, number(p.returns[e]))]));
  const box = el("div.scroll.tall", {tabindex: "0", role: "region", "aria-label": "Entries by episode"}, draw(order.slice(0, SHOWN)));
  const more = order.length > SHOWN && el("button", {type: "button", on: {click: () => { box.replaceChildren(draw(order)); more.remove(); }}}, `All ${order.length} episodes`);
  return el("div", {}, el("p.note", {}, `${plural(used.length, p.entryName)} played, numbered as in the pool; alike episodes stand together.`), box, more && el("div", {css: {"margin-top": "8px"}}, more));
}
