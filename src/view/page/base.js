// Everything that comes from files goes into the page as text or numbers, never as HTML.
const content = JSON.parse(document.getElementById("content").textContent);
const SVG = "http://www.w3.org/2000/svg";

function put(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}

/** An element: `el("p.note", {title: "..."}, "text")`; `on` holds listeners, `css` single styles. */
function el(kind, props = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const node = document.createElement(tag || "div");
  if (classes.length) node.className = classes.join(" ");
  for (const [name, value] of Object.entries(props)) {
    if (name === "on") for (const [event, does] of Object.entries(value)) node.addEventListener(event, does);
    else if (name === "css") for (const [key, text] of Object.entries(value)) node.style.setProperty(key, text);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  return put(node, children);
}

function svg(tag, props = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "css") for (const [key, text] of Object.entries(value)) node.style.setProperty(key, text);
    else if (name === "on") for (const [event, does] of Object.entries(value)) node.addEventListener(event, does);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  return put(node, children);
}

const whole = (n) => Math.round(n).toLocaleString("en");
function number(x, digits = 4) {
  if (x === null || x === undefined || Number.isNaN(x)) return "–";
  if (Number.isInteger(x)) return whole(x).replace("-", "−");
  const size = Math.abs(x), places = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : size >= 0.001 ? digits - 1 : digits + 2;
  return x.toFixed(places).replace("-", "−");
}
const percent = (p) => p === null || p === undefined ? "–" : p === 0 ? "0\u00a0%" : p >= 1 ? "100\u00a0%" : p < 0.0005 ? "< 0.1\u00a0%" : p > 0.9995 && p < 1 ? "> 99.9\u00a0%" : (100 * p).toFixed(p < 0.1 || p > 0.99 ? 1 : 0) + "\u00a0%";
const plural = (n, word) => `${whole(n)} ${word}${n === 1 ? "" : "s"}`.replace(/([^aeiou])ys$/, "$1ies");
const series = (k) => `var(--s${k % 8})`;
const DASHES = ["", "7 4", "2 4", "10 4 2 4"];
const dash = (k) => DASHES[Math.floor(k / 8) % 4 || k % 4];

const TYPES = {u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, i4: Int32Array, f4: Float32Array, f8: Float64Array};
/** The typed array of a column; its shape is that of `column.shape`. */
async function unpack(column) {
  const text = atob(column.data), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new TYPES[column.type](await new Response(stream).arrayBuffer());
}

const main = document.getElementById("main"), nav = document.getElementById("nav");
/** A card with a heading, which the bar at the top leads to. */
function section(id, title, about, ...children) {
  nav.append(el("a", {href: "#" + id}, title));
  const card = el("section.card", {id, "aria-labelledby": id + "-h"},
    el("div.head", {}, el("h2", {id: id + "-h"}, title), about && el("p", {}, about)), ...children);
  main.append(card);
  return card;
}

function masthead(kind) {
  main.append(el("div.eyebrow", {}, kind), el("h1", {}, content.title), el("div.path", {}, content.source),
    el("dl.facts", {}, content.facts.map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value)))));
  const said = [...(content.said || []), ...(content.told || [])];
  if (said.length) main.append(el("div.card.verdict.warn", {role: "note"}, said.map((text) => el("p", {}, text))));
}

function table(heads, rows, props = {}) {
  const shape = (cell) => cell instanceof Node ? cell : document.createTextNode(cell ?? "–");
  return el("div.scroll" + (props.tall ? ".tall" : "") + (props.sticky ? ".sticky" : ""), {tabindex: "0", role: "region", "aria-label": props.label || "Table"},
    el("table", {}, el("thead", {}, el("tr", {}, heads.map((head) => el("th" + (head.n ? ".n" : "") + (String(head.text ?? head).length > 16 ? ".long" : ""), {scope: "col"}, head.text ?? head)))),
      el("tbody", {}, rows.map((row) => el("tr" + (row.kind ? "." + row.kind : ""), {}, (row.cells || row).map((cell, i) =>
        el("td" + (heads[i] && heads[i].n ? ".n" : ""), {}, shape(cell))))))));
}

const IDLE = new Set(["-", "noop", "stay", "wait"]);
/** A joint action, one chip for each agent; of many agents, those that do something, with their numbers. */
function joint(played, names) {
  const actions = Array.from(played), chip = (a, i, mark) => el("b", {title: `agent ${i}: ${names[a] ?? a}`}, mark && el("sub", {}, i), names[a] ?? String(a));
  if (actions.length <= 5 || !names.some((name) => IDLE.has(name))) return el("span.joint" + (actions.length > 5 ? ".many" : ""), {}, actions.map((a, i) => chip(a, i, false)));
  const busy = actions.map((a, i) => [a, i]).filter(([a]) => !IDLE.has(names[a]));
  return el("span.joint.many", {title: `all others: ${names.find((name) => IDLE.has(name))}`}, busy.length ? busy.map(([a, i]) => chip(a, i, true)) : el("span.note", {}, "nobody does anything"));
}

/** Numbers as small squares, darker for larger ones; blue above 0, orange below. */
function vector(values) {
  const shown = Array.from(values).slice(0, 400), top = Math.max(1e-9, ...shown.map(Math.abs));
  const squares = el("div.vec", {role: "img", "aria-label": `${values.length} numbers`}, shown.map((v, i) =>
    el("i" + (v < 0 ? ".neg" : ""), {title: `${i}: ${number(v)}`, css: {"--o": v === 0 ? 0 : 0.15 + 0.85 * Math.abs(v) / top}})));
  return values.length > shown.length ? el("div", {}, squares, el("span.note", {}, `the first ${shown.length} of ${whole(values.length)} numbers`)) : squares;
}

function command(text) {
  const code = el("div.cmd", {tabindex: "0"}, text);
  const copy = el("button", {type: "button", on: {click: async () => {
    try { await navigator.clipboard.writeText(code.textContent); }
    catch { getSelection().selectAllChildren(code); document.execCommand("copy"); }
    copy.textContent = "Copied"; setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  }}}, "Copy");
  return {node: el("div.cmdbox", {}, code, copy), set: (said) => { code.textContent = said; }};
}

function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  document.getElementById("theme").setAttribute("aria-pressed", dark);
}
const system = matchMedia("(prefers-color-scheme: dark)");
let chosen = null;
setTheme(system.matches);
system.addEventListener("change", () => { if (chosen === null) setTheme(system.matches); });
document.getElementById("theme").addEventListener("click", () => { chosen = document.documentElement.dataset.theme !== "dark"; setTheme(chosen); });
