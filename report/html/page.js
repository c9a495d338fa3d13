"use strict";
(() => {
  const make = (name, props, ...children) => {
    const e = Object.assign(document.createElement(name), props);
    e.append(...children);
    return e;
  };
  const grouped = n => n.toLocaleString("en-US");

  // Colours: as the system has them, light or dark.
  const theme = document.getElementById("theme");
  const themes = ["as the system", "light", "dark"];
  let at = 0;
  theme.hidden = false;
  theme.onclick = () => {
    at = (at + 1) % themes.length;
    theme.textContent = "Theme: " + themes[at];
    if (at) document.documentElement.dataset.theme = themes[at];
    else delete document.documentElement.dataset.theme;
  };

  // Tables: a filter, buttons in the header, and pages. Every row is there, for
  // printing; those of other pages have the class x, and f those filtered out.
  const pageRows = 50;
  for (const box of document.querySelectorAll(".table")) {
    if (!("sorts" in box.dataset)) continue;
    const body = box.querySelector("tbody");
    const original = [...body.rows];
    const caption = box.querySelector("caption").firstChild.textContent.trim();
    let rows = original, matching = original, page = 0, column = -1, up = true;

    const input = make("input", { type: "search", autocomplete: "off", spellcheck: false });
    const label = make("label", {}, "Filter ", input);
    const told = make("output", { className: "idle" });
    told.setAttribute("aria-live", "polite");
    if ("filters" in box.dataset) box.prepend(make("div", { className: "tools" }, label, told));
    input.setAttribute("aria-label", "Filter: " + caption);

    const back = make("button", { type: "button", textContent: "Previous" });
    const where = make("span", {});
    const on = make("button", { type: "button", textContent: "Next" });
    const pages = make("nav", { className: "pages" }, back, where, on);
    pages.setAttribute("aria-label", "Pages: " + caption);
    box.querySelector(".scroll").after(pages);

    const draw = () => {
      const last = Math.max(0, Math.ceil(matching.length / pageRows) - 1);
      page = Math.min(Math.max(page, 0), last);
      matching.forEach((r, i) => r.classList.toggle("x", Math.floor(i / pageRows) !== page));
      pages.hidden = last === 0;
      back.disabled = page === 0;
      on.disabled = page === last;
      const first = page * pageRows;
      where.textContent = `Rows ${grouped(Math.min(first + 1, matching.length))} to ${grouped(Math.min(first + pageRows, matching.length))} of ${grouped(matching.length)}`;
    };
    const filter = () => {
      const want = input.value.toLowerCase();
      matching = rows.filter(r => {
        r.seen ??= r.textContent.toLowerCase();
        const fits = r.seen.includes(want);
        r.classList.toggle("f", !fits);
        return fits;
      });
      told.textContent = want ? `${grouped(matching.length)} of ${grouped(rows.length)} rows here hold “${input.value}”` : "";
      told.className = want ? "" : "idle";
      page = 0;
      draw();
    };
    const heads = [...box.querySelectorAll("thead th")];
    const key = (row, i) => {
      const cell = row.cells[i];
      if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
      const text = cell.textContent;
      return heads[i].classList.contains("n") && text !== "" && !isNaN(text) ? Number(text) : text;
    };
    const compare = (a, b) => {
      if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
      return typeof a === "number" ? -1 : 1;
    };
    const sort = () => {
      if (column < 0) {
        rows = original;
      } else {
        const keys = new Map(original.map(r => [r, key(r, column)]));
        rows = [...original].sort((a, b) => compare(keys.get(a), keys.get(b)) * (up ? 1 : -1));
      }
      body.append(...rows);
      heads.forEach((h, i) => i === column ? h.setAttribute("aria-sort", up ? "ascending" : "descending") : h.removeAttribute("aria-sort"));
      filter();
    };
    heads.forEach((head, i) => {
      const button = make("button", { type: "button", textContent: head.textContent, title: "Sort; again for the other way, and then as it was" });
      head.replaceChildren(button);
      button.onclick = () => {
        if (column !== i) { column = i; up = true; } else if (up) { up = false; } else { column = -1; }
        sort();
      };
    });
    input.oninput = filter;
    back.onclick = () => { page--; draw(); };
    on.onclick = () => { page++; draw(); };
    draw();
  }

  const svg = (name, attributes) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    return e;
  };
  // inside gives where a pointer is, in the picture's own units.
  const inside = (picture, event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
  const steps = (event, across) => ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across, Home: -Infinity, End: Infinity })[event.key];
  const counts = text => text === "" ? [] : text.split(";").map(c => c.split(",").map(Number));
  const list = (names, values) => names.map((n, i) => [n, values[i]]).filter(p => p[1] > 0).map(p => `${p[0]} ${grouped(p[1])}`).join(", ");

  // The map of cells.
  for (const figure of document.querySelectorAll(".cells")) {
    const picture = figure.querySelector("svg"), stage = figure.querySelector(".stage"), point = figure.querySelector(".point");
    const d = picture.dataset, cols = +d.cols, first = +d.first, per = +d.cell, total = +d.total, group = +d.size;
    const states = d.states.split("|"), cells = counts(d.counts), pitch = 13;
    const cursor = svg("rect", { class: "cursor", width: pitch, height: pitch, visibility: "hidden" });
    picture.append(cursor);
    let current = 0;
    const show = i => {
      if (!(i >= 0 && i < cells.length)) return;
      current = i;
      cursor.setAttribute("x", i % cols * pitch - .5);
      cursor.setAttribute("y", Math.floor(i / cols) * pitch - .5);
      cursor.setAttribute("visibility", "visible");
      const from = i * per, to = Math.min(from + per, total) - 1;
      let text = from === to ? `${d.unit} ${grouped(first + from)}` : `${d.unit}s ${grouped(first + from)} to ${grouped(first + to)}`;
      if (group > 0) {
        const a = Math.floor(from / group), b = Math.floor(to / group);
        text += a === b ? `, ${d.group} ${grouped(a)}` : `, ${d.group}s ${grouped(a)} to ${grouped(b)}`;
      }
      text = text[0].toUpperCase() + text.slice(1);
      point.textContent = `${text}: ${from === to ? states[cells[i].findIndex(n => n > 0)] : list(states, cells[i])}`;
    };
    stage.onpointermove = stage.onclick = event => {
      const p = inside(picture, event), x = Math.floor(p.x / pitch);
      if (x >= 0 && x < cols) show(Math.floor(p.y / pitch) * cols + x);
    };
    stage.onfocus = () => show(current);
    stage.onkeydown = event => {
      const by = steps(event, cols);
      if (by === undefined) return;
      event.preventDefault();
      show(Math.min(Math.max(current + by, 0), cells.length - 1));
    };
    point.textContent = "Point at a cell, or go to it with the arrow keys.";
  }

  // Pictures of separate things: what each tells stands in it.
  for (const figure of document.querySelectorAll(".items")) {
    const stage = figure.querySelector(".stage"), point = figure.querySelector(".point");
    const items = [...figure.querySelectorAll(".item")], arrows = [...figure.querySelectorAll(".arrow")];
    let current = -1;
    const show = (i, scroll) => {
      if (!items[i] || i === current) return;
      items[current]?.classList.remove("cur");
      current = i;
      items[i].classList.add("cur");
      for (const a of arrows) a.classList.toggle("hot", +a.dataset.a === i || +a.dataset.b === i);
      point.textContent = items[i].dataset.tells;
      if (scroll) items[i].scrollIntoView({ block: "nearest", inline: "nearest" });
    };
    stage.onpointermove = stage.onclick = event => show(items.indexOf(event.target.closest(".item")));
    stage.onfocus = () => { if (current < 0) show(0); };
    stage.onkeydown = event => {
      const by = steps(event, 1);
      if (by === undefined) return;
      event.preventDefault();
      show(Math.min(Math.max(current + by, 0), items.length - 1), true);
    };
    point.textContent = "Point at a box, or go to it with the arrow keys.";
  }

  // The histogram. What of it is shown is chosen in the strip below.
  for (const figure of document.querySelectorAll(".histogram")) {
    const picture = figure.querySelector("svg.main"), strip = figure.querySelector(".strip"), brush = figure.querySelector(".brush");
    const stage = figure.querySelector(".stage"), point = figure.querySelector(".point"), shown = figure.querySelector(".shown");
    const d = picture.dataset, unit = +d.unit, first = +d.first, last = +d.last, high = +d.high, wide = 900;
    const series = d.series.split("|"), buckets = counts(d.counts).map(b => ({ at: first + b[0], counts: b.slice(1) }));
    if (!buckets.length) continue;
    const bars = picture.querySelector(".bars"), ticks = [...picture.querySelectorAll(".ticks text")], frame = strip.querySelector(".window");
    const cursor = svg("rect", { class: "cursor", height: high, y: 0, visibility: "hidden" });
    picture.append(cursor);
    let from = +d.from, to = +d.to, sums = [], current = 0;
    const stamp = n => new Date(n * unit * 1000).toISOString().replace(".000Z", "");
    const time = n => stamp(n).replace("T", " ");

    const range = (name, value) => {
      const input = make("input", { type: "range", min: first, max: last, step: 1, value });
      input.setAttribute("aria-label", name);
      return input;
    };
    const start = range("First time shown", from), end = range("Last time shown", to);
    const all = make("button", { type: "button", className: "tool", textContent: "Show all" });
    brush.after(make("div", { className: "ranges" }, "From", start, "to", end, all));

    const edge = i => from + Math.floor(i * (to - from) / sums.length);
    const draw = () => {
      const n = Math.min(120, to - from);
      sums = Array.from({ length: n }, () => series.map(() => 0));
      const total = series.map(() => 0);
      let inside = 0, events = 0;
      for (const b of buckets) {
        const sum = b.counts.reduce((a, c) => a + c, 0);
        events += sum;
        if (b.at < from || b.at >= to) continue;
        inside += sum;
        const bar = sums[Math.floor((b.at - from) * n / (to - from))];
        b.counts.forEach((c, k) => { bar[k] += c; total[k] += c; });
      }
      const most = Math.max(1, ...sums.map(s => s.reduce((a, c) => a + c, 0)));
      const paths = series.map(() => "");
      sums.forEach((s, i) => {
        const x = i * wide / n, w = Math.max(1, wide / n - 1);
        let bottom = high;
        s.forEach((c, k) => {
          if (!c) return;
          const tall = Math.max(1, c / most * high);
          paths[k] += `M${x.toFixed(1)} ${bottom.toFixed(1)}h${w.toFixed(1)}v${(-tall).toFixed(1)}h${(-w).toFixed(1)}z`;
          bottom -= tall;
        });
      });
      [...bars.children].forEach((p, k) => p.setAttribute("d", paths[k]));
      ticks.forEach((t, i) => { t.textContent = time(from + (to - from) * i / 4).slice(0, 19); });
      frame.setAttribute("x", (from - first) / (last - first) * wide);
      frame.setAttribute("width", Math.max(2, (to - from) / (last - first) * wide));
      start.value = from;
      end.value = to;
      cursor.setAttribute("visibility", "hidden");
      shown.replaceChildren(`Shown: ${time(from)} to ${time(to)} (UTC), ${grouped(inside)} of ${grouped(events)} times: ${list(series, total) || "none"}. These events are printed by `,
        make("code", { textContent: `${d.command} --since ${stamp(from)} --until ${stamp(to)}` }));
    };
    const choose = (a, b) => {
      from = Math.max(first, Math.min(a, b, last - 1));
      to = Math.min(last, Math.max(a, b, from + 1));
      draw();
    };
    start.oninput = () => choose(Math.min(+start.value, to - 1), to);
    end.oninput = () => choose(from, Math.max(+end.value, from + 1));
    all.onclick = () => choose(first, last);

    let grip = null;
    const place = event => {
      const r = strip.getBoundingClientRect();
      return first + Math.min(Math.max((event.clientX - r.left) / r.width, 0), 1) * (last - first);
    };
    brush.onpointerdown = event => { grip = place(event); brush.setPointerCapture(event.pointerId); };
    brush.onpointermove = event => {
      if (grip === null) return;
      const here = place(event);
      choose(Math.floor(Math.min(grip, here)), Math.ceil(Math.max(grip, here)));
    };
    brush.onpointerup = brush.onpointercancel = () => { grip = null; };

    const show = i => {
      if (!sums[i]) return;
      current = i;
      cursor.setAttribute("x", i * wide / sums.length);
      cursor.setAttribute("width", wide / sums.length);
      cursor.setAttribute("visibility", "visible");
      point.textContent = `${time(edge(i))} to ${time(edge(i + 1))}: ${list(series, sums[i]) || "nothing"}`;
    };
    stage.onpointermove = stage.onclick = event => show(Math.floor(inside(picture, event).x / wide * sums.length));
    stage.onfocus = () => show(current);
    stage.onkeydown = event => {
      const by = steps(event, 1);
      if (by === undefined) return;
      event.preventDefault();
      show(Math.min(Math.max(current + by, 0), sums.length - 1));
    };
    draw();
    point.textContent = "Point at a bar, or go to it with the arrow keys. Drag in the strip to choose a span of time.";
  }
})();
