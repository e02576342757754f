// Convolutions between maps, with their activations.

class Layers {
  // layers: { name: { inputs, outputs, kernel, weights, bias } } with weights in the order (kernel row, kernel column,
  // input, output); code: the functions of kernels.js.
  constructor(maps, code, layers) {
    Object.assign(this, { maps, code });
    for (const [name, layer] of Object.entries(layers)) this[name] = this.packed(layer);
  }

  // Weights in blocks of OUTPUTS outputs, as the code reads them.
  packed({ inputs, outputs, kernel, weights, bias }) {
    const blocks = Math.ceil(outputs / OUTPUTS), taps = kernel[0] * kernel[1] * inputs;
    const packed = new Float32Array(blocks * taps * OUTPUTS), start = new Float32Array(blocks * OUTPUTS);
    for (let output = 0; output < outputs; output++) {
      const block = Math.floor(output / OUTPUTS) * taps, lane = output % OUTPUTS;
      for (let tap = 0; tap < taps; tap++) packed[(block + tap) * OUTPUTS + lane] = weights[tap * outputs + output];
    }
    start.set(bias);
    return { inputs, outputs, kernel, blocks, taps, weights: this.maps.keep(packed), bias: this.maps.keep(start) };
  }

  // A layer over a region; the sums begin with the layer's bias or with the values of the map `start`.
  convolve(name, input, output, { activation = null, channel = 0, start = null, region = this.maps.everywhere } = {}) {
    const { maps } = this, layer = this[name], [height, width] = layer.kernel, run = this.code[`convolve${layer.inputs}`];
    const size = 4 * layer.taps * OUTPUTS, length = 4 * width * layer.inputs;
    for (let row = region.top; row < region.bottom; row++) for (let left = region.left; left < region.right; left += CELLS) {
      const column = Math.min(left, maps.columns - CELLS);
      const from = maps.at(input, row - (height >> 1), column - (width >> 1)), to = maps.at(output, row, column) + channel;
      const begin = start ? maps.at(start, row, column) : layer.bias;
      for (let block = 0; block < layer.blocks; block++) {
        run(4 * from, 4 * input.stride, length, 4 * (begin + block * OUTPUTS), start ? 4 * start.channels : 0,
          4 * layer.weights + block * size, size, 4 * (to + block * OUTPUTS), 4 * output.channels);
      }
    }
    if (activation) this.activate(activation, output, { channel, count: layer.outputs, region });
  }

  // Applied once to every cell of the region, although a convolution may compute some cells beyond it.
  activate(activation, map, { channel, count, region }) {
    const { values } = this.maps;
    for (let row = region.top; row < region.bottom; row++) for (let column = region.left; column < region.right; column++) {
      const from = this.maps.at(map, row, column) + channel;
      for (let at = from; at < from + count; at++) values[at] = activation(values[at]);
    }
  }
}

const relu = (value) => (value > 0 ? value : 0);
const sigmoid = (value) => 1 / (1 + Math.exp(-value));
