// Step 1: what the encoders made of the frames, and the features of the cell.

const SHOWN = 8; // The channels of each map that vary most smoothly are shown: they are easiest to recognise.
const galleries = [];

function buildEncode() {
  const shared = smoothest(tensors.first, channels);
  const maps = [
    ["features of the first frame", tensors.first, channels, shared, "here"],
    ["features of the second frame", tensors.second, channels, shared, "there"],
    ...(tensors.hidden ? [
      ["hidden state before update 1", tensors.hidden, tensors.hidden.length / (rows * columns), null, "here"],
      ["context", tensors.context, tensors.context.length / (rows * columns), null, "here"],
    ] : []),
  ];
  for (const [name, values, count, chosen, mark] of maps) {
    const figure = document.createElement("figure");
    figure.innerHTML = `<figcaption>${name} <span class="note">(${count} channels)</span></figcaption><div class="gallery"></div>`;
    const tiles = (chosen || smoothest(values, count)).map((channel) => {
      const canvas = document.createElement("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${name}, channel ${channel}`);
      canvas.title = `channel ${channel}`;
      figure.lastChild.append(canvas);
      return { canvas, picture: channelPicture(values, count, channel) };
    });
    byId("galleries").append(figure);
    galleries.push({ tiles, mark });
  }
}

// By the correlation of neighbouring cells.
function smoothest(values, count) {
  const likeness = Array.from({ length: count }, (_, channel) => {
    let sum = 0, squares = 0, products = 0;
    for (let i = channel; i < values.length; i += count) {
      sum += values[i];
      squares += values[i] ** 2;
      products += values[i] * (values[i + count] || 0);
    }
    const square = sum ** 2 / (values.length / count);
    return (products - square) / (squares - square + 1e-9);
  });
  return likeness.map((_, channel) => channel).sort((a, b) => likeness[b] - likeness[a]).slice(0, SHOWN);
}

function channelPicture(values, count, channel) {
  const cells = values.length / count, across = cells === rows * columns ? columns : stored.columns;
  const map = Float32Array.from({ length: cells }, (_, i) => values[i * count + channel]);
  const image = shades(map, across, ...range(map)), canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function showEncode({ cell, trail }) {
  const there = trail[state.update];
  for (const { tiles, mark } of galleries) for (const { canvas, picture } of tiles) {
    const [context, unit] = sheet(canvas, columns, rows);
    context.imageSmoothingEnabled = false;
    context.drawImage(picture, 0, 0, columns, rows);
    const at = mark === "here" ? { x: cell.column, y: cell.row } : there;
    stroke(context, unit, RED, 1.5, square({ x: at.x + 0.5, y: at.y + 0.5 }, Math.max(0.8, 3 * unit)));
  }
  const start = storedAt(cell), nearest = {
    row: within(Math.round(there.y), 0, rows - 1), column: within(Math.round(there.x), 0, columns - 1),
  };
  const other = storedAt(nearest), one = tensors.first.subarray(start, start + channels);
  const two = tensors.second.subarray(other, other + channels);
  const most = Math.max(...one.map(Math.abs), ...two.map(Math.abs));
  const look = { low: -most, high: most, scale: DIVERGING, across: Math.ceil(channels / 2) };
  strip(byId("features-here"), [...one], look);
  strip(byId("features-there"), [...two], look);
  byId("cosine").textContent = number(cosine(tensors.first, start, tensors.second, other));
}
