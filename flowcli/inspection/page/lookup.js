// The lookup of every cell, computed from both frames' features when it is read, as raft_core/on_demand.py does.

class Lookup {
  constructor(maps, code, { rows, columns, radius, levels, channels }, { first, second }) {
    Object.assign(this, { maps, code, rows, columns, radius, levels, side: 2 * radius + 2 });
    this.window = new Float32Array(this.side ** 2);
    this.query = maps.map(channels);
    this.row = maps.reserve(this.side);
    this.pyramid = Array.from({ length: levels }, (_, level) => maps.map(channels, this.side, rows >> level, columns >> level));
    maps.load(this.query, first.map((value) => value / Math.sqrt(channels)));
    maps.load(this.pyramid[0], second);
    for (let level = 1; level < levels; level++) this.pool(this.pyramid[level - 1], this.pyramid[level]);
  }

  pool(fine, coarse) {
    const { values } = this.maps;
    for (let row = 0; row < coarse.rows; row++) for (let column = 0; column < coarse.columns; column++) {
      const from = this.maps.at(fine, 2 * row, 2 * column), to = this.maps.at(coarse, row, column);
      for (let c = 0; c < coarse.channels; c++) {
        const next = from + c + fine.channels, below = from + c + fine.stride;
        values[to + c] = (values[from + c] + values[next] + values[below] + values[below + fine.channels]) / 4;
      }
    }
  }

  // The correlations around every cell's correspondence, into the map `found`; flow is (rows, columns, 2) in cells.
  // `levels` says which are read, `radius` up to where; all other values are 0.
  read(flow, found, { levels, radius }) {
    const { side, maps: { values }, radius: reach } = this;
    for (let row = 0, cell = 0; row < this.rows; row++) for (let column = 0; column < this.columns; column++, cell++) {
      let to = this.maps.at(found, row, column);
      for (let level = 0; level < this.levels; level++) {
        const x = (column + flow[2 * cell]) / 2 ** level, y = (row + flow[2 * cell + 1]) / 2 ** level;
        const window = this.around(this.maps.at(this.query, row, column), level, Math.floor(x), Math.floor(y));
        const fx = x - Math.floor(x), fy = y - Math.floor(y);
        // The x offset varies slowest: the weights were trained with that channel order.
        for (let dx = -reach; dx <= reach; dx++) for (let dy = -reach; dy <= reach; dy++, to++) {
          const at = (dy + reach) * side + dx + reach, read = levels[level] && Math.max(Math.abs(dx), Math.abs(dy)) <= radius;
          const above = window[at] + fx * (window[at + 1] - window[at]);
          const below = window[at + side] + fx * (window[at + side + 1] - window[at + side]);
          values[to] = read ? above + fy * (below - above) : 0;
        }
      }
    }
  }

  // The correlations with the (2r + 2)² whole cells of a level around (x, y), row by row.
  around(features, level, x, y) {
    const { side, maps, row, radius, window } = this, map = this.pyramid[level];
    const left = clamp(x - radius, -side, map.columns), top = clamp(y - radius, -side, map.rows);
    for (let down = 0; down < side; down++) {
      this.code.correlate(4 * features, 4 * maps.at(map, top + down, left), 4 * row);
      window.set(maps.values.subarray(row, row + side), down * side);
    }
    return window;
  }
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
