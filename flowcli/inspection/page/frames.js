// The two frames: the pixel in the first, and where RAFT looks for it in the second.

const images = { first: new Image(), second: new Image(), wheel: new Image(), wheelPixels: null };
const RED = "#ff4a55", ORANGE = "#ff9614", PINK = "#ff7ad0", CYAN = "#4ae3ff", WHITE = "#fff", GREEN = "#4ce38a", GREY = "#b9c0cc";

async function loadImages() {
  images.first.src = data.image;
  images.second.src = data.secondImage;
  images.wheel.src = data.wheel;
  await Promise.all([images.first, images.second, images.wheel].map((image) => image.decode()));
  scratch.width = images.wheel.width;
  scratch.height = images.wheel.height;
  const context = scratch.getContext("2d", { willReadFrequently: true });
  context.drawImage(images.wheel, 0, 0);
  images.wheelPixels = context.getImageData(0, 0, images.wheel.width, images.wheel.height).data;
}

function drawFrame(canvas) {
  const [context, unit] = sheet(canvas, width, height);
  drawLayer(context);
  data.pixels.forEach((pixel, index) => {
    stroke(context, unit, WHITE, 2, (c) => c.arc(pixel.x + 0.5, pixel.y + 0.5, 5 * unit, 0, 7));
    // To the left if another pixel, or the border, is to the right.
    const close = ({ x, y }) => x > pixel.x && x < pixel.x + 30 * unit && Math.abs(y - pixel.y) < 20 * unit;
    const left = pixel.x + 20 * unit > width || data.pixels.some(close);
    const place = { x: pixel.x + 0.5 + (left ? -16 : 8) * unit, y: within(pixel.y + 0.5 + 4 * unit, 12 * unit, height - 2 * unit) };
    label(context, unit, index + 1, place);
  });
  const here = { x: state.x + 0.5, y: state.y + 0.5 };
  const ends = (flow) => ({ x: here.x + data.cell * flow.x, y: here.y + data.cell * flow.y });
  const truth = truthAt(state.x, state.y);
  if (truth) arrow(context, unit, here, { x: here.x + truth.x, y: here.y + truth.y }, GREEN);
  arrow(context, unit, here, ends(flowAt(state.update, cellOf())), ORANGE);
  stroke(context, unit, RED, 2, square(here, 5 * unit));
}

function drawLayer(context) {
  if (state.layer === "frame") return context.drawImage(images.first, 0, 0, width, height);
  context.imageSmoothingEnabled = true;
  if (state.layer === "truth") {
    return context.drawImage(raster(flowImage(tensors.truth, width, 1)), 0, 0);
  }
  const flow = flowImage(flowsOf()[state.update], columns, data.cell);
  return context.drawImage(raster(flow), -data.left, -data.top, columns * data.cell, rows * data.cell);
}

// Flow in the colours of the wheel; `factor` converts it to px. Unknown flow is black.
function flowImage(values, columnCount, factor) {
  const size = images.wheel.width, middle = (size - 1) / 2;
  const image = new ImageData(columnCount, values.length / 2 / columnCount);
  for (let i = 0; i < values.length / 2; i++) {
    const u = factor * values[2 * i], v = factor * values[2 * i + 1];
    const scale = middle / Math.max(Math.hypot(u, v), data.maxFlow);
    const at = 4 * (Math.round(middle + v * scale) * size + Math.round(middle + u * scale));
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = images.wheelPixels[at + c];
    image.data[4 * i + 3] = 255;
  }
  return image;
}

const place = (flow) => ({ x: state.x + 0.5 + data.cell * flow.x, y: state.y + 0.5 + data.cell * flow.y });

function drawSecond(canvas, cell) {
  const [context, unit] = sheet(canvas, width, height), updates = state.update - 1;
  context.drawImage(images.second, 0, 0, width, height);
  for (let level = levels - 1; level >= 0; level--) {
    const center = centerAt(updates, cell, level), size = data.cell * 2 ** level;
    const middle = { x: (center.x + 0.5) * size - data.left, y: (center.y + 0.5) * size - data.top };
    stroke(context, unit, WHITE, 1, square(middle, (radius + 0.5) * size));
  }
  const trail = (flows) => flows.slice(0, state.update).map((_, index) => place(flowAt(index, cell, flows)));
  if (state.run === "mine") stroke(context, unit, GREY, 1.5, line(trail(runs.pytorch.flows)));
  stroke(context, unit, ORANGE, 2, line(trail(flowsOf())));
  const truth = truthAt(state.x, state.y), mark = 6 * unit;
  if (truth) {
    const there = { x: state.x + 0.5 + truth.x, y: state.y + 0.5 + truth.y };
    stroke(context, unit, GREEN, 2, (c) => {
      c.moveTo(there.x - mark, there.y); c.lineTo(there.x + mark, there.y);
      c.moveTo(there.x, there.y - mark); c.lineTo(there.x, there.y + mark);
    });
  }
  const end = place(state.drag || flowAt(updates, cell));
  Object.assign(byId("pixel").dataset, { thereX: end.x - 0.5, thereY: end.y - 0.5 });
  stroke(context, unit, RED, 2, square(end, 5 * unit));
}
