/** All that the page knows of a data set's episodes. */
class Episodes {
  static async of(content) {
    const all = new Episodes(), e = content.episodes, p = content.player, names = ["states", "actions", "rewards", "available", "terminated", "obs", "agentRewards", "openEnds"];
    const [returns, lengths, behaviour, contains, ...rest] = await Promise.all([e.returns, e.lengths, e.behaviour, e.contains, ...names.map((n) => p[n])].map((c) => c ? unpack(c) : null));
    Object.assign(all, {count: e.count, returns, lengths, behaviour, contains, behaviours: e.behaviours, shown: p.shown, drawn: p.drawn, N: content.agents, names: content.actions});
    names.forEach((name, k) => { all[name] = rest[k]; });
    all.S = p.states.shape[1]; all.O = p.obs ? p.obs.shape[2] : 0; all.M = p.available.shape[2]; all.B = e.contains.shape[1];
    all.pictures = await Pictures.of(p.drawings);
    all.starts = new Uint32Array(p.shown + 1);
    for (let k = 0; k < p.shown; k++) all.starts[k + 1] = all.starts[k] + lengths[k] + 1;
    return all;
  }
  has(episode, action) { return (this.contains[episode * this.B + (action >> 3)] >> (action & 7)) & 1; }
  actionsAt(k) { return this.actions.subarray(k * this.N, (k + 1) * this.N); }
  stateAt(k) { return this.states.subarray(k * this.S, (k + 1) * this.S); }
  obsAt(k, agent) { return this.obs.subarray((k * this.N + agent) * this.O, (k * this.N + agent + 1) * this.O); }
  canPlay(k, agent, action) { return (this.available[(k * this.N + agent) * this.M + (action >> 3)] >> (action & 7)) & 1; }
  behaviourOf(episode) { const k = this.behaviour[episode]; return k >= 0 ? this.behaviours[k] ?? String(k) : "unknown"; }
}

/** Numbers as ranges, `1,5-9`. */
function ranges(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b), parts = [];
  for (let i = 0; i < sorted.length;) {
    let j = i;
    while (j + 1 < sorted.length && sorted[j + 1] === sorted[j] + 1) j++;
    parts.push(i === j ? `${sorted[i]}` : `${sorted[i]}-${sorted[j]}`);
    i = j + 1;
  }
  return parts.join(",");
}
const quoted = (text) => /^[\w.,:=/+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** One episode, step by step; `open(episode)` shows another. */
function episodePlayer(all) {
  let episode = 0, step = 0, timer = null;
  const title = el("h3", {"aria-live": "polite"}), stage = el("div.stage"), slider = el("input", {type: "range", min: 0, value: 0, "aria-label": "Step of the episode"});
  const play = el("button.main", {type: "button"}, "▶ Play"), where = el("span.note"), detail = el("div");
  const back = el("button", {type: "button", "aria-label": "One step back"}, "‹"), forth = el("button", {type: "button", "aria-label": "One step on"}, "›");
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "▶ Play"; };
  const move = (to) => { step = Math.max(0, Math.min(all.lengths[episode], to)); show(); };
  play.addEventListener("click", () => {
    if (timer) return stop();
    if (step >= all.lengths[episode]) move(0);
    play.textContent = "❚❚ Pause";
    timer = setInterval(() => { if (step >= all.lengths[episode]) stop(); else move(step + 1); }, 650);
  });
  slider.addEventListener("input", () => { stop(); move(+slider.value); });
  back.addEventListener("click", () => { stop(); move(step - 1); });
  forth.addEventListener("click", () => { stop(); move(step + 1); });

  function show() {
    const length = all.lengths[episode];
    if (episode >= all.shown) {
      title.textContent = `Episode ${whole(episode)}`;
      stage.replaceChildren(el("p.note", {}, `Only the first ${whole(all.shown)} episodes are in this file step by step. To see this one, select it with the command below and view that file.`));
      detail.replaceChildren(); where.textContent = ""; slider.max = 0;
      return;
    }
    const k = all.starts[episode] + step, last = step === length;
    slider.max = length; slider.value = step;
    let sum = 0;
    for (let t = 0; t < step; t++) sum += all.rewards[all.starts[episode] + t];
    title.textContent = `Episode ${whole(episode)} · ${all.behaviourOf(episode)} · return ${number(all.returns[episode])}`;
    where.textContent = `step ${step} of ${length}${last ? all.terminated[episode] ? ", the end" : ", cut off here" : ""} · reward so far ${number(sum)}`;
    slider.setAttribute("aria-valuetext", where.textContent);
    const unknown = last && all.openEnds && all.openEnds[episode];
    if (unknown) stage.replaceChildren(el("p.note", {}, "Nobody recorded the state after the last action."));
    else if (all.pictures && episode < all.drawn) stage.replaceChildren(all.pictures.draw(k, `State at step ${step} of episode ${episode}`));
    else stage.replaceChildren(el("div", {}, el("p.note", {}, `The ${all.S} numbers of the state`), vector(all.stateAt(k)), all.S <= 24 && el("p.mono", {}, Array.from(all.stateAt(k), (v) => number(v)).join("  "))));
    const acts = all.actionsAt(k), rows = [];
    for (let i = 0; i < all.N; i++) {
      const can = all.names.filter((_, a) => all.canPlay(k, i, a));
      rows.push([`agent ${i}`, last ? "–" : joint([acts[i]], all.names), ...(all.agentRewards ? [last ? "–" : number(all.agentRewards[k * all.N + i])] : []),
        el("span.note", {}, can.length === all.names.length ? "all" : can.join(" ")), ...(all.obs ? [unknown ? "–" : vector(all.obsAt(k, i))] : [])]);
    }
    const reward = last ? "The episode is over." : `Team reward of this step: ${number(all.rewards[k])}`;
    detail.replaceChildren(el("div.row.mid", {css: {margin: "12px 0 6px"}}, el("strong", {}, reward), !last && joint(acts, all.names)),
      el("details", {open: all.N <= 6 || detail.dataset.open === "1", on: {toggle: (event) => { detail.dataset.open = event.target.open ? "1" : "0"; }}}, el("summary", {}, "Each agent"),
        table(["agent", "plays", ...(all.agentRewards ? [{text: "its reward", n: true}] : []), "may play", ...(all.obs ? ["sees"] : [])], rows, {label: "Agents at this step"}),
        !all.obs && el("p.note", {}, "Every agent sees the whole state.")));
  }
  const node = el("div", {}, title, stage, content.legend && el("p.legendtext", {}, content.legend), el("div.row.mid", {css: {margin: "10px 0 2px"}}, play, back, forth, where), slider, detail);
  return {node, open: (number) => { stop(); episode = number; step = 0; show(); }};
}

/** The list of episodes with filters, flags, and the command that makes the subset. */
function episodeBrowser(all, base, card) {
  const state = {minReturn: "", maxReturn: "", minLength: "", maxLength: "", action: "", behaviour: "", sort: "number", page: 0, keep: "filter"};
  const flags = new Set(), PAGE = 200, player = episodePlayer(all), list = el("div.list", {role: "list", "aria-label": "Episodes"}), told = el("p.note", {"aria-live": "polite"});
  const made = command(""), pager = el("div.row.mid");
  let found = [], current = 0, low = Infinity, high = -Infinity, shortest = Infinity, longest = 0;
  for (let e = 0; e < all.count; e++) { low = Math.min(low, all.returns[e]); high = Math.max(high, all.returns[e]); shortest = Math.min(shortest, all.lengths[e]); longest = Math.max(longest, all.lengths[e]); }
  const input = (key, text) => el("label", {}, text, el("input", {type: "number", step: "any", "data-key": key, on: {input: (event) => { state[key] = event.target.value; state.page = 0; update(); }}}));
  const choice = (key, text, options) => el("label", {}, text, el("select", {"data-key": key, on: {change: (event) => { state[key] = event.target.value; state.page = 0; update(); }}}, options.map(([value, name]) => el("option", {value}, name))));
  const filters = el("div.row", {css: {"margin-bottom": "12px"}}, input("minReturn", "return from"), input("maxReturn", "to"), shortest < longest && [input("minLength", "steps from"), input("maxLength", "to")],
    choice("action", "some agent plays", [["", "anything"], ...all.names.map((name, a) => [String(a), name])]),
    all.behaviours.length > 1 && choice("behaviour", "made by", [["", "anybody"], ...all.behaviours.map((name) => [name, name])]),
    choice("sort", "sorted by", [["number", "number"], ["up", "return, lowest first"], ["down", "return, highest first"]]),
    el("button", {type: "button", on: {click: () => { Object.assign(state, {minReturn: "", maxReturn: "", minLength: "", maxLength: "", action: "", behaviour: "", page: 0}); for (const box of filters.querySelectorAll("input,select")) if (box.dataset.key !== "sort") box.value = ""; update(); }}}, "Clear"));

  function update() {
    const bound = (text, none) => text === "" ? none : +text;
    const r0 = bound(state.minReturn, -Infinity), r1 = bound(state.maxReturn, Infinity), l0 = bound(state.minLength, -Infinity), l1 = bound(state.maxLength, Infinity);
    found = [];
    for (let e = 0; e < all.count; e++) if (all.returns[e] >= r0 && all.returns[e] <= r1 && all.lengths[e] >= l0 && all.lengths[e] <= l1
      && (state.action === "" || all.has(e, +state.action)) && (state.behaviour === "" || all.behaviourOf(e) === state.behaviour)) found.push(e);
    if (state.sort !== "number") { const sign = state.sort === "up" ? 1 : -1; found.sort((a, b) => sign * (all.returns[a] - all.returns[b]) || a - b); }
    render();
  }
  function render() {
    const pages = Math.max(1, Math.ceil(found.length / PAGE)), span = high - low || 1;
    state.page = Math.min(state.page, pages - 1);
    list.replaceChildren(...found.slice(state.page * PAGE, (state.page + 1) * PAGE).map((e) => {
      const flag = el("button.flag", {type: "button", "aria-pressed": String(flags.has(e)), "aria-label": `Flag episode ${e}`, on: {click: () => { flags.has(e) ? flags.delete(e) : flags.add(e); flag.setAttribute("aria-pressed", String(flags.has(e))); flag.textContent = flags.has(e) ? "★" : "☆"; say(); }}}, flags.has(e) ? "★" : "☆");
      const go = el("button.go", {type: "button", "aria-current": e === current ? "true" : null, title: all.behaviourOf(e), on: {click: () => { pick(e); }}}, el("span", {}, whole(e)), el("span.meter", {}, el("i", {css: {width: `${3 + 97 * (all.returns[e] - low) / span}%`}})), el("span", {}, number(all.returns[e])));
      return el("div.item" + (e === current ? ".on" : ""), {role: "listitem", "data-episode": e}, flag, go);
    }));
    if (!found.length) list.replaceChildren(el("p.note", {css: {padding: "12px"}}, "No episode meets this."));
    const turn = (by, text) => el("button", {type: "button", disabled: state.page + by < 0 || state.page + by >= pages, on: {click: () => { state.page += by; render(); list.scrollTop = 0; }}}, text);
    pager.replaceChildren(...(pages > 1 ? [turn(-1, "‹ Back"), el("span.note", {}, `page ${state.page + 1} of ${pages}`), turn(1, "More ›")] : []));
    say();
  }
  function pick(e) {
    current = e;
    for (const row of list.querySelectorAll(".item")) { const on = +row.dataset.episode === e; row.classList.toggle("on", on); row.lastChild.toggleAttribute("aria-current", on); }
    player.open(e);
  }
  function say() {
    told.textContent = `${plural(found.length, "episode")} of ${whole(all.count)} ${found.length === 1 ? "meets" : "meet"} the filter; ${plural(flags.size, "episode")} flagged.`;
    const words = [base], add = (name, value) => { if (value !== "") words.push(`--${name}=${quoted(String(value))}`); };
    if (state.keep === "flagged") words.push(`--episodes=${ranges(flags)}`);
    else {
      add("min-return", state.minReturn); add("max-return", state.maxReturn); add("min-length", state.minLength); add("max-length", state.maxLength); add("action", state.action); add("behaviour", state.behaviour);
      if (state.keep === "without" && flags.size) words.push(`--not-episodes=${ranges(flags)}`);
    }
    made.set(state.keep === "flagged" && !flags.size ? "Flag an episode first (☆ in the list)." : [...words, "--out=subset.npz"].join(" "));
  }
  const keep = el("div.row.mid", {role: "radiogroup", "aria-label": "What to keep", css: {margin: "4px 0 8px"}}, [["filter", "what meets the filter"], ["flagged", "only flagged ones"], ["without", "the filter without flagged ones"]].map(([value, name]) =>
    el("label.line", {}, el("input", {type: "radio", name: "keep", value, checked: value === "filter", on: {change: () => { state.keep = value; say(); }}}), name)));
  put(card, [filters, el("div.cols.side", {}, el("div", {}, list, el("div", {css: {margin: "8px 0"}}, pager)), player.node), el("div", {css: {"margin-top": "18px"}}, el("h3", {}, "Make this subset"), told, keep, made.node)]);
  update();
  pick(0);
  return {filterReturns: (from, to) => {
    const round = (x, up) => up ? Math.ceil(x * 1e6) / 1e6 : Math.floor(x * 1e6) / 1e6;
    Object.assign(state, {minReturn: String(round(from, false)), maxReturn: String(round(to, true)), page: 0});
    for (const key of ["minReturn", "maxReturn"]) filters.querySelector(`[data-key=${key}]`).value = state[key];
    update(); card.scrollIntoView();
  }};
}
