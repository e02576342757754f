// The pyramid: every level's response map, and the window that RAFT reads in it.

function buildLevels() {
  for (let level = 0; level < levels; level++) {
    byId("levels").insertAdjacentHTML("beforeend", `<article class="level" data-level="${level}">
      <h2>Level ${level} <span class="note">${rows >> level} × ${columns >> level}</span></h2>
      <canvas class="map" role="img"></canvas>
      <div class="reading">
        <canvas class="window" role="img"></canvas>
        <table class="facts"><tbody>
          <tr><th>row, column</th><td class="center"></td></tr>
          <tr><th>strongest x, y</th><td class="strongest"></td></tr>
          <tr><th>update x, y</th><td class="made"></td></tr></tbody></table>
      </div>
      <table class="facts peaks"><tbody>
        <tr><th>peak x, y</th><td class="peak"></td></tr>
        <tr><th>from the flow's end</th><td class="apart"></td></tr>
        <tr><th>elsewhere at most</th><td class="rival"></td></tr>
        <tr><th>response</th><td class="range"></td></tr></tbody></table></article>`);
  }
}

function showLevel(here, level) {
  const { cell, maps, lookups, peaks, trail, made } = here, map = maps[level], factor = 2 ** level;
  const panel = document.querySelector(`.level[data-level="${level}"]`), center = centerAt(state.update - 1, cell, level);
  const { values, shown, best } = lookups[level], peak = peaks[level], end = trail[trail.length - 1];
  const canvas = panel.querySelector(".map");
  drawMap(canvas, map, center, trail.slice(0, state.update).map((point) => scaled(point, 1 / factor)), { ...peak, factor });
  if (state.step === "look_up") {
    drawWindow(panel.querySelector(".window"), shown, best, scaled(made, 1 / factor), map);
  }
  const text = {
    center: `${number(center.y)}, ${number(center.x)}`, strongest: best ? `${best.dx}, ${best.dy}` : "outside",
    made: pair(scaled(made, 1 / factor)), range: `${number(map.low)} to ${number(map.high)}`,
    peak: pair(minus(peak, { x: cell.column, y: cell.row }), 1), apart: `${number(farther(peak, end), 1)} cells`,
    rival: percent(peak.runnerUp),
  };
  for (const [name, value] of Object.entries(text)) panel.querySelector(`.${name}`).textContent = value;
  canvas.setAttribute("aria-label", `Response map of level ${level}: peak ${text.peak} cells from the cell, lookup at row ${text.center}`);
  panel.querySelector(".window").setAttribute("aria-label", `Window of level ${level}: strongest at ${text.strongest}, update ${text.made}`);
  Object.assign(panel.dataset, {
    centerRow: center.y, centerColumn: center.x, minimum: map.low, maximum: map.high,
    strongestX: best ? best.dx : "", strongestY: best ? best.dy : "", strongest: best ? best.value : "",
    window: values.map((value) => Number(value.toPrecision(7))).join(" "),
  });
}

function drawMap(canvas, map, center, trail, peak = null) {
  const [context, unit] = sheet(canvas, map.columns, map.rows);
  context.imageSmoothingEnabled = false;
  context.drawImage(raster(shades(map.values, map.columns, map.low, map.high)), 0, 0);
  context.translate(0.5, 0.5);
  if (peak) {
    // The middle of the peak's cell in cells of its level.
    const middle = { x: (peak.x + 0.5) / peak.factor - 0.5, y: (peak.y + 0.5) / peak.factor - 0.5 };
    stroke(context, unit, PINK, 1.5, (c) => c.arc(middle.x, middle.y, Math.max(0.8, 6 * unit), 0, 7));
  }
  stroke(context, unit, WHITE, 1, square(center, radius + 0.5));
  stroke(context, unit, ORANGE, 1.5, line(trail));
  stroke(context, unit, RED, 2, square(center, Math.max(0.5, 3 * unit)));
}

function drawWindow(canvas, shown, best, made, { low, high }) {
  const [context, unit] = sheet(canvas, side, side);
  context.imageSmoothingEnabled = false;
  context.drawImage(raster(shades(shown, side, low, high)), 0, 0);
  context.translate(side / 2, side / 2);
  stroke(context, unit, RED, 1.5, square({ x: 0, y: 0 }, 0.5));
  if (best) arrow(context, unit, { x: 0, y: 0 }, { x: best.dx, y: best.dy }, PINK);
  arrow(context, unit, { x: 0, y: 0 }, made, CYAN);
}
