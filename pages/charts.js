// Line charts on canvas that share their time axis within a group: drag to zoom, double click to see all, hover to read.
// Each chart is <div class="chart" data-chart="ID"> with its data in <script type="application/json" id="ID">.
(() => {
  "use strict";
  const INK = "#1c2530", SOFT = "#5b6773", GRID = "#e8ecf0", AXIS = "#b9c3cc";
  const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, sans-serif';
  const LEFT = 74, RIGHT = 14, TOP = 8, BOTTOM = 24;
  const SECOND = 1e3, MINUTE = 6e4, HOUR = 36e5, DAY = 864e5;
  const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND,
    MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR,
    DAY, 2 * DAY, 3 * DAY, 7 * DAY, 14 * DAY];
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const groups = new Map();
  const pad = (n, w = 2) => String(n).padStart(w, "0");

  function clockText(ms, step) {
    const d = new Date(ms);
    const time = pad(d.getUTCHours()) + ":" + pad(d.getUTCMinutes());
    if (step < SECOND) return time + ":" + pad(d.getUTCSeconds()) + "." + pad(d.getUTCMilliseconds(), 3);
    return step < MINUTE ? time + ":" + pad(d.getUTCSeconds()) : time;
  }
  function tickText(ms, step, elapsed) {
    if (elapsed) {
      const days = Math.floor(ms / DAY);
      if (step >= DAY) return days + " d";
      return (days ? days + " d " : "") + clockText(ms - days * DAY, step);
    }
    const d = new Date(ms);
    if (step > 14 * DAY) return MONTHS[d.getUTCMonth()] + " " + d.getUTCFullYear();
    if (step >= DAY || ms % DAY === 0) return d.getUTCDate() + " " + MONTHS[d.getUTCMonth()];
    return clockText(ms, step);
  }
  function fullText(ms, elapsed, span) {
    if (elapsed) return "after " + tickText(ms, span < HOUR ? SECOND : MINUTE, true);
    const d = new Date(ms);
    const date = d.getUTCFullYear() + "-" + pad(d.getUTCMonth() + 1) + "-" + pad(d.getUTCDate()) + " ";
    return date + clockText(ms, span < HOUR ? 1 : SECOND) + " UTC";
  }
  function timeTicks(from, to, room, elapsed) {
    const most = Math.max(2, Math.floor(room / 96)), span = to - from;
    const step = STEPS.find((s) => span / s <= most);
    const ticks = [];
    if (step) {
      for (let t = Math.ceil(from / step) * step; t <= to; t += step) ticks.push(t);
      return { ticks, step };
    }
    if (elapsed) {
      const wide = Math.ceil(span / most / DAY / 30) * 30 * DAY;
      for (let t = Math.ceil(from / wide) * wide; t <= to; t += wide) ticks.push(t);
      return { ticks, step: wide };
    }
    const apart = [1, 2, 3, 6, 12, 24, 60].find((m) => span / (m * 30 * DAY) <= most) || 120;
    const first = new Date(from);
    for (let month = first.getUTCFullYear() * 12 + first.getUTCMonth(); ; month += 1) {
      const t = Date.UTC(Math.floor(month / 12), month % 12, 1);
      if (t > to) break;
      if (t >= from && month % apart === 0) ticks.push(t);
    }
    return { ticks, step: apart * 30 * DAY };
  }
  function valueTicks(low, high, room) {
    const rough = (high - low) / Math.max(3, Math.min(8, Math.floor(room / 30)));
    const size = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((m) => m * size).find((s) => s >= rough * 0.999);
    const ticks = [];
    for (let i = Math.ceil(low / step - 1e-9) || 0; i * step <= high + step * 1e-9; i += 1) ticks.push(i === 0 ? 0 : i * step);
    return { ticks, digits: Math.min(10, Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (/^25/.test(String(step).replace(/[.0]/g, "")) ? 1 : 0))) };
  }
  const show = (v, digits) => v.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");

  // Index of the last time at or before t; -1 before the first.
  function at(times, t) {
    let low = 0, high = times.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (times[mid] <= t) low = mid + 1; else high = mid;
    }
    return low - 1;
  }

  class Chart {
    constructor(box, data) {
      this.box = box;
      this.data = data;
      this.hidden = new Set();
      this.canvas = document.createElement("canvas");
      this.canvas.setAttribute("role", "img");
      this.canvas.setAttribute("aria-label", data.label);
      this.tip = document.createElement("div");
      this.tip.className = "tip";
      this.legend = document.createElement("div");
      this.legend.className = "legend";
      box.append(this.legend, this.canvas, this.tip);
      const key = data.group;
      if (!groups.has(key)) groups.set(key, { charts: [], from: Infinity, to: -Infinity, hover: null, drag: null });
      this.group = groups.get(key);
      this.group.charts.push(this);
      for (const s of data.series) {
        if (!s.t.length) continue;
        this.group.from = Math.min(this.group.from, data.start + s.t[0]);
        this.group.to = Math.max(this.group.to, data.start + s.t[s.t.length - 1]);
      }
      this.buildLegend();
      this.listen();
    }
    buildLegend() {
      const entries = this.data.series.map((s, i) => ["s" + i, s.name, s.color]);
      if (this.data.marks) for (const m of this.data.marks) entries.push(["m" + m.name, m.name, null, m]);
      for (const b of this.data.bands || []) entries.push(["b" + b.name, b.name, b.color + "55"]);
      for (const [id, name, color, mark] of entries) {
        const button = document.createElement("button");
        button.type = "button";
        if (color) {
          const swatch = document.createElement("i");
          swatch.style.background = color;
          button.append(swatch, name);
        } else {
          const sign = document.createElement("span");
          sign.textContent = mark.up ? (mark.hollow ? "△" : "▲") : (mark.hollow ? "▽" : "▼");
          sign.style.color = mark.color;
          button.append(sign, name);
        }
        button.addEventListener("click", () => {
          if (this.hidden.has(id)) this.hidden.delete(id); else this.hidden.add(id);
          button.classList.toggle("off", this.hidden.has(id));
          this.draw();
        });
        this.legend.append(button);
      }
      const reset = document.createElement("button");
      reset.type = "button";
      reset.className = "reset";
      reset.textContent = "show all";
      reset.style.display = "none";
      reset.addEventListener("click", () => this.zoom(null));
      this.reset = reset;
      this.legend.append(reset);
    }
    listen() {
      const where = (e) => this.timeAt(e.clientX - this.canvas.getBoundingClientRect().left);
      this.canvas.addEventListener("pointermove", (e) => {
        const r = this.canvas.getBoundingClientRect();
        this.group.hover = { t: where(e), chart: this, x: e.clientX - r.left, y: e.clientY - r.top };
        if (this.group.drag) this.group.drag.to = where(e);
        this.redrawGroup();
      });
      this.canvas.addEventListener("pointerleave", () => { this.group.hover = null; this.redrawGroup(); });
      this.canvas.addEventListener("pointerdown", (e) => {
        if (e.pointerType === "touch" || e.button !== 0) return;
        this.canvas.setPointerCapture(e.pointerId);
        this.group.drag = { from: where(e), to: where(e), x: e.clientX };
      });
      this.canvas.addEventListener("pointerup", (e) => {
        const drag = this.group.drag;
        this.group.drag = null;
        if (drag && Math.abs(e.clientX - drag.x) > 6) this.zoom([Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)]);
        else this.redrawGroup();
      });
      this.canvas.addEventListener("dblclick", () => this.zoom(null));
    }
    zoom(view) {
      if (view && view[1] - view[0] < 5) return;
      this.group.view = view;
      for (const chart of this.group.charts) chart.reset.style.display = view ? "" : "none";
      this.redrawGroup();
    }
    redrawGroup() {
      if (this.group.waiting) return;
      this.group.waiting = true;
      requestAnimationFrame(() => {
        this.group.waiting = false;
        for (const chart of this.group.charts) chart.draw();
      });
    }
    get range() { return this.group.view || [this.group.from, this.group.to]; }
    x(t) { const [a, b] = this.range; return LEFT + (t - a) / (b - a || 1) * (this.width - LEFT - RIGHT); }
    timeAt(x) {
      const [a, b] = this.range;
      return a + Math.min(1, Math.max(0, (x - LEFT) / (this.width - LEFT - RIGHT))) * (b - a);
    }
    y(v) { return TOP + (this.high - v) / (this.high - this.low) * (this.height - TOP - BOTTOM); }
    scale() {
      const [a, b] = this.range, start = this.data.start;
      let low = Infinity, high = -Infinity;
      const see = (v) => { if (v !== null) { if (v < low) low = v; if (v > high) high = v; } };
      this.data.series.forEach((s, i) => {
        if (this.hidden.has("s" + i)) return;
        const first = Math.max(0, at(s.t, a - start)), last = at(s.t, b - start);
        for (let k = first; k <= last; k += 1) see(s.v[k]);
        if (s.kind === "area") see(0);
      });
      for (const m of this.data.marks || []) {
        if (this.hidden.has("m" + m.name)) continue;
        for (let k = Math.max(0, at(m.t, a - start)); k <= at(m.t, b - start); k += 1) see(m.v[k]);
      }
      if (low > high) { low = 0; high = 1; }
      if (low === high) { const room = Math.abs(low) * 0.001 || 1; low -= room; high += room; }
      const room = (high - low) * 0.05;
      const bound = this.data.ceiling;
      this.low = low - room;
      this.high = bound !== undefined && high <= bound ? bound + room * 0.5 : high + room;
    }
    draw() {
      const ratio = window.devicePixelRatio || 1;
      this.width = this.box.clientWidth;
      this.height = this.data.height;
      if (!this.width) return;
      this.canvas.width = Math.round(this.width * ratio);
      this.canvas.height = Math.round(this.height * ratio);
      this.canvas.style.height = this.height + "px";
      const c = this.c = this.canvas.getContext("2d");
      c.scale(ratio, ratio);
      c.font = FONT;
      this.scale();
      this.drawAxes();
      c.save();
      c.beginPath();
      c.rect(LEFT, 0, this.width - LEFT - RIGHT, this.height - BOTTOM + 1);
      c.clip();
      // Where marks are too many to tell apart they are small and lie below the line: zooming in makes them large.
      const [a, b] = this.range, marks = (this.data.marks || []).filter((m) => !this.hidden.has("m" + m.name));
      const count = marks.reduce((sum, m) => sum + at(m.t, b - this.data.start) - at(m.t, a - this.data.start), 0);
      const crowded = count > this.width / 2;
      this.markSize = crowded ? 2.2 : count > this.width / 6 ? 3.5 : 5;
      for (const band of this.data.bands || []) if (!this.hidden.has("b" + band.name)) this.drawBand(band);
      for (const link of this.data.links || []) this.drawLink(link);
      if (crowded) for (const m of marks) this.drawMarks(m);
      this.data.series.forEach((s, i) => { if (!this.hidden.has("s" + i)) this.drawSeries(s); });
      if (!crowded) for (const m of marks) this.drawMarks(m);
      c.restore();
      this.drawHover();
    }
    drawAxes() {
      const c = this.c, [a, b] = this.range, floor = this.height - BOTTOM, end = this.width - RIGHT;
      const values = valueTicks(this.low, this.high, floor - TOP);
      c.lineWidth = 1;
      c.textBaseline = "middle";
      c.textAlign = "right";
      for (const v of values.ticks) {
        const y = Math.round(this.y(v)) + 0.5;
        if (y < TOP - 1 || y > floor + 1) continue;
        c.strokeStyle = Math.abs(v) < 1e-12 ? AXIS : GRID;
        c.beginPath(); c.moveTo(LEFT, y); c.lineTo(end, y); c.stroke();
        c.fillStyle = SOFT;
        c.fillText(show(v, values.digits) + (this.data.unit === "%" ? " %" : ""), LEFT - 8, y);
      }
      const times = timeTicks(a, b, end - LEFT, this.data.elapsed);
      c.textBaseline = "top";
      c.textAlign = "center";
      for (const t of times.ticks) {
        const x = Math.round(this.x(t)) + 0.5;
        c.strokeStyle = GRID;
        c.beginPath(); c.moveTo(x, TOP); c.lineTo(x, floor); c.stroke();
        const text = tickText(t, times.step, this.data.elapsed), half = c.measureText(text).width / 2;
        c.fillStyle = SOFT;
        c.fillText(text, Math.min(Math.max(x, LEFT + half - 20), this.width - half - 1), floor + 7);
      }
      c.strokeStyle = AXIS;
      c.beginPath(); c.moveTo(LEFT, floor + 0.5); c.lineTo(end, floor + 0.5); c.stroke();
    }
    drawSeries(s) {
      const c = this.c, [a, b] = this.range, start = this.data.start;
      const first = Math.max(0, at(s.t, a - start)), last = Math.min(s.t.length - 1, at(s.t, b - start) + 1);
      c.strokeStyle = s.color;
      c.lineWidth = s.width || 1.5;
      c.lineJoin = "round";
      c.setLineDash(s.dash || []);
      const trace = (whole) => {
        let open = false, before = 0, left = 0, right = 0;
        const base = this.y(0);
        c.beginPath();
        for (let k = first; k <= last; k += 1) {
          if (s.v[k] === null) {
            if (open && whole) { c.lineTo(right, base); c.lineTo(left, base); }
            open = false;
            continue;
          }
          const x = this.x(start + s.t[k]), y = this.y(s.v[k]);
          if (!open) { left = x; if (whole) { c.moveTo(x, base); c.lineTo(x, y); } else c.moveTo(x, y); }
          else { if (s.step) c.lineTo(x, before); c.lineTo(x, y); }
          open = true; before = y; right = x;
        }
        if (open && whole) { c.lineTo(right, base); c.closePath(); }
      };
      if (s.kind === "area") { trace(true); c.globalAlpha = 0.16; c.fillStyle = s.color; c.fill(); c.globalAlpha = 1; }
      trace(false);
      c.stroke();
      c.setLineDash([]);
    }
    drawBand(band) {
      const c = this.c, start = this.data.start, floor = this.height - BOTTOM;
      c.globalAlpha = 0.13;
      c.fillStyle = band.color;
      for (let k = 0; k < band.t0.length; k += 1) {
        const x0 = this.x(start + band.t0[k]), x1 = this.x(start + band.t1[k]);
        if (x1 >= LEFT && x0 <= this.width) c.fillRect(x0, TOP, Math.max(x1 - x0, 0.5), floor - TOP);
      }
      c.globalAlpha = 1;
    }
    drawLink(link) {
      const c = this.c, start = this.data.start;
      c.strokeStyle = link.color;
      c.lineWidth = 1;
      c.setLineDash([3, 3]);
      c.beginPath();
      for (let k = 0; k < link.t0.length; k += 1) {
        const x0 = this.x(start + link.t0[k]), x1 = this.x(start + link.t1[k]);
        if (x1 < LEFT || x0 > this.width) continue;
        c.moveTo(x0, this.y(link.v0[k])); c.lineTo(x1, this.y(link.v1[k]));
      }
      c.stroke();
      c.setLineDash([]);
    }
    drawMarks(m) {
      const c = this.c, [a, b] = this.range, start = this.data.start, turn = m.up ? 1 : -1, wide = this.markSize;
      c.lineWidth = 1.3;
      c.strokeStyle = m.color;
      for (let k = Math.max(0, at(m.t, a - start)); k <= at(m.t, b - start); k += 1) {
        const x = this.x(start + m.t[k]), y = this.y(m.v[k]);
        c.beginPath();
        c.moveTo(x, y - 0.25 * wide * turn); c.lineTo(x - wide, y + 1.6 * wide * turn); c.lineTo(x + wide, y + 1.6 * wide * turn);
        c.closePath();
        c.fillStyle = m.hollow ? "#ffffff" : m.color;
        c.fill(); c.stroke();
      }
    }
    nearestMark() {
      const { hover } = this.group, start = this.data.start;
      if (!hover || hover.chart !== this) return null;
      let best = null, distance = 14 * 14;
      for (const m of this.data.marks || []) {
        if (this.hidden.has("m" + m.name)) continue;
        const from = Math.max(0, at(m.t, this.timeAt(hover.x - 15) - start)), to = at(m.t, this.timeAt(hover.x + 15) - start);
        for (let k = from; k <= to; k += 1) {
          const dx = this.x(start + m.t[k]) - hover.x, dy = this.y(m.v[k]) + (m.up ? 4 : -4) - hover.y, d = dx * dx + dy * dy;
          if (d < distance) { distance = d; best = { t: start + m.t[k], lines: m.text[k] }; }
        }
      }
      return best;
    }
    drawHover() {
      const { hover, drag } = this.group, c = this.c, floor = this.height - BOTTOM;
      this.tip.style.display = "none";
      if (drag && drag.from !== drag.to) {
        c.fillStyle = "rgba(31, 95, 168, 0.12)";
        c.fillRect(this.x(drag.from), TOP, this.x(drag.to) - this.x(drag.from), floor - TOP);
      }
      if (!hover) return;
      const x = this.x(hover.t);
      c.strokeStyle = "rgba(28, 37, 48, 0.35)";
      c.lineWidth = 1;
      c.beginPath(); c.moveTo(Math.round(x) + 0.5, TOP); c.lineTo(Math.round(x) + 0.5, floor); c.stroke();
      const [a, b] = this.range, mark = this.nearestMark(), rows = [];
      const row = (text, bold) => {
        const line = document.createElement(bold ? "b" : "div");
        line.textContent = text;
        rows.push(line);
      };
      if (mark) {
        mark.lines.forEach((line, k) => row(line, k === 0));
        row(fullText(mark.t, this.data.elapsed, 0));
      } else {
        this.data.series.forEach((s, i) => {
          if (this.hidden.has("s" + i)) return;
          const k = at(s.t, hover.t - this.data.start);
          if (k < 0 || s.v[k] === null) return;
          row(s.name + "  " + show(s.v[k], this.data.digits) + (this.data.unit ? " " + this.data.unit : ""));
          c.fillStyle = s.color;
          c.beginPath(); c.arc(x, this.y(s.v[k]), 3, 0, 7); c.fill();
        });
        if (hover.chart === this) row(fullText(hover.t, this.data.elapsed, b - a));
      }
      if (!rows.length) return;
      this.tip.replaceChildren(...rows);
      this.tip.style.display = "block";
      const w = this.tip.offsetWidth, top = this.canvas.offsetTop + TOP + 2;
      this.tip.style.left = (x + 14 + w > this.width ? Math.max(0, x - w - 14) : x + 14) + "px";
      this.tip.style.top = (mark ? Math.max(top, this.canvas.offsetTop + hover.y - 40) : top) + "px";
    }
  }

  for (const box of document.querySelectorAll(".chart[data-chart]")) {
    const chart = new Chart(box, JSON.parse(document.getElementById(box.dataset.chart).textContent));
    new ResizeObserver(() => chart.draw()).observe(box);
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    heads.forEach((head, column) => head.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((h) => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (tr) => { const cell = tr.cells[column]; return cell.dataset.v !== undefined ? Number(cell.dataset.v) : cell.textContent; };
      const missing = (k) => k === "–" || Number.isNaN(k);
      const rows = [...body.rows].map((tr) => [key(tr), tr]);
      rows.sort(([p], [q]) => missing(p) - missing(q) || (p < q ? -1 : p > q ? 1 : 0) * (down ? -1 : 1));
      body.append(...rows.map(([, tr]) => tr));
    }));
  }
})();
