// Maps of numbers over the cells, in WebAssembly's memory: stored cell by cell with all channels of a cell side by side,
// and a margin of zeros that convolutions read.

class Maps {
  constructor(memory, { rows, columns }) {
    Object.assign(this, { memory, rows, columns, size: 0 });
  }

  reserve(count) {
    const offset = this.size;
    this.size += Math.ceil(count / 4) * 4;
    const missing = 4 * this.size - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / 65536));
    this.values = new Float32Array(this.memory.buffer);
    return offset;
  }

  keep(values) {
    const offset = this.reserve(values.length);
    this.values.set(values, offset);
    return offset;
  }

  map(channels, margin = 0, rows = this.rows, columns = this.columns) {
    const width = columns + 2 * margin, stored = Math.ceil(channels / OUTPUTS) * OUTPUTS;
    // The last cell's channels are written in whole blocks.
    const offset = this.reserve((rows + 2 * margin) * width * channels + stored);
    return { channels, margin, rows, columns, offset, stride: width * channels };
  }

  at(map, row, column) {
    return map.offset + (row + map.margin) * map.stride + (column + map.margin) * map.channels;
  }

  get everywhere() {
    return { top: 0, bottom: this.rows, left: 0, right: this.columns };
  }

  // A region and `by` cells around it.
  around(region, by) {
    return {
      top: Math.max(region.top - by, 0), bottom: Math.min(region.bottom + by, this.rows),
      left: Math.max(region.left - by, 0), right: Math.min(region.right + by, this.columns),
    };
  }

  // Copies (rows, columns, count) values into a map, or out of it, from a channel on.
  load(map, values, { channel = 0, count = map.channels, region = this.everywhere } = {}) {
    for (let row = region.top; row < region.bottom; row++) for (let column = region.left; column < region.right; column++) {
      const from = (row * map.columns + column) * count;
      this.values.set(values.subarray(from, from + count), this.at(map, row, column) + channel);
    }
  }

  read(map, channel = 0, count = map.channels) {
    const result = new Float32Array(map.rows * map.columns * count);
    for (let row = 0, to = 0; row < map.rows; row++) for (let column = 0; column < map.columns; column++, to += count) {
      const from = this.at(map, row, column) + channel;
      result.set(this.values.subarray(from, from + count), to);
    }
    return result;
  }
}
