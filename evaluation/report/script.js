// Theme: follows the system until the reader chooses.
const root = document.documentElement;
document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

// Films play while the pointer rests on them, or after a tap. Some browsers refuse data URIs as videos, so the first
// play turns the data into a blob.
const start = (screen) => {
  const video = screen.querySelector("video");
  if (!video.dataset.ready) {
    const bytes = Uint8Array.from(atob(video.dataset.src.split(",")[1]), (c) => c.charCodeAt(0));
    video.src = URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
    video.dataset.ready = "1";
  }
  screen.classList.add("on");
  video.play().catch(() => screen.classList.remove("on"));
};
const stop = (screen) => {
  screen.classList.remove("on");
  screen.querySelector("video").pause();
};
for (const screen of document.querySelectorAll(".screen")) {
  const source = screen.querySelector("source");
  screen.querySelector("video").dataset.src = source.src;
  source.remove();
  let touched = false;
  screen.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && start(screen));
  screen.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && !touched && stop(screen));
  screen.addEventListener("click", () => {
    touched = !(touched || (screen.classList.contains("on") && !matchMedia("(hover: hover)").matches));
    (touched ? start : stop)(screen);
  });
  screen.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); screen.click(); }
  });
}

// Chips: one family at a time, and everything at once.
const chips = document.querySelectorAll(".chips [data-family]");
for (const chip of chips) {
  chip.addEventListener("click", () => {
    for (const other of chips) other.setAttribute("aria-pressed", String(other === chip));
    for (const film of document.querySelectorAll("#films .film")) {
      film.hidden = chip.dataset.family !== "" && film.dataset.family !== chip.dataset.family;
      if (film.hidden) stop(film.querySelector(".screen"));
    }
  });
}
const all = document.getElementById("play-all");
if (all) {
  all.addEventListener("click", () => {
    const on = all.getAttribute("aria-pressed") !== "true";
    all.setAttribute("aria-pressed", String(on));
    all.textContent = on ? "Stop all" : "Play all";
    for (const screen of document.querySelectorAll("#films .film:not([hidden]) .screen")) (on ? start : stop)(screen);
  });
}

// Tables: a click on a heading sorts by it, a second click turns it round; rows without a value stay last.
for (const head of document.querySelectorAll("th[data-sort]")) {
  const sort = () => {
    const table = head.closest("table");
    const body = table.tBodies[0];
    const column = [...head.parentNode.children].indexOf(head);
    const down = head.getAttribute("aria-sort") !== "descending";
    for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      const order = head.dataset.sort === "number" ? x - y : y.localeCompare(x);
      return down ? -order : order;
    });
    body.append(...rows);
  };
  head.tabIndex = 0;
  head.addEventListener("click", sort);
  head.addEventListener("keydown", (event) => event.key === "Enter" && sort());
}

// The filter: rows whose text has every word that was typed; what is hidden stays in the order that was chosen.
const filter = document.getElementById("filter");
if (filter) {
  const rows = [...document.querySelectorAll("#table tbody tr")];
  const show = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    document.getElementById("matches").textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  };
  filter.addEventListener("input", show);
  show(); // a reloaded page keeps what was typed
}
