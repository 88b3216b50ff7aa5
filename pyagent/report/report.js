"use strict";
// Moves through the test episodes of the page's data: map, readout, track over time, tokens of a request.
(() => {
  const SVG = document.getElementById("token-picture").namespaceURI;
  const PLAY_SECONDS = 20; // of a whole episode
  const data = JSON.parse(document.getElementById("episodes").textContent);
  const ground = data.ground;
  const byId = (id) => document.getElementById(id);
  const state = { episode: data.episodes[0], time: 0, row: -1 };

  // --- small tools

  function add(parent, tag, attributes = {}, text) {
    const svg = parent.namespaceURI === SVG;
    const node = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    if (text !== undefined) node.textContent = text;
    return parent.appendChild(node);
  }

  function label(parent, x, y, text, attributes = {}) {
    return add(parent, "text", { x, y, ...attributes }, text);
  }

  function scale(from, to, low, high) {
    const slope = (high - low) / (to - from || 1);
    return (value) => low + (value - from) * slope;
  }

  function ticks(low, high, about) {
    const rough = (high - low) / about || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
    const found = [];
    for (let k = Math.ceil(low / step); k * step <= high + 1e-9 * step; k++) found.push(+(k * step).toPrecision(6));
    return found;
  }

  const known = (value) => value !== null && value !== undefined;
  const fixed = (value, digits) => value.toFixed(digits).replace(/^-(0(\.0*)?)$/, "$1"); // no minus zero
  const shown = (value, digits, unit) => (known(value) ? `${fixed(value, digits)} ${unit}` : "not known");
  const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
  const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
  const splitName = (split) => (split === data.layers ? `${split} (all local)` : `${split}`);
  const colour = (split) => data.splits[split];

  function between(xs, ys, x) {
    let k = xs.findIndex((value) => value > x);
    if (k < 0) k = xs.length;
    if (k === 0) return ys[0];
    if (k === xs.length) return ys[k - 1];
    if (!known(ys[k - 1]) || !known(ys[k])) return null;
    return ys[k - 1] + ((ys[k] - ys[k - 1]) * (x - xs[k - 1])) / (xs[k] - xs[k - 1]);
  }

  function fresh(svg, width, height) {
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.style.height = `${height}px`;
    return svg;
  }

  function chips(target, entries) {
    target.replaceChildren();
    for (const [text, look] of entries) {
      const item = add(target, "span");
      const chip = add(item, "span", { class: `chip ${look.className || ""}`, "aria-hidden": "true" });
      if (look.fill) chip.style.background = look.fill;
      item.append(text);
    }
  }

  // --- the map

  const pathsOf = (episode) => (ground && ground.paths && ground.paths.seed === episode.seed ? ground.paths : null);
  let map = null; // what moves, and the scales it moves on

  function drawMap() {
    if (!ground) return;
    const svg = byId("map-picture");
    const episode = state.episode;
    const [west, east, south, north] = ground.frame;
    const width = svg.parentNode.clientWidth;
    const left = 42, bottom = 34, right = 8, top = 8;
    const size = Math.min((width - left - right) / (east - west), 520 / (north - south));
    const plot = { width: size * (east - west), height: size * (north - south) };
    fresh(svg, width, plot.height + top + bottom);
    const x = scale(west, east, left, left + plot.width);
    const y = scale(south, north, top + plot.height, top);
    const box = ([w, e, s, n]) => ({ x: x(w), y: y(n), width: x(e) - x(w), height: y(s) - y(n) });
    const clip = add(svg, "clipPath", { id: "inside" });
    add(clip, "rect", box(ground.frame));
    const inside = add(svg, "g", { "clip-path": "url(#inside)" });
    if (ground.heat) {
      const look = { href: ground.heat.uri, preserveAspectRatio: "none" };
      add(inside, "image", { ...look, ...box(ground.heat.frame) });
    }
    for (const sides of ground.buildings) add(inside, "rect", { class: "building", ...box(sides) });
    for (const zone of ground.zones) {
      const place = box(zone.sides);
      add(inside, "rect", { class: "zone", ...place });
      label(inside, place.x + 4, place.y + 14, zone.name, { class: "halo" });
    }
    drawMapAxes(svg, x, y, box(ground.frame));
    drawPath(inside, episode, x, y);
    drawSites(inside, x, y, plot.width);
    const others = (pathsOf(episode)?.others || []).map(() => add(inside, "circle", { r: 4, class: "other" }));
    const here = add(inside, "g", { id: "ue" });
    add(here, "circle", { r: 10, class: "ring-under" });
    add(here, "circle", { r: 10, class: "ring" });
    map = { x, y, here, others };
  }

  function drawMapAxes(svg, x, y, frame) {
    const [west, east, south, north] = ground.frame;
    add(svg, "rect", { class: "axis", ...frame });
    const low = frame.y + frame.height;
    for (const tick of ticks(west, east, Math.max(2, frame.width / 90))) {
      label(svg, x(tick), low + 15, tick, { "text-anchor": "middle", class: "quiet" });
    }
    for (const tick of ticks(south, north, Math.max(2, frame.height / 70))) {
      label(svg, frame.x - 6, y(tick) + 4, tick, { "text-anchor": "end", class: "quiet" });
    }
    label(svg, frame.x + frame.width / 2, low + 30, "x [m]", { "text-anchor": "middle", class: "quiet" });
    label(svg, 12, frame.y + frame.height / 2, "y [m]", {
      "text-anchor": "middle", class: "quiet", transform: `rotate(-90 12 ${frame.y + frame.height / 2})`,
    });
  }

  function drawPath(parent, episode, x, y) {
    const seen = pathsOf(episode);
    const way = seen ? seen.agent : episode;
    const points = way.x.map((value, k) => [value, way.y[k]]).filter(([px, py]) => known(px) && known(py));
    add(parent, "polyline", { class: "path", points: points.map(([px, py]) => `${x(px)},${y(py)}`).join(" ") });
    episode.x.forEach((px, k) => {
      if (!known(px)) return;
      const at = [x(px), y(episode.y[k])];
      add(parent, "circle", { cx: at[0], cy: at[1], r: 6, class: "dot", fill: colour(episode.split[k]) });
      if (episode.failed[k]) cross(parent, ...at);
    });
  }

  function cross(parent, x, y) {
    add(parent, "path", { class: "cross", d: `M${x - 5},${y - 5}l10,10m-10,0l10,-10` });
  }

  function drawSites(parent, x, y, width) {
    for (const site of ground.sites) {
      const at = [x(site.x), y(site.y)];
      add(parent, "path", { class: "site", d: `M${at[0]},${at[1] - 9}l8,15h-16z` });
      if (ground.sites.length <= width / 70) {
        label(parent, at[0], at[1] + 20, site.name, { "text-anchor": "middle", class: "halo" });
      }
    }
  }

  function moveMap() {
    if (!map) return;
    const episode = state.episode;
    const seen = pathsOf(episode);
    const place = (times, way) => {
      const px = between(times, way.x, state.time), py = between(times, way.y, state.time);
      return known(px) && known(py) ? `translate(${map.x(px)} ${map.y(py)})` : "translate(-99 -99)";
    };
    map.here.setAttribute("transform", seen ? place(seen.t, seen.agent) : place(episode.t, episode));
    map.others.forEach((dot, k) => dot.setAttribute("transform", place(seen.t, seen.others[k])));
  }

  function writeMapLegend() {
    const entries = Object.keys(data.splits).map((split) => [`split ${splitName(+split)}`, { fill: colour(split) }]);
    chips(byId("map-legend"), entries);
    const notes = ["× failed", "▲ site", "ring: the UE now"];
    if (ground.paths?.others.length) notes.push("small grey dots: other UEs, on the previewed seed");
    if (ground.heat) {
      notes.push(`the greyer, the weaker the mean SNR (${ground.heat.low_db} to ${ground.heat.high_db} dB, no fading)`);
    }
    add(byId("map-legend"), "span", {}, notes.join(" · "));
  }

  // --- the readout

  function lostPackets(row) {
    const episode = state.episode;
    const causes = ["radio", "queue", "late", "unsent"].filter((cause) => episode[cause][row] > 0);
    const parts = causes.map((cause) => `${cause} ${percent(episode[cause][row])}`).join(", ");
    const tokens = tokensOf(row);
    const count = tokens
      ? `${tokens.reduce((sum, token) => sum + token[8], 0)} of ${tokens.reduce((sum, token) => sum + token[7], 0)}, `
      : "";
    return [episode.split[row] === data.layers ? "none sent" : count + percent(episode.loss[row]), parts];
  }

  function readout(row) {
    const e = state.episode;
    const oracle = e.oracle[row];
    const link = e.snr && known(e.snr[row]) && ground
      ? ["SNR", shown(e.snr[row], 1, "dB"), "mean of the second before"]
      : ["Rate of the link", shown(e.rate?.[row], 1, "Mbit/s"), "mean of the second before"];
    return [
      ["Time", `${state.time.toFixed(1)} s`, `decision ${row + 1} of ${e.t.length}, made at ${e.t[row].toFixed(1)} s`],
      link,
      ["Packets lost", ...lostPackets(row)],
      ["Split", splitName(e.split[row]), `of ${data.layers} blocks on the UE`],
      ["Oracle's split", known(oracle) ? splitName(oracle) : "not known",
        known(oracle) ? (oracle === e.split[row] ? "the same" : "another") : ""],
      ["Latency", e.failed[row] ? "failed" : shown(e.latency[row], 2, "s"),
        known(e.ttft[row]) ? `first token after ${shown(e.ttft[row], 2, "s")}` : "no first token"],
      ["Quality lost", shown(e.nll[row], 3, "nat/token"), "dNLL"],
      ["Reward", known(e.reward[row]) ? fixed(e.reward[row], 3) : "not known", ""],
    ];
  }

  function writeReadout() {
    const row = state.row;
    const entries = readout(row);
    const list = byId("readout");
    list.replaceChildren();
    for (const [term, value, note] of entries) {
      const item = add(list, "div");
      add(item, "dt", {}, term);
      const said = add(item, "dd", {}, value);
      if (note) add(said, "small", {}, note);
    }
    const said = entries.slice(0, 5).map(([term, value]) => `${term} ${value}`).join(", ");
    byId("time").setAttribute("aria-valuetext", said);
  }

  // --- the track over time

  let cursor = null;

  function drawTrack() {
    const e = state.episode;
    const svg = byId("track-picture");
    const width = svg.parentNode.clientWidth;
    const left = 76, right = 10;
    const [from, to] = span(e);
    const x = scale(from, to, left, width - right);
    fresh(svg, width, 214);
    const ends = e.t.map((_, k) => e.t[k + 1] ?? to);
    drawLink(svg, e, x, left, width - right);
    drawLoss(svg, e, x, ends, left);
    drawTiles(svg, "split", e.split, e, x, ends, 136);
    drawTiles(svg, "oracle", e.oracle, e, x, ends, 160);
    for (const tick of ticks(from, to, Math.max(2, (width - left) / 90))) {
      label(svg, x(tick), 196, tick, { "text-anchor": "middle", class: "quiet" });
    }
    label(svg, (left + width - right) / 2, 211, "time in the simulation [s]", { "text-anchor": "middle", class: "quiet" });
    const line = add(svg, "line", { class: "cursor", y1: 4, y2: 182 });
    cursor = { line, x };
    svg.onpointerdown = (event) => {
      const place = event.clientX - svg.getBoundingClientRect().left;
      const back = scale(left, width - right, from, to);
      setTime(back(place));
    };
  }

  function drawLink(svg, e, x, left, right) {
    const [values, name] = e.snr && ground ? [e.snr, "SNR [dB]"] : [e.rate || [], "Mbit/s"];
    const there = values.filter(known);
    label(svg, 0, 36, name);
    if (!there.length) return;
    const low = Math.min(...there), high = Math.max(...there);
    const y = scale(low, high, 66, 12);
    for (const value of low === high ? [low] : [low, high]) {
      label(svg, left - 6, y(value) + 4, value.toFixed(0), { "text-anchor": "end", class: "quiet" });
      add(svg, "line", { class: "axis", x1: left, x2: right, y1: y(value), y2: y(value) });
    }
    const points = values.map((value, k) => (known(value) ? `${x(e.t[k])},${y(value)}` : null)).filter(known);
    add(svg, "polyline", { class: "line", points: points.join(" ") });
    points.forEach((point) => add(svg, "circle", { cx: point.split(",")[0], cy: point.split(",")[1], r: 2.5, class: "site" }));
  }

  function drawLoss(svg, e, x, ends, left) {
    const y = scale(0, 1, 126, 82);
    label(svg, 0, 108, "lost");
    label(svg, left - 6, 90, "100 %", { "text-anchor": "end", class: "quiet" });
    label(svg, left - 6, 130, "0 %", { "text-anchor": "end", class: "quiet" });
    add(svg, "line", { class: "axis", x1: left, x2: x(ends.at(-1)), y1: 126, y2: 126 });
    e.loss.forEach((share, k) => {
      const bar = { x: x(e.t[k]), y: y(share), width: Math.max(x(ends[k]) - x(e.t[k]) - 1, 1), height: 126 - y(share) };
      add(svg, "rect", { class: "resend", ...bar });
    });
  }

  function drawTiles(svg, name, splits, e, x, ends, top) {
    label(svg, 0, top + 14, name);
    splits.forEach((split, k) => {
      if (!known(split)) return;
      const width = Math.max(x(ends[k]) - x(e.t[k]) - 1, 1);
      add(svg, "rect", { x: x(e.t[k]), y: top, width, height: 20, fill: colour(split), class: "dot" });
      const failed = name === "split" && e.failed[k];
      const text = width > 34 ? `${split}${failed ? " ×" : ""}` : failed ? "×" : width > 22 ? split : "";
      // White on the dark end of viridis, black on the light one.
      const fill = split > 0.6 * data.layers ? "#000" : "#fff";
      label(svg, x(e.t[k]) + width / 2, top + 14, text, { "text-anchor": "middle", style: `fill:${fill}` });
    });
  }

  function moveTrack() {
    const at = cursor.x(state.time);
    cursor.line.setAttribute("x1", at);
    cursor.line.setAttribute("x2", at);
  }

  // --- the tokens of a request

  const PARTS = [
    ["ue", "computing on the UE"], ["uplink", "on the air and in queues up"], ["resend", "waiting to send again"],
    ["edge", "computing on the edge"], ["rest", "the rest"],
  ];

  function tokensOf(row) {
    const e = state.episode;
    return data.tokens[`${e.policy}/${e.seed}/${e.replicate}`]?.[e.decision[row]];
  }

  function tokenSummary(row) {
    const e = state.episode;
    const who = `Request ${row + 1} of ${e.policy}, seed ${e.seed}, split ${splitName(e.split[row])}`;
    const tokens = tokensOf(row);
    if (!tokens) {
      return `${who}: no token times, because ${data.no_tokens}.`;
    }
    const got = tokens.length - (e.failed[row] ? 1 : 0);
    const sent = tokens.reduce((sum, token) => sum + token[6], 0);
    const parts = PARTS.map(([, name], k) => [name, tokens.reduce((sum, token) => sum + token[1 + k], 0)]);
    const times = parts.filter(([, ms]) => ms >= 0.5).map(([name, ms]) => `${name} ${ms.toFixed(0)} ms`).join(", ");
    const wait = known(e.edge_wait?.[row]) ? ` In the edge's queue: ${(1e3 * e.edge_wait[row]).toFixed(0)} ms in all.` : "";
    return `${who}: ${plural(got, "token")}${e.failed[row] ? ", then failed" : ""}; ${plural(sent, "re-send")}. Time: ${times}.${wait}`;
  }

  function drawTokens() {
    const row = state.row;
    const svg = byId("token-picture");
    byId("token-summary").textContent = tokenSummary(row);
    byId("pick-request").value = row;
    const tokens = tokensOf(row);
    byId("token-details").hidden = byId("token-legend").hidden = !tokens;
    if (!tokens) {
      fresh(svg, 10, 0);
      byId("token-table").replaceChildren();
      return;
    }
    const width = svg.parentNode.clientWidth, step = 15, top = 6, left = 52;
    const marked = tokens.some((token) => token[6] || token[8]);
    const right = marked ? 104 : 10;
    const total = Math.max(...tokens.map((token) => token.slice(0, 6).reduce((a, b) => a + b, 0)));
    const x = scale(0, total, left, width - right);
    const low = top + step * tokens.length;
    fresh(svg, width, low + 38);
    for (const tick of ticks(0, total, Math.max(2, (width - left - right) / 90))) {
      add(svg, "line", { class: "axis", x1: x(tick), x2: x(tick), y1: top, y2: low });
      label(svg, x(tick), low + 15, tick, { "text-anchor": "middle", class: "quiet" });
    }
    label(svg, (left + width - right) / 2, low + 31, "time since the request came [ms]", { "text-anchor": "middle", class: "quiet" });
    tokens.forEach((token, k) => drawToken(svg, token, k, top + k * step, { x, left, width, step }));
    writeTokenTable(tokens);
  }

  function drawToken(svg, token, k, y, { x, left, width, step }) {
    label(svg, left - 6, y + 11, k === 0 ? "first" : k + 1, { "text-anchor": "end", class: "quiet" });
    let from = token[0];
    PARTS.forEach(([look, name], part) => {
      const ms = token[1 + part];
      if (ms <= 0) return;
      const bar = { x: x(from), y: y + 1, width: Math.max(x(from + ms) - x(from), 0.7), height: step - 3 };
      add(add(svg, "rect", { class: look, ...bar }), "title", {}, `${name}: ${ms.toFixed(1)} ms`);
      from += ms;
    });
    const marks = [token[6] ? `${token[6]} re-sent` : "", token[8] ? `${token[8]}/${token[7]} lost` : ""];
    const text = marks.filter(Boolean).join(", ");
    if (text) label(svg, width, y + 11, text.length > 16 ? text.replace("re-sent", "re") : text, { "text-anchor": "end" });
  }

  function writeTokenTable(tokens) {
    const table = byId("token-table");
    table.replaceChildren();
    const head = add(add(table, "thead"), "tr");
    const names = ["token", "begun ms", ...PARTS.map(([, name]) => `${name} ms`), "re-sent", "packets", "lost"];
    names.forEach((name) => add(head, "th", { scope: "col" }, name));
    const body = add(table, "tbody");
    tokens.forEach((token, k) => {
      const line = add(body, "tr");
      add(line, "th", { scope: "row" }, k + 1);
      token.forEach((value, place) => add(line, "td", {}, place < 6 ? value.toFixed(1) : value));
    });
  }

  // --- what is chosen

  function span(episode) {
    const last = episode.t.length - 1;
    return [episode.t[0], episode.t[last] + Math.max(episode.latency[last] || 0, 0.5)];
  }

  function setTime(time) {
    const [from, to] = span(state.episode);
    state.time = Math.min(Math.max(time, from), to);
    byId("time").value = state.time;
    const later = state.episode.t.findIndex((start) => start > state.time + 1e-6);
    const row = (later < 0 ? state.episode.t.length : later) - 1;
    const changed = row !== state.row;
    state.row = Math.max(row, 0);
    moveMap();
    moveTrack();
    writeReadout();
    if (changed) drawTokens();
  }

  function draw() {
    drawMap();
    drawTrack();
    state.row = -1; // what depends on it is drawn anew
    setTime(state.time);
  }

  const distinct = (values) => [...new Set(values)];
  const PICKS = ["policy", "seed", "replicate"];

  function fill(select, values, wanted) {
    select.replaceChildren();
    for (const value of values) add(select, "option", { value }, value);
    const found = values.map(String).includes(String(wanted)) ? wanted : values[0];
    select.value = found;
    return found;
  }

  function choose(wanted) {
    let left = data.episodes;
    for (const key of PICKS) {
      const value = fill(byId(`pick-${key}`), distinct(left.map((episode) => episode[key])), wanted[key]);
      left = left.filter((episode) => episode[key] === value || String(episode[key]) === String(value));
    }
    state.episode = left[0];
    const [from, to] = span(state.episode);
    // An arrow key moves by one of 400 steps, Page Up and Down by a tenth.
    Object.assign(byId("time"), { min: from, max: to, step: (to - from) / 400 });
    const requests = byId("pick-request");
    requests.replaceChildren();
    state.episode.t.forEach((time, k) => {
      const fate = state.episode.failed[k] ? ", failed" : "";
      add(requests, "option", { value: k }, `${k + 1}: at ${time.toFixed(1)} s, split ${state.episode.split[k]}${fate}`);
    });
    draw();
  }

  function stepBy(rows) {
    const row = Math.min(Math.max(state.row + rows, 0), state.episode.t.length - 1);
    setTime(state.episode.t[row]);
  }

  let playing = null;

  function play() {
    const [from, to] = span(state.episode);
    if (state.time >= to) setTime(from);
    let before = performance.now();
    const advance = (now) => {
      setTime(state.time + ((now - before) / 1000) * ((to - from) / PLAY_SECONDS));
      before = now;
      if (state.time >= to) pause();
      else playing = requestAnimationFrame(advance);
    };
    playing = requestAnimationFrame(advance);
    byId("play").textContent = "Pause";
    byId("play").setAttribute("aria-pressed", "true");
  }

  function pause() {
    if (playing !== null) cancelAnimationFrame(playing);
    playing = null;
    byId("play").textContent = "Play";
    byId("play").setAttribute("aria-pressed", "false");
  }

  function start() {
    byId("player").hidden = byId("token-player").hidden = false;
    if (data.left_out) {
      byId("left-out").hidden = false;
      byId("left-out").textContent = data.left_out;
    }
    if (ground) writeMapLegend();
    chips(byId("token-legend"), PARTS.map(([look, name]) => [name, { className: look }]));
    for (const key of PICKS) {
      byId(`pick-${key}`).onchange = () => {
        pause();
        choose(Object.fromEntries(PICKS.map((pick) => [pick, byId(`pick-${pick}`).value])));
      };
    }
    byId("time").oninput = (event) => { pause(); setTime(+event.target.value); };
    byId("before").onclick = () => { pause(); stepBy(state.time > state.episode.t[state.row] + 0.05 ? 0 : -1); };
    byId("after").onclick = () => { pause(); stepBy(1); };
    byId("play").onclick = () => (playing === null ? play() : pause());
    byId("pick-request").onchange = (event) => { pause(); setTime(state.episode.t[+event.target.value]); };
    let width = byId("track").clientWidth;
    new ResizeObserver(() => {
      const now = byId("track").clientWidth; // 0 where the page is not laid out
      if (now === 0 || now === width) return;
      width = now;
      draw();
    }).observe(byId("track"));
    choose({});
  }

  start();
})();
