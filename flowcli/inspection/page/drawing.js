// Drawing on canvases at the screen's resolution.

// Matplotlib's viridis at nine evenly spaced values, and a diverging scale from blue over white to red.
const VIRIDIS = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129],
  [92, 200, 99], [170, 220, 50], [253, 231, 37]];
const DIVERGING = [[33, 80, 180], [80, 130, 215], [140, 180, 235], [200, 220, 245], [245, 245, 245], [250, 215, 200],
  [240, 160, 140], [220, 95, 85], [178, 24, 43]];

function shadeAt(value, low, high, scale) {
  const place = high > low ? 8 * within((value - low) / (high - low), 0, 1) : 0;
  const from = Math.min(Math.floor(place), 7), share = place - from;
  return scale[from].map((one, c) => (1 - share) * one + share * scale[from + 1][c]);
}

// NaN is transparent.
function shades(values, columnCount, low, high, scale = VIRIDIS) {
  const image = new ImageData(columnCount, values.length / columnCount);
  for (let i = 0; i < values.length; i++) {
    if (!Number.isNaN(values[i])) image.data.set([...shadeAt(values[i], low, high, scale), 255], 4 * i);
  }
  return image;
}

const scratch = document.createElement("canvas");
function raster(image) {
  scratch.width = image.width;
  scratch.height = image.height;
  scratch.getContext("2d").putImageData(image, 0, 0);
  return scratch;
}

// Sets a canvas to the resolution of the screen, with coordinates of `w` by `h`; also returns the size of a CSS pixel.
function sheet(canvas, w, h) {
  const shown = canvas.clientWidth || 300, density = window.devicePixelRatio || 1;
  canvas.width = Math.round(shown * density);
  canvas.height = Math.round(shown * density * h / w);
  const context = canvas.getContext("2d");
  context.scale(canvas.width / w, canvas.height / h);
  return [context, w / shown];
}

const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);

function stroke(context, unit, colour, thickness, draw) {
  for (const [shade, extra] of [["rgba(0,0,0,.75)", 2], [colour, 0]]) {
    context.strokeStyle = shade;
    context.lineWidth = (thickness + extra) * unit;
    context.lineJoin = context.lineCap = "round";
    context.beginPath();
    draw(context);
    context.stroke();
  }
}

const square = (place, half) => (c) => c.rect(place.x - half, place.y - half, 2 * half, 2 * half);
const line = (points) => (c) => points.forEach((p) => c.lineTo(p.x, p.y));

function arrow(context, unit, from, to, colour) {
  const distance = Math.hypot(to.x - from.x, to.y - from.y);
  if (distance < unit) return;
  const tip = Math.min(8 * unit, distance / 2), angle = Math.atan2(to.y - from.y, to.x - from.x);
  stroke(context, unit, colour, 2, (c) => {
    c.moveTo(from.x, from.y);
    c.lineTo(to.x, to.y);
    for (const turn of [2.6, -2.6]) {
      c.moveTo(to.x, to.y);
      c.lineTo(to.x + tip * Math.cos(angle + turn), to.y + tip * Math.sin(angle + turn));
    }
  });
}

// White text with a dark rim, its baseline starting at a place.
function label(context, unit, text, { x, y }) {
  context.font = `600 ${12 * unit}px system-ui, sans-serif`;
  context.lineWidth = 3 * unit;
  context.strokeStyle = "#000";
  context.fillStyle = WHITE;
  context.strokeText(text, x, y);
  context.fillText(text, x, y);
}

// Values as a row of coloured cells, wrapped: the channels of one cell of the grid.
function strip(canvas, values, { low, high, scale = VIRIDIS, across = 32 }) {
  const down = Math.ceil(values.length / across), [context, unit] = sheet(canvas, across, down);
  values.forEach((value, i) => {
    context.fillStyle = `rgb(${shadeAt(value, low, high, scale).map(Math.round)})`;
    context.fillRect(i % across, Math.floor(i / across), 1 - unit, 1 - unit);
  });
}

// Lines over the updates: { points: [update, value][], colour (a property of the style), dashed }[], with a mark at the update shown.
function chart(canvas, lines, { last, unitText }) {
  const w = canvas.clientWidth || 300, h = w * Number(canvas.dataset.aspect);
  const [context] = sheet(canvas, w, h), left = 34, right = w - 8, top = 14, bottom = h - 20;
  const highest = Math.max(1e-3, ...lines.flatMap((one) => one.points.map(([, value]) => value)));
  const x = (update) => left + (right - left) * update / Math.max(last, 1), y = (value) => bottom - (bottom - top) * value / highest;
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = colourOf("--muted");
  context.strokeStyle = colourOf("--line");
  context.textAlign = "right";
  for (const value of [0, highest / 2, highest]) {
    context.fillText(number(value, highest < 10 ? 1 : 0), left - 4, y(value) + 4);
    context.strokeRect(left, y(value), right - left, 0);
  }
  context.textAlign = "center";
  for (let update = 0; update <= last; update += Math.ceil(last / 8)) context.fillText(update, x(update), h - 6);
  context.textAlign = "left";
  context.fillText(unitText, left, 10);
  context.fillStyle = colourOf("--line");
  context.fillRect(x(state.update) - 1, top, 2, bottom - top);
  for (const { points, colour, dashed } of lines) {
    context.strokeStyle = colourOf(colour);
    context.lineWidth = 2;
    context.setLineDash(dashed ? [4, 4] : []);
    context.beginPath();
    points.forEach(([update, value]) => context.lineTo(x(update), y(value)));
    context.stroke();
  }
}
