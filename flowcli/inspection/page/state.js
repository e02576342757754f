// What the page shows: a pixel, an update, a step, and a run: PyTorch's, or the reader's own.

const data = JSON.parse(document.getElementById("data").textContent);
const { width, height, rows, columns, levels, radius, channels, averaging } = data;
const side = 2 * radius + 1;
const stored = { rows: Math.floor(rows / averaging), columns: Math.floor(columns / averaging) };
const tensors = {};
const byId = (id) => document.getElementById(id);

const state = {
  x: 0, y: 0, keptX: 0, keptY: 0, update: 1, step: "look_up", layer: "frame", run: "pytorch", drag: null,
};
const runs = { pytorch: { flows: [], from: 0 }, mine: null }; // flows: before the first update, and after each
const flowsOf = () => runs[state.run].flows;
const lastUpdate = () => flowsOf().length - 1;

const cellOf = (x = state.x, y = state.y) => ({
  row: Math.floor((y + data.top) / data.cell), column: Math.floor((x + data.left) / data.cell),
});

const within = (value, low, high) => Math.min(Math.max(value, low), high);
const vectorAt = (values, index) => ({ x: values[2 * index], y: values[2 * index + 1] });
const minus = (a, b) => ({ x: a.x - b.x, y: a.y - b.y });
const scaled = (a, by) => ({ x: a.x * by, y: a.y * by });
const length = (a) => Math.hypot(a.x, a.y);

// The flow of a cell after a number of updates, in cells.
function flowAt(updates, cell, flows = flowsOf()) {
  return vectorAt(flows[Math.min(updates, flows.length - 1)], cell.row * columns + cell.column);
}

// The correspondence after a number of updates, in cells of a level.
function centerAt(updates, cell, level) {
  const flow = state.drag && updates === state.update - 1 ? state.drag : flowAt(updates, cell), factor = 2 ** level;
  return { x: (cell.column + flow.x) / factor, y: (cell.row + flow.y) / factor };
}

// The ground truth of a pixel in px, or null.
function truthAt(x, y) {
  const truth = tensors.truth && vectorAt(tensors.truth, y * width + x);
  return truth && Number.isFinite(truth.x) ? truth : null;
}

const number = (value, digits = 2) => (Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(digits);
const signed = (value, digits = 2) => (Number(number(value, digits)) < 0 ? "" : "+") + number(value, digits);
const pair = (a, digits = 2) => `${number(a.x, digits)}, ${number(a.y, digits)}`;
