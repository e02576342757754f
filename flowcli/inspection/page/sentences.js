// What happened at the pixel, in sentences derived from its numbers: the rules of flowcli/inspection/story.py.

const STILL = 0.05; // cells: a shorter update stands still
const SETTLED = 0.1; // cells: the flow has settled before updates that are all at most this long
const FOLLOWS = Math.PI / 6; // an update follows a level whose proposal is at most this far from its direction
const DISTINCT = 0.5, ALIKE = 0.8; // mean cosines with the cells around
const RIVAL = 0.9; // from this share of the peak on, another place rivals it
const NEIGHBOURS = ["the one above left", "the one above", "the one above right", "the one to the left", "its own",
  "the one to the right", "the one below left", "the one below", "the one below right"];

const arrowText = (a, digits = 2) => `(${signed(a.x, digits)}, ${signed(a.y, digits)})`;
const percent = (share) => `${Math.round(100 * share)} %`;
const farther = (a, b) => Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y));

function listed(found) {
  if (!found.length) return "No level";
  if (found.length === 1) return `Level ${found[0]}`;
  const last = found[found.length - 1];
  if (found.length > 2 && last - found[0] === found.length - 1) return `Levels ${found[0]} to ${last}`;
  return `Levels ${found.slice(0, -1).join(", ")} and ${last}`;
}

// here: { cell, maps, peaks, trail (correspondences before the first update and after each), lookups, detail, truth }
const sentences = {
  encode({ cell }) {
    const cosine = likeness(cell);
    const verdict = cosine <= DISTINCT ? "so it can be told from them"
      : cosine < ALIKE ? "so it is partly like them" : "so it can hardly be told from them";
    return `The pixel lies in row ${cell.row}, column ${cell.column} of the 1/8 grid. The features of this cell have a `
      + `cosine of ${number(cosine)} with those of the cells around it, ${verdict}.`;
  },

  correlate({ cell, peaks, trail }) {
    const end = trail[trail.length - 1], away = minus(peaks[0], { x: cell.column, y: cell.row });
    const agree = peaks.map((peak, level) => level).filter((level) => farther(peaks[level], end) <= 2 ** level);
    const others = peaks.map((peak, level) => level).filter((level) => !agree.includes(level))
      .map((level) => `level ${level} peaks ${number(farther(peaks[level], end), 1)} cells from there`);
    return `Over the whole second frame, level 0 peaks ${arrowText(away, 0)} cells from the cell; elsewhere the response `
      + `reaches ${percent(peaks[0].runnerUp)} of it, ${peaks[0].runnerUp >= RIVAL ? "a rival" : "less"}. ${listed(agree)} `
      + `${agree.length === 1 ? "agrees" : "agree"} with where the flow ends${others.length ? "; " : ""}${others.join(", ")}.`;
  },

  look_up({ peaks, trail }) {
    const end = trail[trail.length - 1], matched = farther(peaks[0], end) <= 1;
    const place = matched ? peaks[0] : end, name = matched ? "the best match at level 0" : "the end of the flow";
    const covers = (update, level, point) => farther(point, trail[update]) <= radius * 2 ** level;
    const inside = peaks.map((_, level) => level).filter((level) => covers(state.update - 1, level, place));
    const distance = number(farther(place, trail[state.update - 1]), 1);
    let sentence = `At update ${state.update}, ${name} lies ${distance} cells from the correspondence`;
    if (inside[0] === 0) sentence += ", inside level 0's window";
    else if (inside.length) sentence += `, outside level 0's window; ${listed(inside).toLowerCase()} ${inside.length > 1 ? "see" : "sees"} it`;
    else sentence += ", outside all windows";
    if (!matched) sentence += `. Level 0's best match lies elsewhere, ${number(farther(peaks[0], end), 1)} cells from that end`;
    return `${sentence}.`;
  },

  update({ trail, lookups, detail }) {
    const before = trail[state.update - 1], after = trail[state.update], end = trail[trail.length - 1];
    const delta = minus(after, before), rest = minus(end, before), distance = length(rest);
    const over = distance > 0 ? (delta.x * rest.x + delta.y * rest.y) / distance - distance : 0;
    const left = over > SETTLED ? `it overshot by ${number(over, 1)} cells` : `${number(length(minus(end, after)), 1)} cells remain`;
    const levelsFollowed = followed(delta, lookups);
    const whom = levelsFollowed.length ? `following ${listed(levelsFollowed).toLowerCase()}` : "where no level's strongest response lies";
    const made = length(delta) < STILL ? `Update ${state.update} stood still`
      : `Update ${state.update} moved by ${arrowText(delta)} cells, ${whom}; ${left}`;
    return made + (detail ? `. The GRU's update gate let through ${percent(detail.gates[state.update - 1])} on average.` : ".");
  },

  upsample({ cell, trail, detail, truth }) {
    if (!detail) return data.live ? "The page computes the weights…" : `The flow of the cell is ${pair(flowOfCell(trail))} px.`;
    const order = detail.weights.map((_, k) => k).sort((a, b) => detail.weights[b] - detail.weights[a]);
    const shares = order.slice(0, 2).filter((k) => detail.weights[k] >= 0.005)
      .map((k) => `${NEIGHBOURS[k]} ${percent(detail.weights[k])}`);
    const flow = detail.flows[state.update - 1];
    const how = data.upsampling === "convex" ? "Learned weights" : "Bilinear weights";
    let sentence = `${how} mix the flow of 3 x 3 cells, most from ${shares.join(" and ")}: ${arrowText(flow, 1)} px`;
    if (data.upsampling === "convex") {
      const bilinear = mixed(flowsAround(cell), bilinearWeights(cell));
      sentence += `, ${number(length(minus(flow, bilinear)), 1)} px from what bilinear upsampling gives`;
    }
    if (truth) sentence += `. The truth is ${arrowText(truth, 1)} px, an error of ${number(length(minus(flow, truth)), 1)} px`;
    return `${sentence}.`;
  },
};

const flowOfCell = (trail) => scaled(minus(trail[state.update], { x: cellOf().column, y: cellOf().row }), data.cell);

// The levels whose strongest response lies in the direction of an update, within 30 degrees.
function followed(delta, lookups) {
  if (length(delta) < STILL) return [];
  const apart = ({ dx, dy }) => Math.abs(Math.atan2(delta.x * dy - delta.y * dx, delta.x * dx + delta.y * dy));
  return lookups.map((_, level) => level).filter((level) => {
    const { best } = lookups[level];
    return best && (best.dx || best.dy) && apart(best) <= FOLLOWS;
  });
}

// The mean cosine of a cell's features with those of the cells around it.
function likeness(cell) {
  const row = Math.min(Math.floor(cell.row / averaging), stored.rows - 1);
  const column = Math.min(Math.floor(cell.column / averaging), stored.columns - 1);
  const here = (row * stored.columns + column) * channels, found = [];
  for (let dy = -1; dy <= 1; dy++) for (let dx = -1; dx <= 1; dx++) {
    const r = row + dy, c = column + dx;
    if ((!dx && !dy) || r < 0 || c < 0 || r >= stored.rows || c >= stored.columns) continue;
    found.push(cosine(tensors.first, here, tensors.first, (r * stored.columns + c) * channels));
  }
  return found.reduce((a, b) => a + b, 0) / found.length;
}

function cosine(one, at, other, there) {
  let product = 0, first = 0, second = 0;
  for (let c = 0; c < channels; c++) {
    product += one[at + c] * other[there + c];
    first += one[at + c] ** 2;
    second += other[there + c] ** 2;
  }
  return product / Math.sqrt(first * second || 1);
}
