/** Recorded and independent shares of a state's joint actions, side by side. */
function stateJoint(state, names, compact = false) {
  const most = compact ? 6 : 99;
  const total = state.visits, top = Math.max(...state.joint.map((j) => Math.max(j.count / total, j.drawn)), 1e-9);
  const rows = state.joint.slice(0, most).map((j) => {
    const greedy = j.actions.every((a, i) => a === state.greedy[i]);
    return {kind: greedy && state.harmed ? "hot" : "", cells: [el("span.wide-cell", {}, joint(j.actions, names), greedy && el("span.note", {}, " ← independent agents"), j.optimal === true && el("span.note", {}, " ✓ optimal")), whole(j.count),
      el("span.bars", {title: `recorded ${percent(j.count / total)}, independent ${percent(j.drawn)}`}, el("i", {css: {width: `${100 * j.count / total / top}%`}}), el("i", {css: {width: `${100 * j.drawn / top}%`}})),
      percent(j.count / total), percent(j.drawn), number(j.reward), number(j.toGo)]};
  });
  if (!state.greedyCount) rows.unshift({kind: "hot", cells: [el("span", {}, joint(state.greedy, names), el("span.note", {}, " ← independent agents: never recorded here")), "0", "", "0 %", "", number(state.greedyReward), "–"]});
  const cut = state.joint.slice(most), others = state.rest.kinds + cut.length, sum = (key) => cut.reduce((all, j) => all + j[key], state.rest[key]);
  if (others) rows.push([el("span.note", {}, `${plural(others, "other joint action")}`), whole(sum("count")), "", percent(sum("count") / total), percent(sum("drawn")), "", ""]);
  if (state.never > 1e-9) rows.push([el("span.note", {}, "never recorded in this state"), "0", "", "0 %", percent(state.never), "", ""]);
  const heads = ["joint action", {text: "times", n: true}, "", {text: "recorded", n: true}, {text: "independent", n: true}, {text: "reward", n: true}, {text: "return from here", n: true}];
  const shown = (row) => row.filter((_, k) => !compact || [0, 2, 3, 4].includes(k));
  return el("div", {}, el("div", {css: {margin: "0 0 6px"}}, el("span.key", {}, el("i"), "recorded"), el("span.key", {}, el("i.o"), "if every agent draws by itself")),
    table(shown(heads), rows.map((row) => row.cells ? {kind: row.kind, cells: shown(row.cells)} : shown(row)), {label: "Joint actions", tall: true}));
}

/** What each agent plays in a state, on its own. */
function marginals(shares, names) {
  const most = (row) => Math.max(...row);
  return table(["agent", ...names.map((text) => ({text, n: true}))], shares.map((row, i) => [el("span.nw", {}, `agent ${i}`), ...row.map((p) => el("span", {css: {"font-weight": p === most(row) ? 700 : 400, color: p ? "inherit" : "var(--dim)"}}, p ? percent(p) : "·"))]), {label: "Actions of each agent", sticky: true});
}

function squares(state, names) {
  if (!state.matrix) return null;
  const recorded = state.matrix.map((row) => row.map((n) => n / state.visits)), [first, second] = state.marginals;
  const drawn = first.map((p) => second.map((q) => p * q));
  return el("div.squares", {}, matrix(recorded, names, "Recorded", null), matrix(drawn, names, "Drawn independently", state.greedy));
}

function stateTags(state) {
  const tag = (text, kind = "") => el("span.pill" + kind, {}, text), loss = state.rewardDrawn === null ? 0 : state.reward - state.rewardDrawn;
  return el("div.tags", {}, tag(`${plural(state.visits, "step")} from t = ${state.time}`), tag(plural(state.distinct, "joint action")),
    tag(`never recorded: ${percent(state.never)}`, state.never > 0.05 ? ".hot" : ""), state.mismatch !== null && tag(`mismatch: ${percent(state.mismatch)}${state.exact ? "" : " (est.)"}`, state.mismatch > 0.05 ? ".hot" : ""),
    state.rewardDrawn !== null && tag(`reward ${number(state.reward)} → ${number(state.rewardDrawn)} independently`, loss > 0.02 * Math.abs(state.reward) ? ".hot" : ""),
    state.harmed ? tag("own favourites do not fit together", ".hot") : tag("own favourites fit together", ".fine"));
}

async function showDataset() {
  masthead("Data set");
  const drawings = await Pictures.of(content.state_drawings);
  const names = content.actions, verdict = content.verdict, picked = content.states[verdict.state];
  const words = {bad: "✕ mismatch", warn: "! risk", good: "✓ sound"};
  const told = el("section.card.verdict." + verdict.tone, {id: "verdict", "aria-label": "What independent imitation would do"}, el("div.cols", {},
    el("div", {}, el("span.pill", {}, words[verdict.tone]), el("h2", {}, verdict.headline), verdict.why.map((text) => el("p", {}, text))),
    el("div", {}, squares(picked, names) || [drawings && picked.picture !== null && el("div.stage.small", {css: {"margin-bottom": "14px"}}, drawings.draw(picked.picture, "The state")), stateJoint(picked, names, true)])));
  nav.append(el("a", {href: "#verdict"}, "Mismatch"));
  main.append(told);

  const returns = section("returns", "Returns", "How many episodes return what. Click a bar to filter the episodes below.");
  const play = section("episodes", "Episodes", "Play one step by step: the picture at a step shows what the actions before it led to.");
  const all = await Episodes.of(content);
  const browser = episodeBrowser(all, content.command, play), r = content.returns;
  returns.append(histogram(all.returns, [{name: "mean", value: r.mean, colour: "var(--ink)", dash: null}, {name: "optimum", value: r.optimum, colour: "var(--s2)", dash: "7 4"}, {name: "random play", value: r.random, colour: "var(--s1)", dash: "2 4"}],
    {x: "return of an episode", label: "Distribution of returns"}, (low, high) => browser.filterReturns(low, high)));

  const states = section("states", "Joint actions, state by state", `The ${content.states.length === 1 ? "only state" : plural(content.states.length, "state") + " that the data visit most"}: what was played there, and what agents would play that imitate their own part.`);
  const chooser = el("select", {"aria-label": "State"}, content.states.map((s, k) => el("option", {value: k}, `state ${k + 1}: ${plural(s.visits, "step")}, t = ${s.time}${s.harmed ? " ✕" : ""}`)));
  const detail = el("div"), open = (k) => {
    const s = content.states[k];
    chooser.value = k;
    detail.replaceChildren(el("div.cols.side", {}, el("div", {}, drawings && s.picture !== null ? el("div.stage.small", {}, drawings.draw(s.picture, `State ${k + 1}`)) : el("div.stage.small", {}, vector(s.seen)), el("p.note", {css: {"margin-top": "8px"}}, `First seen in episode ${whole(s.episode)}.`)),
      el("div", {}, stateTags(s), squares(s, names), stateJoint(s, names))), el("details", {open: s.marginals.length <= 4}, el("summary", {}, "What each agent plays there on its own"), marginals(s.marginals, names)));
  };
  chooser.addEventListener("change", () => open(+chooser.value));
  const by = (d) => () => open((+chooser.value + d + content.states.length) % content.states.length);
  if (content.states.length > 1) states.append(el("div.row.mid", {css: {"margin-bottom": "14px"}}, el("button", {type: "button", "aria-label": "State before", on: {click: by(-1)}}, "‹"), chooser, el("button", {type: "button", "aria-label": "Next state", on: {click: by(1)}}, "›")));
  states.append(detail);
  open(verdict.state);

  const rest = section("coverage", "Coverage and actions", "How much of what is possible the data hold, over all steps.");
  put(rest, [el("div.cols", {}, table(["", {text: "number", n: true}], content.coverage, {label: "Coverage"}), behaviours(all)), el("h3", {css: {"margin-top": "20px"}}, "Actions of each agent, share of its steps"), marginals(content.shares, names)]);
}

function behaviours(all) {
  const groups = new Map();
  for (let e = 0; e < all.count; e++) { const name = all.behaviourOf(e), g = groups.get(name) || [0, 0]; g[0]++; g[1] += all.returns[e]; groups.set(name, g); }
  return table(["made by", {text: "episodes", n: true}, {text: "share", n: true}, {text: "mean return", n: true}], [...groups].sort((a, b) => b[1][0] - a[1][0]).map(([name, [n, sum]]) => [name, whole(n), percent(n / all.count), number(sum / n)]), {label: "Behaviours", tall: groups.size > 10});
}
