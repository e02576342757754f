// RAFT's update: lookup, motion encoder, recurrent unit and flow head, as raft_core/update.py has them.

class Operator {
  // shape: { rows, columns, radius, levels, channels }; layers as in layers.js; first, second, context: (rows, columns,
  // channels).
  constructor(shape, layers, { first, second, context }) {
    Object.assign(this, { rows: shape.rows, columns: shape.columns });
    const memory = new WebAssembly.Memory({ initial: 1 }), inputs = Object.values(layers).map((layer) => layer.inputs);
    const code = instantiate({ channels: inputs, features: shape.channels, side: 2 * shape.radius + 2 }, memory);
    this.maps = new Maps(memory, shape);
    this.layers = new Layers(this.maps, code, layers);
    this.lookup = new Lookup(this.maps, code, shape, { first, second });
    this.hiddenChannels = layers.candidate.outputs;
    this.motionChannels = layers.candidate.inputs - layers.candidate.outputs;
    this.reserve(layers);
    this.context = { values: context, used: null };
    this.useContext(true);
  }

  // The maps between the layers; those that a kernel of several taps reads have a margin.
  reserve({ contextGates, correlation, flow1, merge, gates, candidate, head1, mask1, mask2 }) {
    const map = (channels, margin) => this.maps.map(channels, margin);
    Object.assign(this, {
      contextFeatures: map(contextGates.inputs, 1), contextGates: map(gates.outputs), contextCandidate: map(candidate.outputs),
      correlation: map(correlation.inputs), flow: map(2, flow1.kernel[0] >> 1),
      flow1: map(flow1.outputs, 1), merged: map(merge.inputs, 1), state: map(gates.inputs, 1),
      gates: map(gates.outputs), candidateInput: map(candidate.inputs, 1), candidate: map(candidate.outputs),
      hidden: map(candidate.outputs, 1), head: map(head1.outputs, 1), delta: map(OUTPUTS),
      ...(mask1 && { mask: map(mask1.outputs), logits: map(mask2.outputs) }),
    });
  }

  // Without context its features are 0, and only the biases of the recurrent unit are left.
  useContext(used) {
    if (used === this.context.used) return;
    this.context.used = used;
    this.maps.load(this.contextFeatures, used ? this.context.values : new Float32Array(this.context.values.length));
    this.layers.convolve("contextGates", this.contextFeatures, this.contextGates);
    this.layers.convolve("contextCandidate", this.contextFeatures, this.contextCandidate);
  }

  // One update of { flow, hidden }, (rows, columns, channels); gives the next state, and its motion features.
  update({ flow, hidden }, settings) {
    const motion = this.encodeMotion(flow, settings);
    this.recur(hidden, motion, settings);
    const next = this.blended(hidden);
    this.maps.load(this.hidden, next);
    this.layers.convolve("head1", this.hidden, this.head, { activation: relu });
    this.layers.convolve("head2", this.head, this.delta);
    const delta = this.maps.read(this.delta, 0, 2);
    return { flow: flow.map((value, index) => value + delta[index]), hidden: next, motion };
  }

  // Motion features; the last two channels are the flow itself.
  encodeMotion(flow, settings) {
    const { maps, layers, merged, state, hiddenChannels: channel, motionChannels: count } = this;
    if (!settings.motion) return new Float32Array(this.rows * this.columns * count);
    this.lookup.read(flow, this.correlation, settings);
    maps.load(this.flow, flow);
    layers.convolve("correlation", this.correlation, merged, { activation: relu });
    layers.convolve("flow1", this.flow, this.flow1, { activation: relu });
    layers.convolve("flow2", this.flow1, merged, { activation: relu, channel: layers.correlation.outputs });
    layers.convolve("merge", merged, state, { activation: relu, channel });
    maps.load(state, flow, { channel: channel + count - 2, count: 2 });
    return maps.read(state, channel, count);
  }

  // The gates and the candidate of the recurrent unit, into their maps: over a region, for its cells alone.
  recur(hidden, motion, { context }, region = this.maps.everywhere) {
    const { maps, layers, state, candidateInput, hiddenChannels: count } = this, { values } = maps;
    const near = maps.around(region, 1), far = maps.around(region, 2);
    this.useContext(context);
    maps.load(state, hidden, { count, region: far });
    for (const map of [state, candidateInput]) maps.load(map, motion, { channel: count, count: this.motionChannels, region: far });
    layers.convolve("gates", state, this.gates, { activation: sigmoid, start: this.contextGates, region: near });
    for (let row = near.top; row < near.bottom; row++) for (let column = near.left; column < near.right; column++) {
      const to = maps.at(candidateInput, row, column), reset = maps.at(this.gates, row, column) + count;
      const from = maps.at(state, row, column);
      for (let c = 0; c < count; c++) values[to + c] = values[reset + c] * values[from + c];
    }
    layers.convolve("candidate", candidateInput, this.candidate, { activation: Math.tanh, start: this.contextCandidate, region });
  }

  // The next hidden state: the update gate says how much of the candidate each channel takes.
  blended(hidden) {
    const gates = this.maps.read(this.gates, 0, this.hiddenChannels), candidate = this.maps.read(this.candidate);
    return hidden.map((value, index) => value + gates[index] * (candidate[index] - value));
  }

  // The update gate and the reset gate of one cell in the update from `hidden`.
  gatesAt(hidden, motion, settings, { row, column }) {
    this.recur(hidden, motion, settings, { top: row, bottom: row + 1, left: column, right: column + 1 });
    const start = this.maps.at(this.gates, row, column), middle = start + this.hiddenChannels;
    return [this.maps.values.slice(start, middle), this.maps.values.slice(middle, middle + this.hiddenChannels)];
  }
}
