"use strict";
// Computes everything from the two feature maps and the flow after every update, as raft_core/correlation.py does.

const data = JSON.parse(document.getElementById("data").textContent);
const { width, height, rows, columns, levels, radius, channels, averaging } = data;
const side = 2 * radius + 1;
const byId = (id) => document.getElementById(id);

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
}

function decodeFloat16(text) {
  const table = new Float32Array(65536);
  for (let code = 0; code < 65536; code++) {
    const sign = code & 0x8000 ? -1 : 1, exponent = (code >> 10) & 31, fraction = code & 1023;
    table[code] = sign * (exponent === 0 ? fraction * 2 ** -24
      : exponent < 31 ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction ? NaN : Infinity);
  }
  return Float32Array.from(new Uint16Array(bytes(text)), (code) => table[code]);
}

const stored = { rows: Math.floor(rows / averaging), columns: Math.floor(columns / averaging) };
const first = decodeFloat16(data.first);
const second = decodeFloat16(data.second);
const flows = new Float32Array(bytes(data.flows));
const state = { x: 0, y: 0, keptX: 0, keptY: 0, update: data.updates, timer: null };

function pool(map) {
  const result = { rows: map.rows >> 1, columns: map.columns >> 1 };
  result.values = new Float32Array(result.rows * result.columns);
  for (let y = 0; y < result.rows; y++) for (let x = 0; x < result.columns; x++) {
    const at = 2 * y * map.columns + 2 * x;
    const below = at + map.columns;
    result.values[y * result.columns + x] =
      (map.values[at] + map.values[at + 1] + map.values[below] + map.values[below + 1]) / 4;
  }
  return result;
}

// The map of a level that is finer than the stored features: bilinear interpolation of `map`.
function finer(map, level) {
  const factor = averaging / 2 ** level;
  const result = { rows: rows >> level, columns: columns >> level };
  result.values = new Float32Array(result.rows * result.columns);
  const clamp = (value, size) => Math.min(Math.max(value, 0), size - 1);
  for (let y = 0; y < result.rows; y++) for (let x = 0; x < result.columns; x++) {
    const place = { x: clamp((x + 0.5) / factor - 0.5, map.columns), y: clamp((y + 0.5) / factor - 0.5, map.rows) };
    result.values[y * result.columns + x] = read(map, place.x, place.y);
  }
  return result;
}

function read(map, x, y) {
  const x0 = Math.floor(x), y0 = Math.floor(y), fx = x - x0, fy = y - y0;
  const at = (column, row) =>
    column >= 0 && column < map.columns && row >= 0 && row < map.rows ? map.values[row * map.columns + column] : 0;
  return (1 - fy) * ((1 - fx) * at(x0, y0) + fx * at(x0 + 1, y0))
    + fy * ((1 - fx) * at(x0, y0 + 1) + fx * at(x0 + 1, y0 + 1));
}

// Pooling the responses equals pooling the features of the second frame, by linearity.
function responses(cell) {
  const row = Math.min(Math.floor(cell.row / averaging), stored.rows - 1);
  const column = Math.min(Math.floor(cell.column / averaging), stored.columns - 1);
  const start = (row * stored.columns + column) * channels;
  const base = { ...stored, values: new Float32Array(stored.rows * stored.columns) };
  for (let index = 0; index < base.values.length; index++) {
    let sum = 0;
    for (let c = 0, other = index * channels; c < channels; c++) sum += first[start + c] * second[other + c];
    base.values[index] = sum / Math.sqrt(channels);
  }
  const found = [];
  for (let level = 0; level < levels; level++) {
    const scale = 2 ** level;
    found.push(scale < averaging ? finer(base, level) : scale === averaging ? base : pool(found[level - 1]));
  }
  return found;
}

function flowAt(updates, cell) {
  const at = (2 * updates * rows + cell.row) * columns + cell.column;
  return { x: flows[at], y: flows[at + rows * columns] };
}

// The correspondence after a number of updates, in cells of a level.
function centerAt(updates, cell, level) {
  const flow = flowAt(updates, cell), factor = 2 ** level;
  return { x: (cell.column + flow.x) / factor, y: (cell.row + flow.y) / factor };
}

function lookup(map, center) {
  const values = [];
  let best = null;
  for (let dy = -radius; dy <= radius; dy++) for (let dx = -radius; dx <= radius; dx++) {
    const x = center.x + dx, y = center.y + dy, value = read(map, x, y);
    values.push(value);
    const inside = x >= 0 && y >= 0 && x <= map.columns - 1 && y <= map.rows - 1;
    if (inside && (best === null || value > best.value)) best = { dx, dy, value };
  }
  return { values, best };
}

// Matplotlib's viridis at nine evenly spaced values.
const SHADES = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129],
  [92, 200, 99], [170, 220, 50], [253, 231, 37]];

function shades(values, columnCount, low, high) {
  const image = new ImageData(columnCount, values.length / columnCount);
  for (let i = 0; i < values.length; i++) {
    const place = high > low ? 8 * Math.min(Math.max((values[i] - low) / (high - low), 0), 1) : 0;
    const from = Math.min(Math.floor(place), 7), share = place - from;
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = (1 - share) * SHADES[from][c] + share * SHADES[from + 1][c];
    image.data[4 * i + 3] = 255;
  }
  return image;
}

const scratch = document.createElement("canvas");
function raster(image) {
  scratch.width = image.width;
  scratch.height = image.height;
  scratch.getContext("2d").putImageData(image, 0, 0);
  return scratch;
}

// Sets a canvas to the resolution of the screen, with coordinates of `w` by `h`; also returns the size of a CSS pixel.
function sheet(canvas, w, h) {
  const shown = canvas.clientWidth || 300, density = window.devicePixelRatio || 1;
  canvas.width = Math.round(shown * density);
  canvas.height = Math.round(shown * density * h / w);
  const context = canvas.getContext("2d");
  context.scale(canvas.width / w, canvas.height / h);
  return [context, w / shown];
}

function stroke(context, unit, colour, thickness, draw) {
  for (const [shade, extra] of [["rgba(0,0,0,.75)", 2], [colour, 0]]) {
    context.strokeStyle = shade;
    context.lineWidth = (thickness + extra) * unit;
    context.lineJoin = context.lineCap = "round";
    context.beginPath();
    draw(context);
    context.stroke();
  }
}

function arrow(context, unit, from, to, colour) {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  if (length < unit) return;
  const tip = Math.min(8 * unit, length / 2), angle = Math.atan2(to.y - from.y, to.x - from.x);
  stroke(context, unit, colour, 2, (c) => {
    c.moveTo(from.x, from.y);
    c.lineTo(to.x, to.y);
    for (const turn of [2.6, -2.6]) {
      c.moveTo(to.x, to.y);
      c.lineTo(to.x + tip * Math.cos(angle + turn), to.y + tip * Math.sin(angle + turn));
    }
  });
}

const firstImage = new Image();
const secondImage = new Image();
const wheel = new Image();
let wheelPixels = null;

function drawView(canvas, flow) {
  const [context, unit] = sheet(canvas, width, height);
  if (flow) {
    context.imageSmoothingEnabled = true;
    context.drawImage(raster(flowImage()), -data.left, -data.top, columns * data.cell, rows * data.cell);
  } else context.drawImage(firstImage, 0, 0, width, height);
  for (const pixel of data.pixels) {
    stroke(context, unit, "#fff", 2, (c) => c.arc(pixel.x + 0.5, pixel.y + 0.5, 5 * unit, 0, 7));
  }
  const here = { x: state.x + 0.5, y: state.y + 0.5 };
  const moved = flowAt(state.update, cellOf());
  arrow(context, unit, here, { x: here.x + data.cell * moved.x, y: here.y + data.cell * moved.y }, "#ff9614");
  stroke(context, unit, "#ff4a55", 2, (c) => c.rect(here.x - 5 * unit, here.y - 5 * unit, 10 * unit, 10 * unit));
}

function drawSecond(canvas, cell, updates) {
  const [context, unit] = sheet(canvas, width, height);
  context.drawImage(secondImage, 0, 0, width, height);
  for (let level = levels - 1; level >= 0; level--) {
    const center = centerAt(updates, cell, level), size = data.cell * 2 ** level, half = (radius + 0.5) * size;
    const x = (center.x + 0.5) * size - data.left, y = (center.y + 0.5) * size - data.top;
    stroke(context, unit, "#fff", 1, (c) => c.rect(x - half, y - half, 2 * half, 2 * half));
  }
  const trail = Array.from({ length: updates + 1 }, (_, index) => {
    const flow = flowAt(index, cell);
    return { x: state.x + 0.5 + data.cell * flow.x, y: state.y + 0.5 + data.cell * flow.y };
  });
  stroke(context, unit, "#ff9614", 2, (c) => trail.forEach((p) => c.lineTo(p.x, p.y)));
  const end = trail[updates], half = 5 * unit;
  Object.assign(byId("pixel").dataset, { thereX: end.x - 0.5, thereY: end.y - 0.5 });
  stroke(context, unit, "#ff4a55", 2, (c) => c.rect(end.x - half, end.y - half, 2 * half, 2 * half));
}

function flowImage() {
  const image = new ImageData(columns, rows), size = wheel.width, middle = (size - 1) / 2;
  const start = 2 * state.update * rows * columns;
  for (let i = 0; i < rows * columns; i++) {
    const u = data.cell * flows[start + i], v = data.cell * flows[start + rows * columns + i];
    const scale = middle / Math.max(Math.hypot(u, v), data.maxFlow);
    const at = 4 * (Math.round(middle + v * scale) * size + Math.round(middle + u * scale));
    for (let c = 0; c < 4; c++) image.data[4 * i + c] = wheelPixels[at + c];
  }
  return image;
}

const cellOf = () => ({
  row: Math.floor((state.y + data.top) / data.cell), column: Math.floor((state.x + data.left) / data.cell),
});

const number = (value, digits = 2) => (Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(digits);
let maps = null, mapsOf = "";

function show() {
  const cell = cellOf(), updates = state.update - 1;
  if (mapsOf !== `${cell.row},${cell.column}`) {
    maps = responses(cell);
    mapsOf = `${cell.row},${cell.column}`;
  }
  const before = flowAt(updates, cell), after = flowAt(updates + 1, cell);
  const made = { x: after.x - before.x, y: after.y - before.y };
  for (const part of document.querySelectorAll(".update")) part.textContent = state.update;
  byId("slider").value = state.update;
  byId("at").textContent = `${state.x}, ${state.y}`;
  byId("cell").textContent = `${cell.row}, ${cell.column}`;
  byId("uv").textContent = `${number(data.cell * after.x)}, ${number(data.cell * after.y)}`;
  byId("made").textContent = `${number(data.cell * made.x)}, ${number(data.cell * made.y)}`;
  Object.assign(byId("pixel").dataset, {
    x: state.x, y: state.y, update: state.update, row: cell.row, column: cell.column,
    u: after.x, v: after.y, deltaU: made.x, deltaV: made.y,
  });
  drawView(byId("frame"), false);
  drawView(byId("flow"), true);
  drawSecond(byId("second"), cell, updates);
  maps.forEach((map, level) => showLevel(map, level, cell, updates, made));
}

function showLevel(map, level, cell, updates, made) {
  const factor = 2 ** level, panel = document.querySelector(`.level[data-level="${level}"]`);
  const at = (index) => centerAt(index, cell, level);
  const center = at(updates), { values, best } = lookup(map, center);
  let low = Infinity, high = -Infinity;
  for (const value of map.values) { low = Math.min(low, value); high = Math.max(high, value); }
  drawMap(panel.querySelector(".map"), map, center, Array.from({ length: updates + 1 }, (_, index) => at(index)), low, high);
  drawWindow(panel.querySelector(".window"), values, best, { x: made.x / factor, y: made.y / factor }, low, high);
  panel.querySelector(".range").textContent = `${number(low)} to ${number(high)}`;
  panel.querySelector(".center").textContent = `${number(center.y)}, ${number(center.x)}`;
  panel.querySelector(".strongest").textContent = best ? `${best.dx}, ${best.dy}` : "outside";
  panel.querySelector(".made").textContent = `${number(made.x / factor)}, ${number(made.y / factor)}`;
  Object.assign(panel.dataset, {
    centerRow: center.y, centerColumn: center.x, minimum: low, maximum: high,
    strongestX: best ? best.dx : "", strongestY: best ? best.dy : "",
    strongest: best ? best.value : "",
    window: values.map((value) => Number(value.toPrecision(7))).join(" "),
  });
}

function drawMap(canvas, map, center, trail, low, high) {
  const [context, unit] = sheet(canvas, map.columns, map.rows);
  context.imageSmoothingEnabled = false;
  context.drawImage(raster(shades(map.values, map.columns, low, high)), 0, 0);
  context.translate(0.5, 0.5);
  stroke(context, unit, "#fff", 1, (c) => c.rect(center.x - radius - 0.5, center.y - radius - 0.5, side, side));
  stroke(context, unit, "#ff9614", 1.5, (c) => trail.forEach((p) => c.lineTo(p.x, p.y)));
  const half = Math.max(0.5, 3 * unit);
  stroke(context, unit, "#ff4a55", 2, (c) => c.rect(center.x - half, center.y - half, 2 * half, 2 * half));
}

function drawWindow(canvas, values, best, made, low, high) {
  const [context, unit] = sheet(canvas, side, side);
  context.imageSmoothingEnabled = false;
  context.drawImage(raster(shades(values, side, low, high)), 0, 0);
  context.translate(side / 2, side / 2);
  stroke(context, unit, "#ff4a55", 1.5, (c) => c.rect(-0.5, -0.5, 1, 1));
  if (best) arrow(context, unit, { x: 0, y: 0 }, { x: best.dx, y: best.dy }, "#ff7ad0");
  arrow(context, unit, { x: 0, y: 0 }, made, "#4ae3ff");
}

function look(x, y, keep) {
  state.x = Math.min(Math.max(Math.floor(x), 0), width - 1);
  state.y = Math.min(Math.max(Math.floor(y), 0), height - 1);
  if (keep) { state.keptX = state.x; state.keptY = state.y; }
  show();
}

function goTo(update) {
  state.update = Math.min(Math.max(update, 1), data.updates);
  show();
}

function play() {
  const button = byId("play");
  if (state.timer !== null) {
    clearInterval(state.timer);
    state.timer = null;
  } else state.timer = setInterval(() => goTo(state.update % data.updates + 1), 600);
  button.textContent = state.timer === null ? "▶" : "⏸";
  button.setAttribute("aria-label", state.timer === null ? "Play" : "Pause");
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = name === "dark" ? "Light" : "Dark";
}

function fromAddress() {
  const parameters = new URLSearchParams(location.hash.slice(1)), start = data.pixels[0] || { x: width >> 1, y: height >> 1 };
  const given = (key, otherwise) => (/^\d+$/.test(parameters.get(key) || "") ? Number(parameters.get(key)) : otherwise);
  if (["dark", "light"].includes(parameters.get("theme"))) theme(parameters.get("theme"));
  state.update = Math.min(Math.max(given("i", state.update), 1), data.updates);
  look(given("x", start.x), given("y", start.y), true);
}

function build() {
  document.title = byId("title").textContent = `RAFT explorer: ${data.name}`;
  const pair = data.frames ? `frames ${data.frames[0]} and ${data.frames[1]}, ` : "";
  byId("about").textContent = `${pair}${width} × ${height}, ${data.weights}, ${data.updates} updates`;
  byId("updates").textContent = byId("slider").max = data.updates;
  byId("wheel").src = data.wheel;
  document.documentElement.style.setProperty("--shape", width / height);
  byId("scale").textContent = `(full colour: ${number(data.maxFlow, 1)} px)`;
  if (averaging > 1) {
    byId("coarser").hidden = false;
    byId("coarser").textContent = `To keep this page small, its feature maps are averaged over ${averaging} × ${averaging} `
      + "cells: responses are approximate. inspect.json has the exact responses of the inspected pixels.";
  }
  for (let level = 0; level < levels; level++) {
    byId("levels").insertAdjacentHTML("beforeend", `<article class="level" data-level="${level}">
      <h2>Level ${level} <span class="note">${rows >> level} × ${columns >> level}</span></h2>
      <canvas class="map" aria-label="Response map of level ${level}"></canvas>
      <p class="note">response <span class="range"></span></p>
      <p class="note">RAFT reads ${side} × ${side}</p>
      <canvas class="window" aria-label="Lookup of level ${level}"></canvas>
      <table class="facts"><tbody>
        <tr><th>row, column</th><td class="center"></td></tr>
        <tr><th>strongest x, y</th><td class="strongest"></td></tr>
        <tr><th>update x, y</th><td class="made"></td></tr></tbody></table></article>`);
  }
  for (const pixel of data.pixels) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${pixel.x}, ${pixel.y}: ${pixel.why}`;
    button.onclick = () => look(pixel.x, pixel.y, true);
    byId("marks").append(button);
  }
}

function listen() {
  for (const canvas of document.querySelectorAll(".view")) {
    const under = (event, keep) => {
      const box = canvas.getBoundingClientRect();
      look((event.clientX - box.left) * width / box.width, (event.clientY - box.top) * height / box.height, keep);
    };
    canvas.addEventListener("pointermove", (event) => under(event, event.pointerType === "touch"));
    canvas.addEventListener("click", (event) => under(event, true));
    canvas.addEventListener("pointerleave", () => look(state.keptX, state.keptY, true));
  }
  byId("slider").oninput = (event) => goTo(Number(event.target.value));
  byId("play").onclick = play;
  byId("theme").onclick = () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const steps = { "[": -1, ",": -1, "]": 1, ".": 1 };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const onSlider = event.target.id === "slider", onButton = event.target.tagName === "BUTTON";
    if (event.key in moves && !onSlider) {
      const [dx, dy] = moves[event.key], by = event.shiftKey ? 8 : 1;
      look(state.keptX + dx * by, state.keptY + dy * by, true);
    } else if (event.key in steps) goTo(state.update + steps[event.key]);
    else if (event.key === " " && !onButton) play();
    else return;
    event.preventDefault();
  });
  window.addEventListener("hashchange", fromAddress);
  window.addEventListener("resize", show);
}

async function begin() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  theme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
  firstImage.src = data.image;
  wheel.src = data.wheel;
  secondImage.src = data.secondImage;
  await Promise.all([firstImage.decode(), secondImage.decode(), wheel.decode()]);
  scratch.width = wheel.width;
  scratch.height = wheel.height;
  const context = scratch.getContext("2d");
  context.drawImage(wheel, 0, 0);
  wheelPixels = context.getImageData(0, 0, wheel.width, wheel.height).data;
  build();
  listen();
  fromAddress();
}

begin();
