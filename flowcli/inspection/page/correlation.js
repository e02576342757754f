// The response maps and lookups of one cell, computed from the two feature maps as raft_core/correlation.py does.

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
  const within = (value, size) => Math.min(Math.max(value, 0), size - 1);
  for (let y = 0; y < result.rows; y++) for (let x = 0; x < result.columns; x++) {
    const place = { x: within((x + 0.5) / factor - 0.5, map.columns), y: within((y + 0.5) / factor - 0.5, map.rows) };
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

// Where the features of a cell begin in a stored feature map.
function storedAt(cell) {
  const row = Math.min(Math.floor(cell.row / averaging), stored.rows - 1);
  const column = Math.min(Math.floor(cell.column / averaging), stored.columns - 1);
  return (row * stored.columns + column) * channels;
}

// Pooling the responses equals pooling the features of the second frame, by linearity.
function responses(cell) {
  const { first, second } = tensors, start = storedAt(cell);
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
  for (const map of found) [map.low, map.high] = range(map.values);
  return found;
}

function range(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
  return [low, high];
}

// The values that RAFT reads around a point of a level, and the offset of the strongest one within the map. `shown` has
// NaN where no cell of the map is read.
function lookup(map, center) {
  const values = [], shown = [];
  let best = null;
  for (let dy = -radius; dy <= radius; dy++) for (let dx = -radius; dx <= radius; dx++) {
    const x = center.x + dx, y = center.y + dy, value = read(map, x, y);
    values.push(value);
    shown.push(x > -1 && y > -1 && x < map.columns && y < map.rows ? value : NaN);
    const inside = x >= 0 && y >= 0 && x <= map.columns - 1 && y <= map.rows - 1;
    if (inside && (best === null || value > best.value)) best = { dx, dy, value };
  }
  return { values, shown, best };
}

// The strongest response of a level: the middle of its cell in cells of level 0. runnerUp is the strongest response
// outside a lookup window around it, as a share of it; both are taken above the mean of the level.
function peakOf(map, level) {
  let top = 0, sum = 0, rival = -Infinity;
  map.values.forEach((value, i) => { sum += value; if (value > map.values[top]) top = i; });
  const row = Math.floor(top / map.columns), column = top % map.columns, mean = sum / map.values.length;
  map.values.forEach((value, i) => {
    const away = Math.max(Math.abs(Math.floor(i / map.columns) - row), Math.abs(i % map.columns - column));
    if (away > radius) rival = Math.max(rival, value);
  });
  const height = map.values[top] - mean, share = height > 0 && rival > -Infinity ? (rival - mean) / height : 0;
  const place = (index) => (index + 0.5) * 2 ** level - 0.5;
  return { x: place(column), y: place(row), runnerUp: Math.min(Math.max(share, 0), 1) };
}
