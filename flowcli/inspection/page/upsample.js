// Step 5: from the 1/8 grid to the pixel.

function showUpsample({ cell, detail, truth }) {
  byId("weights").hidden = byId("results").hidden = !detail;
  byId("weights-wait").hidden = Boolean(detail);
  byId("weights-wait").textContent = whyNoDetail();
  if (!detail) return;
  const flows = flowsAround(cell);
  const bilinear = bilinearWeights(cell), fromBilinear = mixed(flows, bilinear), flow = detail.flows[state.update - 1];
  drawWeights(byId("learned"), detail.weights, flows);
  drawWeights(byId("bilinear"), bilinear, flows);
  byId("learned-name").textContent = data.upsampling === "convex" ? "Learned (convex) weights" : "Weights of this model: bilinear";
  const lines = [["this model", flow], ["bilinear", fromBilinear], ["cell", flows[4]], ["truth", truth]].filter(([, value]) => value);
  byId("results").innerHTML = "<tr><th></th><th>flow, px</th>" + (truth ? "<th>error, px</th>" : "") + "</tr>"
    + lines.map(([name, value]) => `<tr><th>${name}</th><td>${pair(value)}</td>`
      + (truth ? `<td>${name === "truth" ? "" : number(length(minus(value, truth)))}</td>` : "") + "</tr>").join("");
}

// The flow of the 3 × 3 cells around a cell in px, row by row; null outside the grid.
function flowsAround(cell) {
  const around = [...Array(9).keys()].map((k) => ({ row: cell.row + Math.floor(k / 3) - 1, column: cell.column + (k % 3) - 1 }));
  const inside = ({ row, column }) => row >= 0 && column >= 0 && row < rows && column < columns;
  return around.map((one) => (inside(one) ? scaled(flowAt(state.update, one), data.cell) : null));
}

const mixed = (flows, weights) => flows.reduce((sum, flow, k) => (flow
  ? { x: sum.x + weights[k] * flow.x, y: sum.y + weights[k] * flow.y } : sum), { x: 0, y: 0 });

// The weights of bilinear interpolation with aligned corners, as flowcli/inspection/reading.py gives them.
function bilinearWeights(cell) {
  const apart = (pixel, cells, own) => pixel * (cells - 1) / (data.cell * cells - 1) - own;
  const down = apart(state.y + data.top, rows, cell.row), right = apart(state.x + data.left, columns, cell.column);
  const hat = (value, at) => Math.max(0, 1 - Math.abs(at - value));
  return [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => hat(down, dy) * hat(right, dx)));
}

// The 3×3 cells: shade by weight, their flow as arrows, and the weight in figures.
function drawWeights(canvas, weights, flows) {
  const [context, unit] = sheet(canvas, 3, 3), longest = Math.max(1e-6, ...flows.filter(Boolean).map(length));
  weights.forEach((weight, k) => {
    const x = k % 3, y = Math.floor(k / 3);
    context.fillStyle = `rgb(${shadeAt(weight, 0, 1, VIRIDIS).map(Math.round)})`;
    context.fillRect(x, y, 1 - unit, 1 - unit);
    const from = { x: x + 0.5, y: y + 0.5 }, flow = flows[k] && scaled(flows[k], 0.42 / longest);
    if (flow) arrow(context, unit, from, { x: from.x + flow.x, y: from.y + flow.y }, ORANGE);
    label(context, unit, percent(weight), { x: x + 0.05, y: y + 0.95 });
  });
  canvas.setAttribute("aria-label", `Weights, row by row: ${weights.map(percent).join(", ")}`);
}
