// RAFT's update: lookup, motion encoder, recurrent unit, flow head and mask head, as raft_core/update.py has them.
// Maps are stored cell by cell with all channels of a cell side by side, and a margin of zeros that convolutions read.

class Operator {
  // shape: { rows, columns, radius, levels, channels }; layers: { name: { inputs, outputs, kernel, weights, bias } } with
  // weights in the order (kernel row, kernel column, input, output); first, second, context: (rows, columns, channels).
  constructor(shape, layers, { first, second, context }) {
    Object.assign(this, shape);
    this.side = 2 * this.radius + 2;
    this.size = 0;
    this.pending = [];
    this.layers = Object.fromEntries(Object.entries(layers).map(([name, layer]) => [name, this.packed(layer)]));
    const { correlation, flow1, flow2, merge, gates, candidate, head1, head2, mask1, mask2 } = this.layers;
    this.hiddenChannels = candidate.outputs;
    this.motionChannels = candidate.inputs - candidate.outputs;
    this.maps = {
      context: this.map(layers.contextGates.inputs, 1),
      contextGates: this.map(gates.outputs), contextCandidate: this.map(candidate.outputs),
      correlation: this.map(correlation.inputs), flow: this.map(2, flow1.kernel[0] >> 1),
      flow1: this.map(flow1.outputs, 1), merged: this.map(merge.inputs, 1), state: this.map(gates.inputs, 1),
      gates: this.map(gates.outputs), candidateInput: this.map(candidate.inputs, 1), candidate: this.map(candidate.outputs),
      hidden: this.map(candidate.outputs, 1), head: this.map(head1.outputs, 1), delta: this.map(OUTPUTS),
      ...(mask1 && { mask: this.map(mask1.outputs), logits: this.map(mask2.outputs) }),
    };
    this.query = this.map(this.channels);
    this.pyramid = Array.from({ length: this.levels }, (_, level) =>
      this.map(this.channels, this.side, this.rows >> level, this.columns >> level));
    this.row = this.reserve(this.side);
    this.begin();
    this.load(this.query, first.map((value) => value / Math.sqrt(this.channels)));
    this.load(this.pyramid[0], second);
    for (let level = 1; level < this.levels; level++) this.pool(this.pyramid[level - 1], this.pyramid[level]);
    this.context = { values: context, used: null };
    this.useContext(true);
  }

  reserve(count, values = null) {
    const offset = this.size;
    this.size += Math.ceil(count / 4) * 4;
    if (values) this.pending.push([offset, values]);
    return offset;
  }

  map(channels, margin = 0, rows = this.rows, columns = this.columns) {
    const width = columns + 2 * margin, stored = Math.ceil(channels / OUTPUTS) * OUTPUTS;
    // The last cell's channels are written in whole blocks.
    const offset = this.reserve((rows + 2 * margin) * width * channels + stored);
    return { channels, margin, rows, columns, offset, stride: width * channels };
  }

  packed({ inputs, outputs, kernel, weights, bias }) {
    const blocks = Math.ceil(outputs / OUTPUTS), taps = kernel[0] * kernel[1] * inputs;
    const packed = new Float32Array(blocks * taps * OUTPUTS), start = new Float32Array(blocks * OUTPUTS);
    for (let output = 0; output < outputs; output++) {
      const block = Math.floor(output / OUTPUTS) * taps, lane = output % OUTPUTS;
      for (let tap = 0; tap < taps; tap++) packed[(block + tap) * OUTPUTS + lane] = weights[tap * outputs + output];
    }
    start.set(bias);
    return {
      inputs, outputs, kernel, blocks, taps,
      weights: this.reserve(packed.length, packed), bias: this.reserve(start.length, start),
    };
  }

  begin() {
    const store = new WebAssembly.Memory({ initial: Math.ceil((4 * this.size) / 65536) + 1 });
    this.values = new Float32Array(store.buffer);
    for (const [offset, values] of this.pending) this.values.set(values, offset);
    this.pending = null;
    const channels = Object.values(this.layers).map((layer) => layer.inputs);
    this.code = instantiate({ channels, features: this.channels, side: this.side }, store);
  }

  at(map, row, column) {
    return map.offset + (row + map.margin) * map.stride + (column + map.margin) * map.channels;
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

  pool(fine, coarse) {
    const { values } = this;
    for (let row = 0; row < coarse.rows; row++) for (let column = 0; column < coarse.columns; column++) {
      const from = this.at(fine, 2 * row, 2 * column), to = this.at(coarse, row, column);
      for (let c = 0; c < coarse.channels; c++) {
        const next = from + c + fine.channels, below = from + c + fine.stride;
        values[to + c] = (values[from + c] + values[next] + values[below] + values[below + fine.channels]) / 4;
      }
    }
  }

  get everywhere() {
    return { top: 0, bottom: this.rows, left: 0, right: this.columns };
  }

  // A layer over a region; the sums begin with the layer's bias or with the values of the map `start`.
  convolve(name, input, output, { activation = null, channel = 0, start = null, region = this.everywhere } = {}) {
    const layer = this.layers[name], [height, width] = layer.kernel, run = this.code[`convolve${layer.inputs}`];
    const size = 4 * layer.taps * OUTPUTS, length = 4 * width * layer.inputs;
    for (let row = region.top; row < region.bottom; row++) for (let left = region.left; left < region.right; left += CELLS) {
      const column = Math.min(left, this.columns - CELLS);
      const from = this.at(input, row - (height >> 1), column - (width >> 1)), to = this.at(output, row, column) + channel;
      const begin = start ? this.at(start, row, column) : layer.bias;
      for (let block = 0; block < layer.blocks; block++) {
        run(4 * from, 4 * input.stride, length, 4 * (begin + block * OUTPUTS), start ? 4 * start.channels : 0,
          4 * layer.weights + block * size, size, 4 * (to + block * OUTPUTS), 4 * output.channels);
      }
    }
    if (activation) this.activate(activation, output, { channel, count: layer.outputs, region });
  }

  // Applied once to every cell of the region, although a convolution may compute some cells beyond it.
  activate(activation, map, { channel, count, region }) {
    for (let row = region.top; row < region.bottom; row++) for (let column = region.left; column < region.right; column++) {
      const from = this.at(map, row, column) + channel;
      for (let at = from; at < from + count; at++) this.values[at] = activation(this.values[at]);
    }
  }

  // Without context its features are 0, and only the biases of the recurrent unit are left.
  useContext(used) {
    const { context, contextGates, contextCandidate } = this.maps;
    if (used === this.context.used) return;
    this.context.used = used;
    this.load(context, used ? this.context.values : new Float32Array(this.context.values.length));
    this.convolve("contextGates", context, contextGates);
    this.convolve("contextCandidate", context, contextCandidate);
  }

  // A region and `by` cells around it.
  around(region, by) {
    return {
      top: Math.max(region.top - by, 0), bottom: Math.min(region.bottom + by, this.rows),
      left: Math.max(region.left - by, 0), right: Math.min(region.right + by, this.columns),
    };
  }

  // The correlations around every cell's correspondence; flow is (rows, columns, 2) in cells. `levels` says which are
  // read, `radius` up to where; all other values are 0.
  lookUp(flow, { levels, radius }) {
    const { side, values, query, row: found } = this, reach = this.radius, window = new Float32Array(side * side);
    for (let row = 0, cell = 0; row < this.rows; row++) for (let column = 0; column < this.columns; column++, cell++) {
      const features = this.at(query, row, column);
      let to = this.at(this.maps.correlation, row, column);
      for (let level = 0; level < this.levels; level++) {
        const map = this.pyramid[level], x = (column + flow[2 * cell]) / 2 ** level, y = (row + flow[2 * cell + 1]) / 2 ** level;
        const left = clamp(Math.floor(x) - reach, -side, map.columns), top = clamp(Math.floor(y) - reach, -side, map.rows);
        for (let down = 0; down < side; down++) {
          this.code.correlate(4 * features, 4 * this.at(map, top + down, left), 4 * found);
          for (let right = 0; right < side; right++) window[down * side + right] = values[found + right];
        }
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

  // One update of { flow, hidden }, (rows, columns, channels); gives the next state, and its motion features.
  update({ flow, hidden }, settings) {
    const { maps, hiddenChannels, motionChannels } = this;
    this.lookUp(flow, settings);
    this.load(maps.flow, flow);
    this.convolve("correlation", maps.correlation, maps.merged, { activation: relu });
    this.convolve("flow1", maps.flow, maps.flow1, { activation: relu });
    this.convolve("flow2", maps.flow1, maps.merged, { activation: relu, channel: this.layers.correlation.outputs });
    this.convolve("merge", maps.merged, maps.state, { activation: relu, channel: hiddenChannels });
    this.load(maps.state, flow, { channel: hiddenChannels + motionChannels - 2, count: 2 });
    const motion = this.read(maps.state, hiddenChannels, motionChannels);
    if (!settings.motion) motion.fill(0);
    this.recur(hidden, motion, settings);
    const next = this.blended(hidden);
    this.load(maps.hidden, next);
    this.convolve("head1", maps.hidden, maps.head, { activation: relu });
    this.convolve("head2", maps.head, maps.delta);
    const delta = this.read(maps.delta, 0, 2);
    return { flow: flow.map((value, index) => value + delta[index]), hidden: next, motion };
  }

  // The gates and the candidate of the recurrent unit, into their maps: over a region, for its cells alone.
  recur(hidden, motion, { context }, region = this.everywhere) {
    const { maps, hiddenChannels: count, values } = this, near = this.around(region, 1), far = this.around(region, 2);
    this.useContext(context);
    this.load(maps.state, hidden, { count, region: far });
    for (const map of [maps.state, maps.candidateInput]) {
      this.load(map, motion, { channel: count, count: this.motionChannels, region: far });
    }
    this.convolve("gates", maps.state, maps.gates, { activation: sigmoid, start: maps.contextGates, region: near });
    for (let row = near.top; row < near.bottom; row++) for (let column = near.left; column < near.right; column++) {
      const to = this.at(maps.candidateInput, row, column), reset = this.at(maps.gates, row, column) + count;
      const from = this.at(maps.state, row, column);
      for (let c = 0; c < count; c++) values[to + c] = values[reset + c] * values[from + c];
    }
    this.convolve("candidate", maps.candidateInput, maps.candidate, { activation: Math.tanh, start: maps.contextCandidate, region });
  }

  // The next hidden state: the update gate says how much of the candidate each channel takes.
  blended(hidden) {
    const gates = this.read(this.maps.gates, 0, this.hiddenChannels), candidate = this.read(this.maps.candidate);
    return hidden.map((value, index) => value + gates[index] * (candidate[index] - value));
  }

  // The weights with which the 3×3 cells around a cell make the flow of its pixel (x, y), 0 to 7: row by row.
  upsamplingWeights(hidden, { row, column, x, y }) {
    const { maps } = this;
    if (!maps.mask) return this.bilinearWeights({ row, column, x, y });
    const region = { top: row, bottom: row + 1, left: column, right: column + 1 };
    this.load(maps.hidden, hidden, { region: this.around(region, 1) });
    this.convolve("mask1", maps.hidden, maps.mask, { activation: relu, region });
    this.convolve("mask2", maps.mask, maps.logits, { region });
    const logits = Array.from({ length: 9 }, (_, k) => 0.25 * this.values[this.at(maps.logits, row, column) + 64 * k + 8 * y + x]);
    const powers = logits.map((logit) => Math.exp(logit - Math.max(...logits)));
    const total = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / total);
  }

  // The flow of a pixel in px: the sum of the 3×3 cells' flow times the weights. Outside the grid, flow is 0.
  fineFlow(flow, weights, { row, column }) {
    const sum = { x: 0, y: 0 };
    weights.forEach((weight, k) => {
      const r = row + Math.floor(k / 3) - 1, c = column + (k % 3) - 1;
      if (r < 0 || c < 0 || r >= this.rows || c >= this.columns) return;
      const cell = 2 * (r * this.columns + c);
      sum.x += 8 * weight * flow[cell];
      sum.y += 8 * weight * flow[cell + 1];
    });
    return sum;
  }

  // Bilinear upsampling with aligned corners, as raft-small has it.
  bilinearWeights({ row, column, x, y }) {
    const place = (cell, pixel, cells) => (8 * cell + pixel) * (cells - 1) / (8 * cells - 1) - cell;
    const down = place(row, y, this.rows), right = place(column, x, this.columns);
    const hat = (value, at) => Math.max(0, 1 - Math.abs(at - value));
    return [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => hat(down, dy) * hat(right, dx)));
  }
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const relu = (value) => (value > 0 ? value : 0);
const sigmoid = (value) => 1 / (1 + Math.exp(-value));
