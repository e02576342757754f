// The two inner loops of an update, in WebAssembly: convolution and correlation.

const CELLS = 6; // The neighbouring cells that one call of a convolution computes,
const OUTPUTS = 8; // and their output channels: 12 sums, which fit the registers.

// fused: whether a multiplication and an addition are one instruction, as on processors of the last ten years.
function kernels({ channels, features, side, fused }) {
  const multiplyAdd = (sum, left, right) =>
    fused ? [left, right, op.get(sum), op.fused, op.set(sum)] : [left, right, op.times, op.get(sum), op.sum, op.set(sum)];
  return [...new Set(channels)].map((count) => convolution(count, multiplyAdd)).concat(correlation(features, side, multiplyAdd));
}

// convolveN(input, rowStride, length, start, startStride, weights, size, output, outputStride), all in bytes:
// output[cell][o] = start[cell][o] + Σ over rows and k of input[row][N·cell + k] · weights[row][k][o], for CELLS cells
// and OUTPUTS channels. Cells lie side by side with N channels each, so that k runs over a kernel's columns and channels.
function convolution(channels, multiplyAdd) {
  const [input, rowStride, length, start, startStride, weights, size, output, outputStride, at, end, last] = Array(12).keys();
  const low = 12, high = 13, one = 14, sum = (cell, half) => 15 + 2 * cell + half;
  const cells = [...Array(CELLS).keys()];
  const step = (pointer, by) => [op.get(pointer), by, op.add, op.set(pointer)];
  return {
    name: `convolve${channels}`, parameters: 9, integers: 3, vectors: 3 + 2 * CELLS,
    body: [
      cells.map((cell) => [
        [0, 1].map((half) => [op.get(start), op.load(16 * half), op.set(sum(cell, half))]), step(start, op.get(startStride)),
      ]),
      op.get(weights), op.get(size), op.add, op.set(last),
      op.loop([
        op.get(input), op.tee(at), op.get(length), op.add, op.set(end),
        op.loop([
          op.get(weights), op.load(0), op.set(low), op.get(weights), op.load(16), op.set(high),
          cells.map((cell) => [
            op.get(at), op.splat(4 * channels * cell), op.set(one),
            multiplyAdd(sum(cell, 0), op.get(one), op.get(low)), multiplyAdd(sum(cell, 1), op.get(one), op.get(high)),
          ]),
          step(weights, op.constant(4 * OUTPUTS)),
          op.get(at), op.constant(4), op.add, op.tee(at), op.get(end), op.less, op.again(0),
        ]),
        step(input, op.get(rowStride)),
        op.get(weights), op.get(last), op.less, op.again(0),
      ]),
      cells.map((cell) => [
        [0, 1].map((half) => [op.get(output), op.get(sum(cell, half)), op.store(16 * half)]), step(output, op.get(outputStride)),
      ]),
    ],
  };
}

// correlate(query, cells, output): output[i] = Σ over channels of query · cells[i], for `side` cells that lie side by side.
function correlation(channels, side, multiplyAdd) {
  const [query, cells, output, end] = Array(4).keys();
  const values = 4, sum = (cell) => 5 + cell;
  const all = [...Array(side).keys()];
  return {
    name: "correlate", parameters: 3, integers: 1, vectors: 1 + side,
    body: [
      op.get(query), op.constant(4 * channels), op.add, op.set(end),
      all.map((cell) => [op.zero, op.set(sum(cell))]),
      op.loop([
        op.get(query), op.load(0), op.set(values),
        all.map((cell) => multiplyAdd(sum(cell), op.get(values), [op.get(cells), op.load(4 * channels * cell)])),
        op.get(cells), op.constant(16), op.add, op.set(cells),
        op.get(query), op.constant(16), op.add, op.tee(query), op.get(end), op.less, op.again(0),
      ]),
      all.map((cell) => [
        op.get(output),
        [0, 1, 2, 3].map((lane) => [op.get(sum(cell)), op.lane(lane), lane ? op.sumOne : []]),
        op.storeOne(4 * cell),
      ]),
    ],
  };
}

// The functions in a memory: with fused multiplication and addition where the browser has it.
function instantiate(shape, store) {
  const plain = assemble(kernels({ ...shape, fused: false })), fused = assemble(kernels({ ...shape, fused: true }));
  const module = new WebAssembly.Module(WebAssembly.validate(fused) ? fused : plain);
  return new WebAssembly.Instance(module, { page: { memory: store } }).exports;
}
