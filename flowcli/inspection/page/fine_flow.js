// From the flow of the cells to that of a pixel: place = { row, column, x, y }, the pixel (x, y), 0 to 7, of a cell.

// The weights with which the 3×3 cells around a cell make the flow of its pixel: row by row.
function upsamplingWeights(operator, hidden, place) {
  const { maps, layers, mask, logits } = operator, { row, column, x, y } = place;
  if (!mask) return bilinearWeights(operator, place);
  const region = { top: row, bottom: row + 1, left: column, right: column + 1 };
  maps.load(operator.hidden, hidden, { region: maps.around(region, 1) });
  layers.convolve("mask1", operator.hidden, mask, { activation: relu, region });
  layers.convolve("mask2", mask, logits, { region });
  const found = Array.from({ length: 9 }, (_, k) => 0.25 * maps.values[maps.at(logits, row, column) + 64 * k + 8 * y + x]);
  const powers = found.map((logit) => Math.exp(logit - Math.max(...found)));
  const total = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / total);
}

// Bilinear upsampling with aligned corners, as raft-small has it.
function bilinearWeights({ rows, columns }, { row, column, x, y }) {
  const place = (cell, pixel, cells) => (8 * cell + pixel) * (cells - 1) / (8 * cells - 1) - cell;
  const down = place(row, y, rows), right = place(column, x, columns);
  const hat = (value, at) => Math.max(0, 1 - Math.abs(at - value));
  return [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => hat(down, dy) * hat(right, dx)));
}

// The flow of a pixel in px: the sum of the 3×3 cells' flow times the weights. Outside the grid, flow is 0.
function fineFlow({ rows, columns }, flow, weights, { row, column }) {
  const sum = { x: 0, y: 0 };
  weights.forEach((weight, k) => {
    const r = row + Math.floor(k / 3) - 1, c = column + (k % 3) - 1;
    if (r < 0 || c < 0 || r >= rows || c >= columns) return;
    const cell = 2 * (r * columns + c);
    sum.x += 8 * weight * flow[cell];
    sum.y += 8 * weight * flow[cell + 1];
  });
  return sum;
}
