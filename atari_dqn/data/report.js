"use strict";
// Filter, sort, values at the pointer, and light or dark. The page is complete without any of it.
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  // --- light, dark, or what the system says; ?theme=dark chooses once
  const themes = ["automatic", "light", "dark"];
  const button = document.getElementById("theme");
  const remember = (value) => { try { localStorage.setItem("theme", value); } catch { /* a page from a file may not */ } };
  const remembered = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const show = (theme) => {
    if (theme === "automatic") delete root.dataset.theme; else root.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    button.dataset.theme = theme;
  };
  const asked = new URLSearchParams(location.search).get("theme") ?? remembered();
  show(themes.includes(asked) ? asked : "automatic");
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(button.dataset.theme) + 1) % themes.length];
    show(next);
    remember(next);
  });

  // --- filter: one box for every table row and picture of a game
  const filter = document.getElementById("filter");
  const played = document.getElementById("played");
  const shown = document.getElementById("shown");
  const games = [...document.querySelectorAll("[data-game]")];
  const names = (items) => new Set(items.map((item) => item.dataset.game)).size;
  const total = names(games);
  const withResults = names(games.filter((item) => "played" in item.dataset));
  const update = () => {
    const words = filter.value.trim().toLowerCase();
    for (const item of games) {
      item.hidden = !item.dataset.game.includes(words) || (played.checked && !("played" in item.dataset));
    }
    shown.textContent = `${names(games.filter((item) => !item.hidden))} of ${total} games`;
  };
  played.checked = 2 * withResults < total; // a young suite is not buried under games without a run
  filter.addEventListener("input", update);
  played.addEventListener("change", update);
  update();

  // --- sort: by data-value where a cell has one, else by its text; empty cells last
  const key = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.value === undefined) return cell.textContent.trim().toLowerCase();
    return cell.dataset.value === "" ? null : Number(cell.dataset.value);
  };
  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" ? a - b : a.localeCompare(b));
  };
  for (const control of document.querySelectorAll("th > button")) {
    control.addEventListener("click", () => {
      const header = control.parentElement;
      const column = header.cellIndex;
      const body = header.closest("table").tBodies[0];
      const numbers = header.classList.contains("number");
      const now = header.getAttribute("aria-sort");
      const order = now === null ? (numbers ? "descending" : "ascending") : now === "ascending" ? "descending" : "ascending";
      for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const rows = [...body.rows].sort((a, b) => compare(key(a, column), key(b, column), sign));
      body.append(...rows);
    });
  }

  // --- learning curves: a line at the pointer, and of each curve the value of its nearest point
  const say = (tag, text, name) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (name) made.className = name;
    return made;
  };
  for (const chart of document.querySelectorAll("svg.chart")) {
    const lines = [...chart.querySelectorAll("g[data-name]")].map((group) => ({
      group,
      points: group.querySelector("polyline").getAttribute("points").split(" ").map((pair) => pair.split(",").map(Number)),
      places: group.dataset.places.split(";"),
      values: group.dataset.values.split(";"),
    })).filter((line) => line.places[0] !== "");
    const rule = document.createElementNS(chart.namespaceURI, "path");
    rule.setAttribute("class", "pointer");
    const box = say("div", "", "values");
    const leave = () => { box.remove(); rule.remove(); };
    chart.addEventListener("pointermove", (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
      const near = lines.map((line) => {
        const away = line.points.map(([x]) => Math.abs(x - at.x));
        const index = away.indexOf(Math.min(...away));
        return { line, index, x: line.points[index][0], away: away[index] };
      });
      const nearest = near.reduce((best, one) => (one.away < best.away ? one : best), near[0]);
      if (nearest === undefined) return;
      const place = nearest.line.places[nearest.index];
      box.replaceChildren(say("small", place), ...near.filter((one) => Math.abs(one.x - nearest.x) < 12).map(({ line, index }) => {
        const row = say("p", "", line.group.getAttribute("class"));
        row.append(say("b", line.group.dataset.name), ` ${line.values[index]}`);
        if (line.places[index] !== place) row.append(say("small", ` at ${line.places[index]}`));
        return row;
      }));
      rule.setAttribute("d", `M${nearest.x} 22V206`);
      chart.append(rule);
      chart.after(box);
      const frame = chart.getBoundingClientRect();
      const left = nearest.x > 190 ? 0 : frame.width - box.offsetWidth; // on the side where the pointer is not
      box.style.transform = `translate(${left}px, ${0.1 * frame.height}px)`;
    });
    chart.addEventListener("pointerleave", leave);
  }
})();
