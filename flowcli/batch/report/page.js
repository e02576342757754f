"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const ORDER = { failed: 0, partial: 1, done: 2 };
const SVG = "http://www.w3.org/2000/svg";

function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function drawn(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const known = (value, digits, unit = "") => (value === null ? "–" : value.toFixed(digits) + unit);

function time(seconds) {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return parts[0] ? parts.map((part) => String(part).padStart(2, "0")).join(":")
    : `${parts[1]}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
}

function pictures(clip) {
  if (!clip.poster) return "";
  const images = [["frame", "Frame"], ["flow", "Flow"]].map(([name, title]) =>
    made("img", { src: clip.poster[name], alt: `${title} of ${clip.clip}`, title, loading: "lazy" }));
  const about = `at ${time(clip.poster.time)}, full colour ${known(clip.poster.scale, 1, " px")}`;
  return made("div", {}, made("div", { className: "pictures" }, ...images), made("p", { className: "note" }, about));
}

function name(clip) {
  const links = clip.outputs.map((output) => made("a", { href: output.link }, output.name));
  const lines = [made("div", { className: "name" }, made("a", { href: clip.source, title: "Open the clip" }, clip.clip))];
  if (clip.error) lines.push(made("div", { className: "reason" }, clip.error), made("div", { className: "hint" }, clip.hint));
  if (links.length) lines.push(made("div", { className: "links" }, ...links));
  return made("div", {}, ...lines);
}

function curve(clip) {
  const values = clip.curve;
  if (values.length < 2) return "";
  const top = Math.max(...values, 0.5);
  const points = values.map((value, at) => [(128 * at) / (values.length - 1) + 1, 38 - (36 * value) / top]);
  const line = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  return drawn("svg", { class: "curve", viewBox: "0 0 130 40", role: "img", "aria-label": `speed up to ${top.toFixed(1)} px` },
    drawn("polygon", { points: `1,39 ${line} 129,39`, fill: "currentColor", opacity: 0.15 }),
    drawn("polyline", { points: line, fill: "none", stroke: "currentColor", "stroke-width": 1.5 }));
}

function arrow(clip) {
  if (clip.direction === null) return "–";
  return drawn("svg", { class: "arrow", viewBox: "-10 -10 20 20", role: "img", "aria-label": `${clip.direction.toFixed(0)}°` },
    drawn("path", {
      d: "M-7 0H6M1-5 6 0 1 5", fill: "none", stroke: "currentColor", "stroke-width": 2, transform: `rotate(${clip.direction})`,
    }));
}

const COLUMNS = [
  { title: "preview", cell: pictures, wide: true },
  { title: "clip", key: (clip) => clip.clip, cell: name, wide: true },
  { title: "status", key: (clip) => ORDER[clip.status], cell: (clip) => made("span", { className: "status" }, clip.status) },
  { title: "flows", key: (clip) => clip.flows, cell: (clip) => String(clip.flows), number: true },
  { title: "mean px", key: (clip) => clip.mean, cell: (clip) => known(clip.mean, 2), number: true },
  { title: "fast px", key: (clip) => clip.fast, cell: (clip) => known(clip.fast, 2), number: true },
  { title: "moving", key: (clip) => clip.moving, cell: (clip) => known(clip.moving === null ? null : 100 * clip.moving, 0, " %"), number: true },
  { title: "direction", key: (clip) => clip.direction, cell: arrow, number: true },
  { title: "cuts", key: (clip) => clip.cuts, cell: (clip) => known(clip.cuts, 0), number: true },
  { title: "speed over time", cell: curve },
  { title: "computed in", key: (clip) => clip.seconds, cell: (clip) => known(clip.seconds, 1, " s"), number: true },
];

const rows = data.clips.map((clip) => {
  const cells = COLUMNS.map((column) => {
    const cell = made("td", { className: [column.number && "number", column.wide && "wide"].filter(Boolean).join(" ") }, column.cell(clip));
    if (!column.wide) cell.dataset.title = column.title;
    return cell;
  });
  return { clip, text: `${clip.clip} ${clip.error || ""}`.toLowerCase(), element: made("tr", { className: clip.status }, ...cells) };
});
const state = { column: null, down: false, status: null };

function show() {
  const words = find("search").value.toLowerCase().split(/\s+/);
  const fits = rows.filter((row) => (!state.status || row.clip.status === state.status) && words.every((word) => row.text.includes(word)));
  if (state.column) {
    const { key } = state.column;
    // Unknown values are last in both orders.
    fits.sort((a, b) => {
      const [x, y] = [key(a.clip), key(b.clip)];
      if (x === null || y === null) return (x === null) - (y === null);
      return (typeof x === "string" ? x.localeCompare(y, undefined, { numeric: true }) : x - y) * (state.down ? -1 : 1);
    });
  }
  find("clips").replaceChildren(...fits.map((row) => row.element));
  find("shown").textContent = fits.length === rows.length ? "" : `${fits.length} of ${rows.length}`;
  find("none").hidden = fits.length > 0;
}

for (const column of COLUMNS) {
  const head = made("th", { scope: "col", className: column.number ? "number" : "" });
  head.append(column.key ? made("button", { type: "button" }, column.title) : made("span", { className: "plain" }, column.title));
  if (column.key) {
    head.firstChild.onclick = () => {
      state.down = state.column === column ? !state.down : Boolean(column.number);
      state.column = column;
      for (const other of find("head").children) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      show();
    };
  }
  find("head").append(head);
}

const statuses = Object.keys(ORDER).filter((status) => rows.some((row) => row.clip.status === status));
for (const status of [null, ...statuses]) {
  const count = rows.filter((row) => !status || row.clip.status === status).length;
  const button = made("button", { type: "button", ariaPressed: String(!status) }, `${status || "all"} ${count}`);
  button.onclick = () => {
    state.status = status;
    for (const other of find("statuses").children) other.ariaPressed = String(other === button);
    show();
  };
  find("statuses").append(button);
}

find("search").oninput = show;
const flows = rows.reduce((sum, row) => sum + row.clip.flows, 0);
document.title = `${data.folder}: flowcli batch`;
find("title").textContent = data.folder;
find("about").textContent = `${data.listed} clips, ${flows} flows; the last run took ${time(data.seconds)}; flowcli ${data.flowcli}`;
show();
