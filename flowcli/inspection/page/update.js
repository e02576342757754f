// Step 4: the motion features, the gates of the recurrent unit, and the path of the pixel over the updates.

function showUpdate({ trail, detail, truth, errors }) {
  const end = trail[trail.length - 1], last = lastUpdate(), lines = [];
  const apart = (points) => points.map((point, update) => [update, data.cell * length(minus(point, end))]);
  lines.push({ points: apart(trail), colour: "--trail" });
  if (errors) lines.push({ points: errors, colour: "--right" });
  if (data.errors) lines.push({ points: data.errors.map((error, i) => [i + 1, error]), colour: "--muted", dashed: true });
  chart(byId("convergence"), lines, { last, unitText: "px" });
  byId("chart-key").innerHTML = `<span><b class="trail">—</b> to the end of the flow</span>`
    + (errors ? `<span><b class="right">—</b> error here</span>` : "")
    + (data.errors ? `<span><b class="muted">--</b> mean error of the frame</span>` : "");
  byId("inside").hidden = !detail;
  byId("inside-waits").hidden = Boolean(detail);
  byId("inside-waits").textContent = whyNoDetail();
  if (!detail) return;
  const { motion, updateGate, resetGate, before, after } = detail;
  strip(byId("motion"), motion.slice(0, -2), { low: 0, high: Math.max(1e-6, ...motion.slice(0, -2)), across: 20 });
  strip(byId("update-gate"), updateGate, { low: 0, high: 1, across: 24 });
  strip(byId("reset-gate"), resetGate, { low: 0, high: 1, across: 24 });
  strip(byId("hidden-before"), before, { low: -1, high: 1, scale: DIVERGING, across: 24 });
  strip(byId("hidden-after"), after, { low: -1, high: 1, scale: DIVERGING, across: 24 });
  const active = motion.slice(0, -2).filter((value) => value > 0).length;
  const moved = before.reduce((sum, value, i) => sum + Math.abs(after[i] - value), 0) / before.length;
  const text = {
    "motion-text": `${active} of ${motion.length - 2} active; flow (${pair(vectorAt(motion, motion.length / 2 - 1))}) cells`,
    "update-gate-text": `${percent(mean(updateGate))} of the candidate`, "reset-gate-text": `${percent(mean(resetGate))} of the state used`,
    "hidden-text": `changed by ${number(moved)} on average`,
  };
  for (const [id, value] of Object.entries(text)) byId(id).textContent = value;
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

function whyNoDetail() {
  if (averaging > 1) return "The frame is too large for this page to run RAFT on it: use smaller frames to see inside the update.";
  if (!data.live) return "The update operator of this model is too large for this page: use the small model to see inside the update.";
  if (live.failure) return `The update cannot run in this browser: ${live.failure}`;
  return `RAFT runs in this page: update ${Math.min(live.flows.length, data.updates)} of ${data.updates}…`;
}
