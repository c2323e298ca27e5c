"use strict";
// The table of rows: search, filters, order, pages, copying. All else on the page stands without this script.
// Texts from the sheet reach the page as text nodes only; the page's policy forbids any other way.
(() => {
  const PAGE = 100;       // Lines at once: as many as a browser draws without a pause.
  const PRINTED = 500;    // Lines on paper.
  const $ = (id) => document.getElementById(id);

  const block = $("data");
  const data = JSON.parse(block.textContent);
  block.remove();         // Once is enough: 50,000 rows are some 15 MB.

  const at = Object.fromEntries(data.fields.map((field, place) => [field, place]));
  const texted = new Set(data.texted);
  const of = (row, field) => {
    const value = row[at[field]];
    if (!texted.has(field)) return value;
    return Array.isArray(value) ? value.map((one) => data.texts[one]) : data.texts[value];
  };

  const STATUSES = ["created", "existing", "failed", "rejected", "conflict", "in_doubt", "not_attempted",
    "updated", "unchanged", "deleted", "kept"];
  const WORKS = { yes: "works", no: "does not work", not_tested: "not tested" };
  const CHANGES = { new: "newly failing", still_failing: "still failing", fixed: "fixed" };
  // What a person has to look at comes first.
  const NEED = ["failed", "w-no", "rejected", "conflict", "in_doubt", "w-not_tested", "not_attempted", "kept",
    "created", "updated", "deleted", "unchanged", "existing"];
  // Where nothing is wrong with the connection, what is told as an error is its key's.
  const WELL = new Set(["created", "updated", "existing"]);
  const SEARCHED = ["row", "name", "connection", "endpoint", "database", "tenant", "principal", "description",
    "codes", "error", "column", "request", "sandbox", "org", "carried"];
  const said = (word) => word.replace("_", " ");
  const result = (row) => of(row, "connection") || of(row, "codes");
  const need = (row) => {
    const [status, works] = [of(row, "status"), of(row, "works")];
    const own = NEED.indexOf(WELL.has(status) && of(row, "error") ? "w-no" : status);
    return works && works !== "yes" ? Math.min(own, NEED.indexOf(`w-${works}`)) : own;
  };
  // Of several sheets: where a row stands is the last that it carries, its file and its tab.
  const place = (row) => of(row, "carried").slice(-2);
  const files = new Map();
  if (data.several) for (const [file, tab] of data.rows.map(place)) files.set(tab, (files.get(tab) ?? new Set()).add(file));
  const sheet = (row) => {
    const [file, tab] = place(row);
    return tab ? (files.get(tab).size > 1 ? `${file}#${tab}` : tab) : file;
  };
  const isTested = data.rows.some((row) => of(row, "works"));
  const COLUMNS = [
    { key: "row", title: "Row", value: (row, index) => (data.several ? index : of(row, "row")) },
    { key: "status", title: "Status", value: need },
    ...(isTested ? [{ key: "works", title: "Works", value: (row) => Object.keys(WORKS).indexOf(of(row, "works")) }] : []),
    { key: "name", title: "Name", value: (row) => of(row, "name").toLowerCase() },
    { key: "org", title: "Org", value: (row) => of(row, "org").toLowerCase() },
    { key: "sandbox", title: "Sandbox", value: (row) => of(row, "sandbox").toLowerCase() },
    { key: "result", title: "Connection, or what is wrong", value: result },
    { key: "took", title: "Took", value: (row) => of(row, "duration") ?? -1 },
  ];

  // Searching is a look into one prepared text per row: 50,000 of them take some ten milliseconds. They are
  // prepared while nobody waits, a thousand at a time; who is faster than that prepares the rest.
  const haystacks = [];
  const haystack = (index) => haystacks[index] ??= SEARCHED.map((field) => of(data.rows[index], field))
    .flat().filter(Boolean).join("\n").toLowerCase();
  const prepare = (from = 0) => {
    const until = Math.min(from + 1000, data.rows.length);
    for (let index = from; index < until; index += 1) haystack(index);
    if (until < data.rows.length) setTimeout(prepare, 0, until);
  };

  let order = data.rows.map((_, index) => index);
  const FIRST = { key: "status", down: false };
  let sorted = FIRST;
  const chosen = { status: new Set(), works: new Set(), since: new Set() };
  let shown = order;
  let page = 0;

  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else made.setAttribute(key, value);
    }
    made.append(...children.filter((child) => child !== ""));
    return made;
  };
  const number = (count) => count.toLocaleString("en");
  const counted = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
  const span = (ms) => {
    if (ms < 1000) return `${ms} ms`;
    if (ms < 10000) return `${(ms / 1000).toFixed(1).replace(/\.0$/, "")} s`;
    const seconds = Math.round(ms / 1000);
    if (seconds < 60) return `${seconds} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return seconds % 60 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
    return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
  };
  // A time as the reader's clock has it, with its offset.
  const two = (count) => String(count).padStart(2, "0");
  const local = (ms, digits = 0) => {
    const at = new Date(ms);
    const offset = -at.getTimezoneOffset();
    const zone = `${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
    const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    const part = digits ? `.${String(at.getMilliseconds()).padStart(3, "0")}` : "";
    return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}${part} ${zone}`;
  };
  const stamp = (sinceStart) => local(data.started + sinceStart, 3);

  // Copying. What a spreadsheet would run as a formula gets a sign before it, as in results.csv.
  const inert = (text) => (/^'*[=+\-@\t\r]/.test(text) ? `'${text}` : text);
  const put = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Some browsers give a page from a file no clipboard.
      const area = element("textarea", { class: "hidden", "aria-hidden": "true" });
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };
  // A line of cells, as a spreadsheet takes it: `name<TAB>id`.
  const cells = (row) => [of(row, "name"), of(row, "connection")].map(inert).join("\t");
  const copy = async (rows, button) => {
    const ids = rows.filter((row) => of(row, "connection"));
    const done = ids.length > 0 && await put(ids.map(cells).join("\n"));
    button.focus();
    $("count").textContent = done ? `${counted(ids.length, "name")} and ${ids.length === 1 ? "its id" : "their ids"} copied.`
      : ids.length ? "The browser did not let the page copy." : "No row here has a connection id.";
  };

  // Commands, columns and values stand between backticks; one that has no partner is the text's own.
  const prose = (text) => {
    const parts = text.split("`");
    return parts.length % 2 ? parts.map((part, place) => (place % 2 ? element("code", {}, part) : part)) : [text];
  };

  // What happened to a row, oldest first.
  const events = (row) => {
    const [started, duration, tested] = [of(row, "started"), of(row, "duration"), of(row, "tested")];
    const told = [];
    if (started !== null) told.push([started, "sent; the ledger knew of it before"]);
    for (const [at, what] of of(row, "steps")) told.push([at, data.texts[what]]);
    if (started !== null && duration !== null) {
      const tries = of(row, "attempts");
      told.push([started + duration, `${said(of(row, "status"))}${tries > 1 ? ` after ${tries} tries` : ""}`]);
    }
    if (tested !== null) told.push([tested, `tested: ${WORKS[of(row, "works")]}`]);
    told.sort(([a], [b]) => a - b);
    return element("ol", { class: "events" }, ...told.map(([at, what]) => element("li", {},
      element("code", {}, stamp(at)),
      element("span", { class: "after" }, at === told[0][0] ? "" : `+${span(at - told[0][0])}`), what)));
  };

  const details = (row) => {
    const started = of(row, "started");
    const tested = of(row, "tested");
    const facts = [
      ["what to do", of(row, "hint")],
      ["description", of(row, "description")],
      ["endpoint", of(row, "endpoint")], ["database", of(row, "database")],
      ["tenant", of(row, "tenant")], ["servicePrincipalId", of(row, "principal")],
      ["org", of(row, "org")], ["sandbox", of(row, "sandbox")],
      ["connection id", of(row, "connection")], ["found by", of(row, "match")],
      ["state", of(row, "state")],
      ["works", WORKS[of(row, "works")] ?? ""],
      ["code", of(row, "codes")], ["column", of(row, "column")],
      ["HTTP status", of(row, "http") ?? ""], ["request id", of(row, "request")],
      ["tries", of(row, "attempts") || ""],
      ["took", of(row, "duration") === null ? "" : span(of(row, "duration"))],
      ["since the last run", CHANGES[of(row, "since")] ?? ""],
      ["made", of(row, "before") ? "before this run" : ""],
      ...of(row, "warnings").map((warning) => ["warning", warning]),
      ...of(row, "carried").map((cell, place) => [data.carried[place], cell]),
    ];
    const list = element("dl", { class: "facts" }, ...facts.filter(([, value]) => value !== "").map(([term, value]) =>
      element("div", term === "what to do" ? { class: "wide" } : {}, element("dt", {}, term),
        element("dd", {}, ...(["what to do", "warning"].includes(term) ? prose(value) : [String(value)])))));
    if (started !== null || tested !== null) list.append(element("div", { class: "wide" },
      element("dt", {}, "what happened"), element("dd", {}, events(row))));
    return list;
  };

  const outcome = (row) => {
    const id = of(row, "connection");
    const error = of(row, "error");
    if (id) {
      const button = element("button", {
        type: "button", class: "copy", "aria-label": `Copy name and connection id of row ${of(row, "row")}`,
        onclick: () => copy([row], button),
      }, "copy");
      return [element("code", {}, id), button, error ? element("span", { class: "cause" }, ...prose(error)) : ""];
    }
    return [
      element("span", { class: "cause" }, ...prose(error || said(of(row, "status")))),
      element("code", { class: "codes" }, of(row, "codes")),
    ];
  };

  const line = (index) => {
    const row = data.rows[index];
    const status = of(row, "status");
    const toggle = element("button", {
      type: "button", class: "open", "aria-expanded": "false", "aria-label": `Row ${of(row, "row")}${data.several ? ` of ${sheet(row)}` : ""}, details`,
      onclick: () => {
        const open = toggle.getAttribute("aria-expanded") === "true";
        toggle.setAttribute("aria-expanded", String(!open));
        if (open) made.nextElementSibling.remove();
        else made.after(element("tr", { class: "more", role: "row" },
          element("td", { role: "cell", class: "more-cell", colspan: COLUMNS.length }, details(row))));
      },
    }, String(of(row, "row")));
    const duration = of(row, "duration");
    const works = of(row, "works");
    const cells = {
      row: [toggle],
      status: [element("span", { class: `status s-${status}` }, said(status))],
      works: [works ? element("span", { class: `status w-${works}` }, said(works)) : ""],
      name: [element("bdi", {}, of(row, "name")), data.several ? element("span", { class: "where" }, sheet(row)) : ""],
      org: [element("bdi", {}, of(row, "org"))],
      sandbox: [of(row, "sandbox")],
      result: outcome(row),
      took: [duration === null ? "" : span(duration)],
    };
    const made = element("tr", { role: "row" }, ...COLUMNS.map(({ key }) =>
      element("td", { role: "cell", class: `c-${key}` }, ...cells[key])));
    return made;
  };

  const draw = (from = page * PAGE, size = PAGE) => {
    const body = $("grid").tBodies[0];
    body.replaceChildren(...shown.slice(from, from + size).map(line));
    const last = Math.max(0, Math.ceil(shown.length / PAGE) - 1);
    $("place").textContent = shown.length
      ? `${number(from + 1)} to ${number(Math.min(from + size, shown.length))} of ${number(shown.length)}` : "no rows";
    document.querySelectorAll(".pager button").forEach((button) => {
      button.disabled = page === (["first", "previous"].includes(button.dataset.page) ? 0 : last);
    });
  };

  const filter = (at = 0) => {
    const words = $("search").value.trim().toLowerCase();
    const org = $("org").value;
    shown = order.filter((index) => {
      const row = data.rows[index];
      return Object.entries(chosen).every(([field, values]) => !values.size || values.has(of(row, field))) && (!org || `=${of(row, "org")}` === org)
        && (!words || haystack(index).includes(words));
    });
    page = Math.min(at, Math.max(0, Math.ceil(shown.length / PAGE) - 1));
    draw();
    $("count").textContent = shown.length === data.rows.length ? counted(shown.length, "row")
      : `${number(shown.length)} of ${counted(data.rows.length, "row")}`;
    remember();
  };

  // The address holds what is chosen, so that it can be kept, sent and gone back to.
  const remember = () => {
    const state = new URLSearchParams();
    for (const [field, values] of Object.entries(chosen)) if (values.size) state.set(field, [...values].join(","));
    if ($("org").value) state.set("org", $("org").value.slice(1));
    if ($("search").value.trim()) state.set("q", $("search").value.trim());
    if (sorted.key !== FIRST.key || sorted.down) state.set("sort", `${sorted.down ? "-" : ""}${sorted.key}`);
    if (page) state.set("page", page + 1);
    const wanted = String(state);
    if (wanted === location.hash.slice(1) || (!wanted && !location.hash.includes("="))) return;
    try {
      history.replaceState(null, "", `#${wanted}`);
    } catch {
      // Some viewers of artifacts lock the address; all else works there, too.
    }
  };
  const recall = () => {
    if (!location.hash.includes("=")) return false;
    const state = new URLSearchParams(location.hash.slice(1));
    const list = (field) => (state.get(field) ?? "").split(",");
    choose("status", list("status").filter((one) => STATUSES.includes(one)));
    choose("works", list("works").filter((one) => one in WORKS));
    choose("since", list("since").filter((one) => one in CHANGES));
    $("search").value = state.get("q") ?? "";
    const org = `=${state.get("org") ?? ""}`;
    $("org").value = state.has("org") && [...$("org").options].some((one) => one.value === org) ? org : "";
    const key = (state.get("sort") ?? FIRST.key).replace(/^-/, "");
    const known = COLUMNS.some((column) => column.key === key);
    arrange(known ? { key, down: known && (state.get("sort") ?? "").startsWith("-") } : FIRST);
    const wanted = Number.parseInt(state.get("page"), 10) - 1;
    filter(wanted > 0 ? wanted : 0);
    return true;
  };

  const arrange = (wanted) => {
    sorted = wanted;
    const { value } = COLUMNS.find((column) => column.key === sorted.key);
    const values = data.rows.map(value);
    const sign = sorted.down ? -1 : 1;
    order.sort((a, b) => (values[a] < values[b] ? -sign : values[a] > values[b] ? sign : a - b));
    headings();
  };
  const sort = (key) => {
    arrange({ key, down: sorted.key === key && !sorted.down });
    filter();
  };

  const headings = () => {
    for (const { key } of COLUMNS) {
      const state = sorted.key === key ? (sorted.down ? "descending" : "ascending") : "none";
      $(`h-${key}`).setAttribute("aria-sort", state);
    }
  };

  const choose = (field, values) => {
    chosen[field] = new Set(values.filter(Boolean));
    document.querySelectorAll(`.filters button[name="${field}"]`).forEach((button) => {
      button.setAttribute("aria-pressed", String(chosen[field].has(button.value)));
    });
  };

  const tally = (field) => {
    const counts = new Map();
    for (const row of data.rows) counts.set(of(row, field), (counts.get(of(row, field)) ?? 0) + 1);
    return counts;
  };

  const start = () => {
    $("grid").tHead.rows[0].append(...COLUMNS.map(({ key, title }) =>
      element("th", { id: `h-${key}`, class: `c-${key}`, "data-title": title, scope: "col", role: "columnheader" },
        element("button", { type: "button", onclick: () => sort(key) }, title))));
    const choices = (field, all, sign, words) => {
      const counts = tally(field);
      return all.filter((one) => counts.has(one)).map((one) => element("button", {
        type: "button", name: field, value: one, class: `${sign}-${one}`, "aria-pressed": "false",
        onclick: () => {
          const now = chosen[field];
          choose(field, now.has(one) ? [...now].filter((other) => other !== one) : [...now, one]);
          filter();
        },
      }, `${words(one)} ${number(counts.get(one))}`));
    };
    $("statuses").append(...choices("status", STATUSES, "s", said));
    $("tests").append(...choices("works", Object.keys(WORKS), "w", (one) => WORKS[one]));
    $("tests").hidden = !isTested;
    const changes = choices("since", Object.keys(CHANGES), "d", (one) => CHANGES[one]);
    $("changes").append(...changes);
    $("changes").hidden = !changes.length;
    // A value begins with "=", so that an org without a name is not "all".
    const orgs = [...tally("org")].sort(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
    $("org").append(...orgs.map(([org, count]) =>
      element("option", { value: `=${org}` }, `${org || "no org"} (${number(count)})`)));
    $("search").addEventListener("input", () => filter());
    $("org").addEventListener("change", () => filter());
    const form = document.querySelector(".filters");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(() => {
      choose("status", []);
      choose("works", []);
      choose("since", []);
      filter();
    }));
    $("copy").addEventListener("click", () =>
      copy(shown.map((index) => data.rows[index]), $("copy")));
    document.querySelector(".pager").addEventListener("click", ({ target }) => {
      const last = Math.max(0, Math.ceil(shown.length / PAGE) - 1);
      const goal = { first: 0, previous: page - 1, next: page + 1, last }[target.dataset.page];
      if (goal === undefined) return;
      page = Math.min(last, Math.max(0, goal));
      draw();
      remember();
      $("grid").scrollIntoView({ block: "start" });
    });
    // A number in the headline, a cause, an org: each leads to its rows.
    document.querySelectorAll('a[href="#rows"]:not(.skip)').forEach((link) => {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        choose("status", [link.dataset.status]);
        choose("works", [link.dataset.works]);
        choose("since", [link.dataset.since]);
        $("search").value = link.dataset.search ?? "";
        $("org").value = link.dataset.org ? `=${link.dataset.org}` : "";
        filter();
        $("rows").focus({ preventScroll: true });
        $("rows").scrollIntoView({ block: "start" });
      });
    });
    // Paper unfolds nothing.
    const folded = [...document.querySelectorAll("details.more-causes:not([open])")];
    addEventListener("beforeprint", () => {
      for (const one of folded) one.open = true;
      draw(0, PRINTED);
    });
    addEventListener("afterprint", () => {
      for (const one of folded) one.open = false;
      draw();
    });
    addEventListener("hashchange", recall);
    for (const time of document.querySelectorAll("time[data-ms]")) {
      time.title = time.textContent;
      time.textContent = local(Number(time.dataset.ms));
    }
    if (!recall()) {
      arrange(FIRST);
      filter();
    }
    $("table").hidden = false;
    prepare();
  };

  const THEMES = [["", "auto"], ["light", "light"], ["dark", "dark"]];
  let theme = 0;
  $("theme").hidden = false;
  $("theme").addEventListener("click", () => {
    theme = (theme + 1) % THEMES.length;
    const [name, words] = THEMES[theme];
    if (name) document.documentElement.dataset.theme = name;
    else delete document.documentElement.dataset.theme;
    $("theme").textContent = `Theme: ${words}`;
  });

  start();
})();
