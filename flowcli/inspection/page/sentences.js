// What happened at the pixel, in sentences derived from its numbers: the rules of flowcli/inspection/story.py.

const STILL = 0.05; // cells: a shorter update stands still
const SETTLED = 0.1; // cells: the flow has settled before updates that are all at most this long
const FOLLOWS = Math.PI / 6; // an update follows a level whose proposal is at most this far from its direction
const DISTINCT = 0.5, ALIKE = 0.8; // mean cosines with the cells around
const EDGE = 8; // px: from this difference on, the flow of 3 × 3 cells has an edge
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
      + `mean cosine of ${number(cosine)} with those of the cells around it, ${verdict}.`;
  },

  correlate({ cell, peaks, trail }) {
    const end = trail[trail.length - 1], away = minus(peaks[0], { x: cell.column, y: cell.row });
    const agree = peaks.map((peak, level) => level).filter((level) => farther(peaks[level], end) <= 2 ** level);
    const others = peaks.map((peak, level) => level).filter((level) => !agree.includes(level))
      .map((level) => `level ${level} peaks ${number(farther(peaks[level], end), 1)} cells from there`);
    return `Over the whole second frame, level 0 peaks ${arrowText(away, 0)} cells from the cell; elsewhere the response `
      + `reaches ${percent(peaks[0].runnerUp)} of that peak, ${peaks[0].runnerUp >= RIVAL ? "a rival" : "no rival"}. ${listed(agree)} `
      + `${agree.length === 1 ? "agrees" : "agree"} with where the flow ends${others.length ? "; " : ""}${others.join(", ")}.`;
  },

  look_up({ cell, peaks, trail, lookups }) {
    const end = trail[trail.length - 1], matched = farther(peaks[0], end) <= 1;
    const place = matched ? peaks[0] : end, name = matched ? "level 0's peak" : "the flow's end";
    const distance = number(farther(place, trail[state.update - 1]), 1), offsets = offsetsTo(place, cell);
    const inside = levelsWith(({ x, y }) => Math.max(Math.abs(x), Math.abs(y)) <= radius + 0.5, offsets);
    const told = levelsWith(({ x, y }, level) => {
      const { best } = lookups[level];
      return inside.includes(level) && best && Math.max(Math.abs(x - best.dx), Math.abs(y - best.dy)) <= 1;
    }, offsets);
    let sentence = `At update ${state.update} ${name} lies ${distance} cells from the correspondence, `;
    if (!inside.length) sentence += "outside all windows";
    else if (inside[0] === 0) sentence += "inside level 0's window";
    else sentence += `outside level 0's window, inside that of ${listed(inside).toLowerCase()}`;
    if (inside.length) sentence += `; ${listed(told).toLowerCase()} respond${told.length > 1 ? "" : "s"} most strongly there`;
    if (!matched) sentence += `. Level 0's peak lies elsewhere, ${number(farther(peaks[0], end), 1)} cells from that end`;
    return `${sentence}.`;
  },

  update({ trail, lookups, detail }) {
    const before = trail[state.update - 1], after = trail[state.update], end = trail[trail.length - 1];
    const delta = minus(after, before), rest = minus(end, before), distance = length(rest);
    const over = distance > 0 ? (delta.x * rest.x + delta.y * rest.y) / distance - distance : 0;
    const left = over > SETTLED ? `it overshot by ${number(over, 1)} cells` : `${number(length(minus(end, after)), 1)} cells remain`;
    const levelsFollowed = followed(delta, lookups);
    const whom = levelsFollowed.length ? `following ${listed(levelsFollowed).toLowerCase()}` : "in a direction that no level proposed";
    const made = length(delta) < STILL ? `Update ${state.update} stood still.`
      : `Update ${state.update} moved by ${arrowText(delta)} cells, ${whom}; ${left}.`;
    if (!detail) return made;
    return `${made} The GRU renewed ${percent(mean(detail.updateGate))} of the hidden state (update gate); its candidate saw `
      + `${percent(mean(detail.resetGate))} of the old one (reset gate).`;
  },

  upsample({ cell, trail, detail, truth }) {
    if (!detail) return data.live ? "The page computes the weights…" : `The flow of the cell is ${pair(flowOfCell(trail))} px.`;
    const order = detail.weights.map((_, k) => k).sort((a, b) => detail.weights[b] - detail.weights[a]);
    const shares = order.slice(0, 2).filter((k) => detail.weights[k] >= 0.005)
      .map((k) => `${NEIGHBOURS[k]} ${percent(detail.weights[k])}`);
    const flow = detail.flows[state.update - 1];
    const how = data.upsampling === "convex" ? "Learned weights" : "Bilinear weights";
    let sentence = `${how} mix the flow of 3 x 3 cells, most from ${shares.join(" and ")}: ${arrowText(flow, 1)} px`;
    const around = flowsAround(cell), bilinear = bilinearWeights(cell), convex = data.upsampling === "convex";
    if (convex) sentence += `, ${number(length(minus(flow, mixed(around, bilinear))), 1)} px from what bilinear upsampling gives`;
    sentence += atEdge(around, detail.weights, convex ? bilinear : null);
    if (truth) sentence += `. The truth is ${arrowText(truth, 1)} px, an error of ${number(length(minus(flow, truth)), 1)} px`;
    return `${sentence}.`;
  },
};

// How much of the weight is on the main cell's side of an edge; empty if no edge runs through the 3×3 cells.
function atEdge(flows, weights, bilinear) {
  const main = flows[weights.indexOf(Math.max(...weights))] || { x: 0, y: 0 };
  const apart = flows.map((flow) => (flow ? length(minus(flow, main)) : NaN)), widest = Math.max(...apart.filter(Number.isFinite));
  if (widest < EDGE) return "";
  const onSide = (shares) => percent(shares.reduce((sum, share, k) => sum + (apart[k] <= widest / 2 ? share : 0), 0));
  return `. The flow of these cells differs by up to ${number(widest, 1)} px, as at an edge: those on the side of the one with most `
    + `weight have ${onSide(weights)} of it${bilinear ? `, with bilinear weights ${onSide(bilinear)}` : ""}`;
}

// From the lookup of every level to a place in cells of level 0, in cells of the level, whose middles lie between theirs.
function offsetsTo(place, cell) {
  return Array.from({ length: levels }, (_, level) => minus(
    { x: (place.x + 0.5) / 2 ** level - 0.5, y: (place.y + 0.5) / 2 ** level - 0.5 }, centerAt(state.update - 1, cell, level),
  ));
}

const levelsWith = (holds, offsets) => offsets.map((_, level) => level).filter((level) => holds(offsets[level], level));

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
