
"use strict";
/**
 * The data of the page: page_data.py, player_data.py and decision.py make it.
 * @typedef {[kind: "lane" | "column", number: number, written: boolean, lost?: boolean]} Arrow
 * @typedef {[column: number, row: number, before: number]} Came  where a value was before; COLUMN, CALL and ANSWER below
 * @typedef {{rows: number[], orders: [row: number, row: number, kept: string, reversed: string][], count: number, failing: string,
 *   all: boolean}} Tried  sets of interleavings are hexadecimal numbers
 * @typedef {{place: string, function: string, at: number, code: string[]}} Source
 * @typedef {{text: string, lane: number | null, number: number | null, phase: string, calls: string[], answers: string[],
 *   arrows: Arrow[], values: string[], changed: number[], apart: [number, boolean][], breaks: boolean, turned: boolean,
 *   step: string | null, source: number[], from: Came[]}} Row
 * @typedef {{lanes: [string, boolean][], places: [string, boolean][], columns: [number, string][], rows: Row[], breaks: string,
 *   stored: [text: string, form: string, stored: string][], left_out: string}} Player
 * @typedef {[first: string, row: number | null, second: string, row: number | null]} Order
 * @typedef {[string, string]} Pair
 * @typedef {{summary: string, slug: string | null, replays: string, advice: Pair[], told: Pair[], other: string[],
 *   token: Pair | null, command: Pair | null, markdown: string, player: Player | null, passing: Player | null,
 *   strip: [string, number | null, number | null, number | null, boolean][], turned: Order[], forced: Order[][],
 *   forced_by_all: boolean, tried: Tried | null, compared: [number | null, number | null][], sources: Source[]}} Conflict
 * @typedef {{id: string, group: string, anchor: string, name: string, verdict: string, as_stated: boolean, since: string,
 *   guarantee: string | null, expected: string, percent: number | null, share: string, counts: Pair[], coverage: string,
 *   why: string[], facts: Pair[], links: Pair[], conflict: Conflict | null}} Variant
 * @typedef {{id: string, anchor: string, title: string, story: string, variants: Variant[]}} Group
 * @typedef {{id: string, workaround: string, left: string, facts: Pair[]}} Waiver
 * @typedef {{verdict: string, reasons: string[], waivers: Waiver[], said: [string, string[]][]}} Decision
 * @typedef {{title: string, headline: string, kind: string, gate: Decision | null, since: string | null, about: Pair[], groups: Group[]}} Data
 *
 * @typedef {string | Node | null | undefined | false} Child
 * @typedef {Child | readonly any[]} Children  how deep they are nested does not matter
 * @typedef {Record<string, string | number | null>} Attributes
 * @typedef {{kind: string, number: number, name: string, aside: boolean, width: number, x: number, left: number, shown: boolean}} Lane
 * @typedef {(row: number) => void} Follow
 * @typedef {{node: HTMLElement, words: string, group: Group}} Scenario
 */
(function () {
  // Everything here comes from the code under test: it is set as text and as nothing else.
  /** @param {string} id */
  const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
  /** @type {Data} */
  const data = JSON.parse(byId("data").textContent || "");
  const SVG = "http://www.w3.org/2000/svg";
  const COLOURS = 6, NOTHING = "-", CELL_MAX = 18, NUMBERS = 28, ARROW = 11, LABEL = 200, GAP = 20, BESIDE = 420, PAPER = 700, READABLE = 0.53;
  const TABLE_FROM = 8;  // scenarios; a shorter list needs no search
  /** @type {Map<string, (step: string | null) => void>} */
  const views = new Map();  // anchor -> what opens it
  /** @type {Map<string, (step: string | null) => void>} */
  const conflicts = new Map();  // id of a variant -> what opens its conflict, once it is there

  /** @template {Element} T @param {T} node @param {Children[]} children @returns {T} */
  function put(node, children) {
    for (const child of /** @type {Child[]} */ (children.flat(Infinity))) {
      if (child !== null && child !== undefined && child !== "" && child !== false) {
        node.append(child);  // a string becomes a text node
      }
    }
    return node;
  }
  /** @template {Element} T @param {T} node @param {Attributes} attributes @param {Children[]} children @returns {T} */
  function made(node, attributes, children) {
    for (const name in attributes) {
      if (attributes[name] !== null) { node.setAttribute(name, String(attributes[name])); }
    }
    return put(node, children);
  }
  /** @template {keyof HTMLElementTagNameMap} K @param {K} tag @param {Attributes} attributes @param {Children[]} children @returns {HTMLElementTagNameMap[K]} */
  function el(tag, attributes, ...children) {
    return made(document.createElement(tag), attributes, children);
  }
  /** @template {keyof SVGElementTagNameMap} K @param {K} tag @param {Attributes} attributes @param {Children[]} children @returns {SVGElementTagNameMap[K]} */
  function draw(tag, attributes, ...children) {
    return made(document.createElementNS(SVG, tag), attributes, children);
  }
  /** @param {string} text @param {number} limit */
  function cut(text, limit) {
    return text.length <= limit ? text : text.slice(0, limit - 1) + "\u2026";
  }
  /** @param {Children} text @param {Attributes} attributes @param {() => void} act */
  function button(text, attributes, act) {
    const node = el("button", { type: "button", ...attributes }, text);
    node.addEventListener("click", act);
    return node;
  }
  /** @param {Children[]} lines @param {string} [name] */
  function list(lines, name) {
    return lines.length ? el("ul", { class: name || null }, lines.map((line) => el("li", {}, line))) : null;
  }
  /** @param {Pair[]} rows @param {string} [name] */
  function pairs(rows, name) {
    return rows.length
      ? el("dl", { class: name || "pairs" }, rows.map(([term, value]) => el("div", { class: term.replaceAll(" ", "-") }, el("dt", {}, term), el("dd", {}, value))))
      : null;
  }
  /** @param {string} title @param {Children[]} children */
  function folded(title, ...children) {
    return el("details", {}, el("summary", {}, title), children);
  }
  /** @param {string} verdict @param {Children[]} text */
  function badge(verdict, ...text) {
    return el("span", { class: "badge " + verdict }, text.length ? text : verdict.toUpperCase());
  }
  /** @param {Variant} variant @param {string} [name] */
  function badgeOf(variant, name) {  // what was not to be expected is filled
    const node = badge(variant.verdict, name ? [name + " ", variant.verdict.toUpperCase()] : variant.verdict.toUpperCase());
    if (!variant.as_stated) {
      node.classList.add("wrong");
      node.append(el("span", { class: "unseen" }, ", not as expected"));
    }
    return node;
  }
  /** @param {string} text @param {string} name @param {number} limit @param {Player} player */
  function valueOf(text, name, limit, player) {  // a text that is only a dash comes in quotes
    const stored = player.stored.filter(([shown]) => shown === text).map(([, form, raw]) => "\n" + form + ": " + raw).join("");
    return el("span", { class: text === NOTHING ? name + " none" : name, title: text.length > limit || stored ? text + stored : null },
      text === NOTHING ? "nothing" : cut(text, limit));
  }
  /** @param {Pair} pair @returns {Child[]} */
  function link([kind, where]) {
    const safe = /^https?:\/\//.test(where);  // no javascript:, no data:
    const shown = safe
      ? el("a", { href: where, rel: "noopener noreferrer" }, where)
      : el("span", {}, where);
    return [kind + ": ", shown];
  }
  /** @param {string} text */
  async function toClipboard(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch (refused) {
      const area = el("textarea", { "aria-label": "text to copy" });
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }
  /** @param {string} what @param {string} act @param {() => string} text */
  function copying(what, act, text) {
    const node = button(what, { "data-act": act }, async () => {
      node.textContent = await toClipboard(text()) ? "Copied" : "Press Ctrl+C";
      setTimeout(() => { node.textContent = what; }, 2000);
    });
    return node;
  }
  /** @param {string} what @param {Pair | null} pair */
  function copied(what, pair) {
    return pair ? el("div", { class: "copy " + what }, el("code", { tabindex: 0 }, pair[0]),
      copying("Copy " + what, "copy-" + what, () => pair[1])) : null;
  }
  /** @param {number} number */
  function colour(number) { return "a" + number % COLOURS; }

  // -- what a row says -----------------------------------------------------------------------
  /** @param {Player} player @param {number} at @returns {string} the layer, and the key where there are several */
  function cellName(player, at) {
    const [place, key] = player.columns[at];
    const name = player.places[place][0];
    return key && player.columns.some(([, other]) => other !== key) ? name + " " + key : name;
  }
  /** @param {Player} player @param {Row} row */
  function titleOf(player, row) {
    const number = row.number === null ? "" : row.number + ". ";
    return (row.lane === null ? "" : number + player.lanes[row.lane][0] + ": ") + row.text;
  }
  /** @param {Row} row @param {number} at */
  function markOf(row, at) {
    const mark = row.apart.find(([cell]) => cell === at);
    return mark ? (mark[1] ? "stale" : "differs") : "";
  }
  /** @param {Player} player @param {Row} row */
  function sentences(player, row) {
    const said = [titleOf(player, row) + "."];
    if (row.phase) { said.push(row.phase[0].toUpperCase() + row.phase.slice(1) + "."); }
    if (row.calls.length) { said.push("Begins: " + row.calls.join(", ") + "."); }
    if (row.answers.length) { said.push("Ends: " + row.answers.map(answered).join(", ") + "."); }
    for (const at of row.changed) {
      const mark = markOf(row, at), value = row.values[at];
      said.push(cellName(player, at) + (value === NOTHING ? " now holds nothing" : " is now " + value)
        + (mark ? (mark === "stale" ? " (stale: not what the origin holds)" : " (the layers differ)") : "") + ".");
    }
    if (row.breaks && player.breaks) { said.push(player.breaks[0].toUpperCase() + player.breaks.slice(1) + "."); }
    return said.join(" ");
  }

  // -- where a value comes from --------------------------------------------------------------
  const CALL = -1, ANSWER = -2;  // in place of a column
  /** @typedef {{row: number, column: number}} Stop  of a value on its way: the row, and the cell or CALL or ANSWER */
  /** @param {Player} player @param {number} row @param {number} column @returns {Stop[]} the newest first */
  function wayOf(player, row, column) {
    const way = [{ row, column }];
    for (;;) {
      const last = way[way.length - 1];
      const came = player.rows[last.row].from.find(([cell]) => cell === last.column);
      if (!came || way.length > player.rows.length) { return way; }
      way.push({ row: came[1], column: came[2] });
    }
  }
  /** @param {Player} player @param {number} row @returns {Stop[]} of what the step writes, else answers, else reads */
  function wayOfStep(player, row) {
    const { from, changed } = player.rows[row];
    const came = from.find(([cell]) => changed.includes(cell)) || from.find(([cell]) => cell === ANSWER) || from[0];
    return came ? wayOf(player, row, came[0]) : [];
  }
  /** @param {Player} player @param {number} row @param {number} column @returns {Stop[]} of what a cell holds */
  function wayOfCell(player, row, column) {
    let at = row;
    while (at > 0 && !player.rows[at].changed.includes(column)) { at -= 1; }
    return wayOf(player, at, column);
  }
  /** @param {Player} player @param {Stop[]} way */
  function valueOnWay(player, way) {
    const cell = way.find(({ column }) => column >= 0);
    return cell ? player.rows[cell.row].values[cell.column] : "";
  }
  /** @param {Player} player @param {Stop} stop */
  function stopped(player, { row, column }) {
    const one = player.rows[row];
    const who = one.lane === null ? "" : (one.number === null ? "" : one.number + ". ") + player.lanes[one.lane][0];
    if (column === ANSWER) { return who + " answers it"; }
    if (column === CALL) { return who + " is called with it"; }
    if (one.changed.includes(column)) { return (who || one.text) + " writes it to " + cellName(player, column); }
    if (one.lane === null) { return cellName(player, column) + (row ? " holds it" : " holds it at the start"); }
    return who + " reads it from " + cellName(player, column);
  }
  /** @param {Player} player @param {Stop[]} way */
  function wayInWords(player, way) {
    const value = valueOnWay(player, way);
    return value === "" || value === NOTHING || way.length < 2 ? "" : ["Where ", el("b", { class: "mono" }, cut(value, CELL_MAX)),
      " comes from: ", way.map((stop, at) => [at ? " \u2190 " : "", stopped(player, stop)])];
  }

  // -- the code of a step --------------------------------------------------------------------
  /** @param {Source[]} sources the lines of the steps of a conflict */
  function codeOf(sources) {
    const box = el("div", { class: "code", tabindex: 0, role: "group", "aria-label": "Code of the step" });
    /** @param {Row} row */
    function show(row) {
      const found = row.source.map((number) => sources[number]).filter(Boolean);
      box.replaceChildren(...(found.length ? found.map((source) => el("figure", {},
        el("figcaption", { class: "mono" }, source.place, el("span", { class: "dim" }, " " + source.function)),
        el("pre", {}, source.code.map((line, at) => el("code", { class: at === source.at ? "line here" : "line" }, line || " ")))))
        : [el("p", { class: "dim" }, "No line of your code takes this step.")]));
    }
    return { box: sources.length ? box : null, show };
  }

  // -- the diagram: a lifeline for each actor, then one for each layer with what it holds -------
  /** @param {Player} player */
  function laneOf(player) {
    /** @param {string[]} texts @param {number} most */
    const wide = (texts, most) => Math.max(...texts.map((text) => Math.min(text.length, most))) * 7.4 + 18;
    /** @type {Lane[]} */
    const lanes = [];
    /** @type {string[]} */
    const hidden = [];
    let x = NUMBERS;
    /** @param {string} kind @param {number} number @param {string} name @param {boolean} aside @param {number} width */
    const take = (kind, number, name, aside, width) => {
      if (aside) { hidden.push(name); }
      lanes.push({ kind, number, name, aside, width, x: 0, left: 0, shown: true });
    };
    player.lanes.forEach(([name, aside], number) => take("lane", number, name, aside, Math.max(60, wide(name.split(" "), 18))));
    player.columns.forEach(([place, key], number) => {
      const [name, aside] = player.places[place];
      const texts = [...(name + " " + key).split(" "), ...player.rows.map((row) => {
        const value = cut(row.values[number] === NOTHING ? "nothing" : row.values[number], CELL_MAX), mark = markOf(row, number);
        return mark ? value + " " + mark : value;
      })];
      take("column", number, cellName(player, number), aside, Math.max(60, wide(texts, CELL_MAX + 8)));
    });
    /** @param {boolean} all */
    function placed(all) {
      x = NUMBERS;
      for (const lane of lanes) {
        lane.shown = all || !lane.aside;
        lane.left = x;
        lane.x = x + lane.width / 2;
        if (lane.shown) { x += lane.width; }
      }
      return x;
    }
    /** @param {string} kind @param {number} number */
    const find = (kind, number) => lanes.find((lane) => lane.kind === kind && lane.number === number && lane.shown);
    return { lanes, hidden, placed, find, width: () => x };
  }
  /** @param {number} from @param {number} to @param {boolean} written @param {boolean} lost @param {string} name */
  function arrow(from, to, written, lost, name) {
    const [start, end] = written ? [from, to] : [to, from];
    const way = end > start ? -1 : 1;
    const tip = end + way * (lost ? 12 : written ? 3 : 6);  // not under the dot, not under the value
    const line = draw("path", { class: "arrow drawn " + name, d: `M${start} ${ARROW}H${tip}` });
    if (lost) { return [line, draw("path", { class: "lost", d: `M${tip - 5} ${ARROW - 5}l10 10m0 -10l-10 10` })]; }
    return [
      line,
      draw("path", { class: "drawn " + name, d: `M${tip} ${ARROW}l${way * 7} -4v8z` }),
    ];
  }
  /** @param {Player} player @param {Lanes} lanes @param {Row} row @param {Row | null} before */
  function trackOf(player, lanes, row, before) {
    const picture = draw("svg", { "aria-hidden": "true", focusable: "false", width: lanes.width(), height: 2 * ARROW });
    const from = row.lane === null ? null : lanes.find("lane", row.lane);
    if (from && row.lane !== null) {
      const mine = colour(row.lane);
      for (const [kind, number, written, lost] of row.arrows) {
        const to = lanes.find(kind, number);
        if (to) { put(picture, arrow(from.x, to.kind === "column" ? to.x - to.width / 2 + 8 : to.x, written, Boolean(lost), mine)); }
      }
      picture.append(draw("circle", { class: "drawn " + mine, cx: from.x, cy: ARROW, r: 5 }));
    }
    const breaking = player.rows.findIndex((one) => one.breaks), isWrong = breaking >= 0 && player.rows.indexOf(row) >= breaking;
    const cells = lanes.lanes.filter((lane) => lane.kind === "column" && lane.shown).map((lane) => {
      const stale = markOf(row, lane.number), changed = row.changed.includes(lane.number);
      const same = before && !changed && stale === markOf(before, lane.number);
      const cell = el("span", { class: ["cell", changed ? "changed" : "", stale ? "stale" : "", same ? "same" : ""].join(" ").trim(),
        "data-place": player.places[player.columns[lane.number][0]][0] },
      valueOf(row.values[lane.number], "value", CELL_MAX, player), stale ? el("span", { class: "mark" }, " " + stale) : null);
      if (stale && isWrong) { cell.classList.add("wrong"); }
      cell.dataset.column = String(lane.number);
      cell.style.left = lane.left + 8 + "px";
      cell.style.width = lane.width - 10 + "px";
      return cell;
    });
    return el("div", { class: "track" }, picture, cells);
  }
  /** @param {string} text */
  function answered(text) { return text.startsWith("-> ") ? "answers " + text.slice(3) : text; }
  /** @param {Player} player @param {Lanes} lanes @param {Row} row @param {Row | null} before */
  function rowOf(player, lanes, row, before) {
    const from = row.lane === null ? null : lanes.find("lane", row.lane);
    const label = el("div", { class: row.lane === null ? "label" : "label " + colour(row.lane) },
      row.calls.map((text) => el("span", { class: "begins" }, "begins " + text)),
      el("span", { class: "step" }, row.lane === null ? "" : el("span", { class: "unseen" }, player.lanes[row.lane][0] + ": "),
        row.text),
      row.answers.map((text) => el("span", { class: "ends" }, answered(text))));
    const left = from ? from.x - 6 : NUMBERS + 4;
    label.style.paddingLeft = left + "px";
    label.style.maxWidth = `max(100cqw, ${left + LABEL}px)`;  // what is in sight, if the lane is
    return el("li", {},
      row.phase && (!before || before.phase !== row.phase) ? el("p", { class: "phase dim" }, row.phase) : null,
      el("span", { class: "number" }, row.number === null ? "" : String(row.number),
        row.turned ? el("span", { class: "turned" }, "\u21c5", el("span", { class: "unseen" }, " order differs")) : null),
      label, trackOf(player, lanes, row, before),
      row.breaks && player.breaks ? el("p", { class: "note breaks" }, "\u2717 " + player.breaks) : null);
  }
  /** @param {Lanes} lanes */
  function headsOf(lanes) {
    return el("div", { class: "heads" }, lanes.lanes.filter((lane) => lane.shown).map((lane) => {
      const head = el("span", { class: lane.kind === "lane" ? "head " + colour(lane.number) : "head layer", title: lane.name }, lane.name);
      head.style.left = lane.left + "px";
      head.style.width = lane.width + "px";
      return head;
    }));
  }
  /** @param {Lanes} lanes */
  function linesOf(lanes) {
    return draw("svg", { class: "lines", "aria-hidden": "true", focusable: "false", width: lanes.width() },
      lanes.lanes.filter((lane) => lane.shown).map((lane) => draw("line",
        { class: lane.kind === "lane" ? "lane" : "lane layer", x1: lane.x, x2: lane.x, y1: 0, y2: "100%" })));
  }

  /** @typedef {ReturnType<typeof laneOf>} Lanes */
  /** @typedef {ReturnType<typeof playerOf>} Shown */

  /** @param {Player} player */
  function storedOf(player) {  // a table reads raw values better than a title, and a keyboard gets there
    return player.stored.length ? folded("Values as they are stored", el("dl", { class: "pairs stored" }, player.stored.map(([text, form, raw]) =>
      el("div", {}, el("dt", { class: "mono" }, text, el("span", { class: "dim" }, " " + form)), el("dd", { class: "mono" }, raw))))) : null;
  }

  // -- a player ----------------------------------------------------------------------------
  /** @param {Player} player @param {string} kind @param {string} name @param {Children} said @param {Source[]} sources */
  function playerOf(player, kind, name, said, sources) {
    const last = player.rows.length - 1;
    const breaking = player.rows.findIndex((row) => row.breaks);
    const lanes = laneOf(player);
    let now = 0;
    /** @type {ReturnType<typeof setInterval> | null} */
    let timer = null;
    /** @type {HTMLLIElement[]} */
    let rows = [];
    /** @type {Follow} */
    let follow = () => {};
    const code = codeOf(sources);
    const way = el("p", { class: "way dim" });
    const live = el("p", { class: "live", "aria-live": "polite", "aria-atomic": "true" });
    const range = el("input", { type: "range", min: 0, max: last, value: 0, "aria-label": "Step" });
    const play = button("Play", { "data-act": "play" }, () => (timer === null ? start() : stop()));
    const back = button("Back", { "data-act": "back" }, () => step(-1));
    const forward = button("Forward", { "data-act": "forward" }, () => step(1));
    const box = el("div", { class: "steps", tabindex: 0, role: "group", "aria-label": "Steps of " + name });
    const all = el("input", { type: "checkbox", "data-act": "all" });
    const hidden = lanes.hidden.length ? el("label", { class: "both" }, all,
      "Show what plays no part (" + lanes.hidden.join(", ") + ")") : null;
    /** @param {Row} row */
    const isHidden = (row) => row.lane !== null && !lanes.find("lane", row.lane);

    function build() {
      lanes.placed(all.checked);
      rows = player.rows.map((row, at) => rowOf(player, lanes, row, at ? player.rows[at - 1] : null));
      rows.forEach((row, number) => {
        row.hidden = isHidden(player.rows[number]);
        row.addEventListener("click", () => go(number));
      });
      const stage = el("div", { class: "stage" }, headsOf(lanes), linesOf(lanes), el("ol", { class: "rows" }, rows));
      stage.style.minWidth = lanes.width() + 8 + "px";
      box.replaceChildren(stage);
    }
    /** @param {Stop[]} found */
    function light(found) {
      for (const lit of box.querySelectorAll(".lit")) { lit.classList.remove("lit"); }
      if (found.length < 2) { return; }
      for (const { row, column } of found) {
        const cell = column < 0 ? null : rows[row].querySelector(`[data-column="${column}"]`);
        rows[row].classList.add("lit");
        if (cell) { cell.classList.add("lit"); }
      }
    }
    /** @param {Stop[]} found */
    function tell(found) { way.replaceChildren(); put(way, [wayInWords(player, found)]); light(found); }
    /** @param {number} number */
    function show(number) {
      now = Math.max(0, Math.min(last, number));
      const row = player.rows[now];
      live.textContent = sentences(player, row);
      rows.forEach((one, at) => {
        one.className = [at === now ? "now" : at > now ? "later" : "", player.rows[at].breaks ? "breaks" : ""].join(" ").trim();
        if (at === now) { one.setAttribute("aria-current", "step"); } else { one.removeAttribute("aria-current"); }
      });
      tell(wayOfStep(player, now));
      code.show(row);
      range.value = String(now);
      range.setAttribute("aria-valuetext", titleOf(player, row));
      back.disabled = next(-1) === now;
      forward.disabled = next(1) === now;
      box.scrollTop = rows[now].offsetTop + rows[now].offsetHeight - box.clientHeight / 2;
    }
    /** @param {number} number */
    function move(number) { live.setAttribute("aria-live", timer === null ? "polite" : "off"); show(number); follow(now); }
    /** @param {number} number */
    function go(number) { stop(); move(number); }
    /** @param {number} by @param {number} [from] */
    function next(by, from) {  // folded rows are passed over
      let at = (from === undefined ? now : from) + by;
      while (at >= 0 && at <= last && isHidden(player.rows[at])) { at += by; }
      return at < 0 || at > last ? now : at;
    }
    /** @param {number} by */
    function step(by) { go(next(by)); }
    function start() {
      play.textContent = "Pause";
      live.setAttribute("aria-live", "off");  // a step a second is too fast to be read out
      timer = setInterval(() => { move(next(1)); if (next(1) === now) { stop(); } }, 1200);
      if (next(1) === now) { move(0); }
    }
    function stop() {
      if (timer !== null) { clearInterval(timer); }
      timer = null;
      live.setAttribute("aria-live", "polite");
      play.textContent = "Play";
    }
    box.addEventListener("mouseover", (event) => {  // the way of the value under the pointer
      const cell = event.target instanceof Element ? /** @type {HTMLElement | null} */ (event.target.closest(".cell")) : null;
      const at = cell ? rows.findIndex((row) => row.contains(cell)) : -1;
      tell(cell && at >= 0 ? wayOfCell(player, at, Number(cell.dataset.column)) : wayOfStep(player, now));
    });
    box.addEventListener("mouseleave", () => tell(wayOfStep(player, now)));
    all.addEventListener("change", () => { build(); show(now); });
    range.addEventListener("input", () => go(Number(range.value)));
    /** @type {Record<string, () => void>} */
    const keys = { ArrowRight: () => step(1), ArrowLeft: () => step(-1),
      Home: () => go(next(1, -1)), End: () => go(next(-1, last + 1)), " ": () => play.click() };
    const node = el("div", { class: "player " + kind, role: "group", tabindex: 0,
      "aria-label": "Player of " + name + "; arrow keys step, space plays" },
      el("header", {}, badge(kind === "fails" ? "violated" : "holds", kind === "fails" ? "FAILS" : "PASSES"),
        el("h4", {}, kind === "fails" ? "The smallest that fails" : "The nearest that passes")),
      said,
      el("div", { class: "controls" }, back, play, forward, range,
        breaking < 0 ? null : button("Where it breaks", { "data-act": "part" }, () => go(breaking))),
      live, box, hidden, way, code.box,
      storedOf(player),
      el("p", { class: "left dim" }, player.left_out));
    node.addEventListener("keydown", (event) => {
      const own = event.target === range || event.target === all
        || (event.key === " " && event.target !== node && event.target !== box);
      if (own || !keys[event.key] || event.ctrlKey || event.altKey || event.metaKey) { return; }
      event.preventDefault();
      keys[event.key]();
    });
    build();
    return { node, go, last, stop, breaking, width: lanes.width(), refresh: () => show(now),
      /** @param {number} at */
      stepAt: (at) => player.rows[at].step,
      /** @param {string} wanted */
      rowOfStep: (wanted) => player.rows.findIndex((row) => row.step === wanted),
      /** @param {number} number */
      quiet: (number) => { stop(); live.setAttribute("aria-live", "off"); show(number); },
      /** @param {Follow} act */
      followed: (act) => { follow = act; } };
  }
  /** @param {Shown} one @param {Shown} other @returns {Follow} */
  function together(one, other) {  // they stand at the same event, or at the last that both have passed
    return (number) => {
      for (let at = number; at >= 0; at -= 1) {
        const wanted = one.stepAt(at), found = wanted === null ? -1 : other.rowOfStep(wanted);
        if (found >= 0) { other.quiet(found); return; }
      }
      other.quiet(Math.min(number, other.last));
    };
  }

  // -- a conflict ----------------------------------------------------------------------------
  /** @param {Order[]} orders @param {Follow | null} go @returns {Children[]} */
  function ordersOf(orders, go) {
    /** @param {string} text @param {number | null} row @returns {Children} */
    const step = (text, row) => [el("span", { class: "mono" }, text),
      go === null || row === null ? null : button("show", { class: "to" }, () => go(row))];
    return orders.map(([first, at, second, after], number) => [
      number ? ", and " : "", step(first, at), " comes before ", step(second, after)]);
  }
  /** @param {Conflict} found @param {Follow | null} go */
  function forcedOf(found, go) {
    if (!found.forced.length) { return found.other.length ? el("div", { class: "forced" }, list(found.other)) : null; }
    return el("div", { class: "forced" },
      el("h4", {}, found.forced_by_all ? "It fails exactly when" : "It fails when (as far as was executed)"),
      el("ul", {}, found.forced.map((orders, number) => el("li", {}, number ? "or when " : "",
        orders.length ? ordersOf(orders, number ? null : go) : "whatever the order of the steps"))));
  }
  /** @param {Conflict} found @param {Follow | null} go */
  function stripOf(found, go) {
    if (!found.strip.length) { return null; }
    return el("ol", { class: "strip", "aria-label": "What happened" }, found.strip.map(([text, number, row, lane, breaks]) => {
      const name = ["card-of-step", breaks ? "breaks" : "", lane === null ? "" : colour(lane)].join(" ").trim();
      const [source] = row === null || !found.player ? [] : found.player.rows[row].source.slice(-1).map((one) => found.sources[one]);
      const inside = [number === null ? null : el("span", { class: "number" }, String(number)), " ", el("span", {}, text),
        source ? el("span", { class: "place mono dim", title: source.place }, source.place.split("/").slice(-1)) : null];
      return el("li", { class: name }, row === null || go === null ? el("div", {}, inside)
        : button(el("span", {}, inside), { class: "plain", "data-act": "strip" }, () => go(row)));
    }));
  }
  /** @param {Conflict} found @returns {Child} both interleavings in one table */
  function comparisonOf(found) {
    const fails = found.player, passes = found.passing;
    if (!fails || !passes || !found.compared.length) { return null; }
    /** @param {Player} player @param {number | null} at @param {boolean} [unnumbered] */
    const told = (player, at, unnumbered) => at === null ? "" : [
      titleOf(player, unnumbered ? { ...player.rows[at], number: null } : player.rows[at]), player.rows[at].answers.map((text) => ", " + answered(text)),
      player.rows[at].breaks && player.breaks ? el("span", { class: "note breaks" }, "\u2717 " + player.breaks) : null];
    /** @param {Player} player @param {number | null} at */
    const mine = (player, at) => at === null || player.rows[at].lane === null ? null : colour(Number(player.rows[at].lane));
    /** @param {Player} player @param {number} at */
    const saying = (player, at) => { const row = player.rows[at]; return JSON.stringify([row.text, row.answers, row.breaks]); };
    return el("details", { class: "comparison" }, el("summary", {}, "Compare both, line by line"), el("div", { class: "scrolled", tabindex: 0,
      role: "group", "aria-label": "Comparison" }, el("table", {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "fails"), el("th", { scope: "col" }, "passes"))),
      el("tbody", {}, found.compared.map(([one, other]) => {
        if (one !== null && other !== null && saying(fails, one) === saying(passes, other)) {
          const moved = fails.rows[one].number !== passes.rows[other].number;
          return el("tr", { class: "common" }, el("td", { colspan: 2, class: mine(fails, one) }, told(fails, one, moved)));
        }
        const name = one !== null && other !== null && fails.rows[one].step === passes.rows[other].step ? "other" : "swapped";
        return el("tr", { class: name }, el("td", { class: mine(fails, one) }, told(fails, one)),
          el("td", { class: mine(passes, other) }, told(passes, other)));
      })))));
  }
  // -- another order of the steps ------------------------------------------------------------
  /** @param {bigint} bits */
  function countOf(bits) {
    let count = 0;
    for (let left = bits; left; left &= left - 1n) { count += 1; }
    return count;
  }
  /** @param {Tried} tried @param {number[]} order rows, in the order to be tried @returns {string} what became of it */
  function becameOf(tried, order) {
    const all = (1n << BigInt(tried.count)) - 1n, failing = BigInt("0x" + tried.failing);
    if (order.every((row, at) => row === tried.rows[at])) { return "It fails: this is the order that was found."; }
    let kept = all, moved = false;
    for (const [first, second, as, reversed] of tried.orders) {
      const isAs = order.indexOf(first) < order.indexOf(second);
      kept &= ~BigInt("0x" + (isAs ? reversed : as)) & all;
      moved = moved || !isAs;
    }
    const count = countOf(kept), failed = countOf(kept & failing);
    const those = count === 1 ? "The one interleaving that keeps this order" : `Each of the ${count} interleavings that keep this order`;
    if (!moved) { return "It fails: only steps that do not depend on each other have changed places."; }
    if (!count) { return tried.all ? "It cannot happen: none of all interleavings has this order." : "Not executed."; }
    if (!failed) { return `It passes. ${those} passes.`; }
    if (failed === count) { return `It fails. ${those} fails.`; }
    return `It depends on what comes then: ${failed} of the ${count} interleavings that keep this order fail.`;
  }
  /** @param {string} token @param {number[]} rows in the order as it fails @param {number[]} order @param {Player} player */
  function tokenOf(token, rows, order, player) {  // the same token, with the users in another order
    const [, begin, runs, rest] = /^([^:]*:[^:]*:)([^;]*)(.*)$/.exec(token) || ["", "", "", ""];
    const moves = runs.split(",").flatMap((run) => {
      const [name, times] = run.split("*");
      return Array(Number(times || 1)).fill(name);
    });
    /** @param {number} row */
    const place = (row) => Number(player.rows[row].number) - 1;
    const turns = [...moves];
    rows.forEach((row, at) => { turns[place(row)] = moves[place(order[at])]; });
    /** @type {[string, number][]} */
    const again = [];
    for (const name of turns) {
      const last = again[again.length - 1];
      if (last && last[0] === name) { last[1] += 1; } else { again.push([name, 1]); }
    }
    return begin + again.map(([name, times]) => (times > 1 ? name + "*" + times : name)).join(",") + rest;
  }
  /** @param {Conflict} found @param {Tried} tried @param {Player} player */
  function reorderingOf({ token, command }, tried, player) {
    let order = [...tried.rows];
    const said = el("p", { class: "became", "aria-live": "polite" });
    const steps = el("ol", { class: "order" });
    const more = el("div", {});
    /** @param {number} at @param {number} by */
    function move(at, by) {
      const [row] = order.splice(at, 1);
      order.splice(at + by, 0, row);
      show();
      const same = /** @type {HTMLButtonElement | null} */ (steps.children[at + by].querySelector(`[data-act="${by < 0 ? "earlier" : "later"}"]:enabled`));
      (same || /** @type {HTMLElement} */ (steps.children[at + by].querySelector("button:enabled") || steps)).focus();
    }
    function show() {
      steps.replaceChildren(...order.map((row, at) => {
        const { lane } = player.rows[row], name = titleOf(player, { ...player.rows[row], number: null });
        /** @param {number} by @param {string} text @param {string} act */
        const mover = (by, text, act) => {
          const node = button(text, { class: "to", "data-act": act, "aria-label": `Move ${act}: ${name}` }, () => move(at, by));
          const other = order[at + by];
          node.disabled = other === undefined || player.rows[other].lane === lane;  // a user's own steps keep their order
          return node;
        };
        return el("li", { class: lane === null ? null : colour(lane) }, mover(-1, "\u2191", "earlier"), mover(1, "\u2193", "later"),
          el("span", {}, name));
      }));
      const text = becameOf(tried, order);
      said.textContent = text;
      said.className = "became " + (text.startsWith("It fails") ? "bad" : text.startsWith("It passes") ? "good" : "");
      more.replaceChildren();
      if (token && command && text === "Not executed.") {
        const own = command[1].replace(token[1], tokenOf(token[1], tried.rows, order, player));
        put(more, [copied("command", [own, own])]);
      }
    }
    show();
    return el("details", { class: "reorder" }, el("summary", {}, "Try another order"),
      el("p", { class: "dim" }, "Move a step up or down to see whether that order passes or fails. "
        + (tried.all ? `All ${tried.count.toLocaleString("en")} interleavings were executed.`
          : `${tried.count.toLocaleString("en")} interleavings were executed, not all.`)),
      steps, said, more, button("As it fails", { "data-act": "reset" }, () => { order = [...tried.rows]; show(); }));
  }
  /** @param {Variant} variant @param {Conflict} found @param {boolean} isOpen */
  function conflictOf(variant, found, isOpen) {
    const name = variant.id;
    /** @type {Shown[] | null} */
    let players = null;
    const place = el("div", {});
    if (!found.player) {
      place.append("Its steps are left out, because the page would get too big. They are in verdict.json.");
    }
    const box = el("details", { class: "stepping" }, el("summary", {}, found.passing
      ? "Step through it, beside the nearest interleaving that passes" : "Step through the failing interleaving"), place);
    function build() {
      if (players || !found.player) { return players || []; }
      const fails = playerOf(found.player, "fails", name + ", failing", el("p", { class: "dim said" }, found.replays), found.sources);
      players = [fails];
      if (found.passing) {
        const said = el("p", { class: "dim said" }, found.turned.length
          ? ["Here ", ordersOf(found.turned.slice(0, 2), null),
            found.turned.length > 2 ? `, and ${found.turned.length - 2} more orders differ` : "", "."]
          : "Here steps come in another order.");
        const passes = playerOf(found.passing, "passes", name + ", passing", said, found.sources);
        players.push(passes);
        const both = el("input", { type: "checkbox" });
        both.checked = true;
        const toPasses = together(fails, passes), toFails = together(passes, fails);
        fails.followed((number) => { if (both.checked) { toPasses(number); } });
        passes.followed((number) => { if (both.checked) { toFails(number); } });
        place.append(el("label", { class: "both" }, both, "Step through both together"));
      }
      const pair = el("div", { class: "pair" }, players.map((one) => one.node));
      const widest = Math.max(...players.map((one) => one.width)), least = Math.max(480, widest + 40);
      pair.style.setProperty("--least", least + "px");
      pair.style.setProperty("--wide", widest + 12 + "px");
      const beside = PAPER / (players.length * (least + GAP));  // on paper both stand side by side, if one can read them
      pair.style.setProperty("--printed", String(beside < READABLE ? 0.55 : Math.min(0.7, beside)));
      new ResizeObserver(() => {  // where they stand below each other, the code may stand beside the steps
        const isBeside = Boolean(found.passing) && pair.clientWidth >= 2 * least + GAP;
        pair.classList.toggle("roomy", !isBeside && pair.clientWidth > widest + BESIDE);
      }).observe(pair);
      place.append(pair, el("p", { class: "legend" },
        "A dot is a step. An arrow to a layer: the step writes there; from a layer: it reads. A box on the line of a layer: what it holds "
        + "from this step on. An arrow that ends in a cross: a message that never arrives. Stale: not what the origin holds at that moment; red from the step on that breaks the guarantee. A purple frame: "
        + "a stop of the value on its way. "
        + "\u21c5: it comes earlier or later in the other interleaving."));
      players[0].go(Math.max(0, players[0].breaking));
      return players;
    }
    /** @param {number} row */
    function go(row) { box.open = true; build()[0].go(row); build()[0].node.scrollIntoView({ block: "nearest" }); }
    box.addEventListener("toggle", () => { if (box.open) { build().forEach((one) => one.refresh()); } });
    if (isOpen && found.player) { box.open = true; build(); }
    const node = el("article", { class: "conflict", id: variant.anchor === variant.group ? null : variant.anchor },
      el("header", {}, el("h3", {}, badgeOf(variant), " ", variant.name),
        found.slug ? el("span", { class: "slug" }, "class " + found.slug) : null,
        el("a", { class: "anchor", href: "#" + variant.anchor }, "link to this conflict")),
      el("p", { class: "summary" }, found.summary),
      stripOf(found, found.player ? go : null),
      pairs(found.advice, "advice"),
      found.player ? box : place,
      forcedOf(found, found.player ? go : null),
      comparisonOf(found),
      found.tried && found.player ? reorderingOf(found, found.tried, found.player) : null,
      folded("More about it", pairs(found.told, "pairs told")),
      copied("command", found.command), copied("token", found.token),
      el("p", { class: "sharing" }, copying("Copy as Markdown", "copy-markdown", () => found.markdown)));
    conflicts.set(variant.id, (step) => {
      const row = step === null || !found.player ? -1 : found.player.rows.findIndex((one) => String(one.number) === step);
      if (row >= 0) { go(row); } else { box.open = true; build(); }
      node.scrollIntoView();
    });
    return node;
  }

  // -- variants side by side -------------------------------------------------------------------
  /** @param {number | null} percent */
  function bar(percent) {
    if (percent === null) { return null; }
    const part = percent > 0 ? Math.max(percent, 1) : 0;  // a small share must be seen, too
    return draw("svg", { class: "bar", viewBox: "0 0 100 1", preserveAspectRatio: "none", role: "img",
      "aria-label": percent + " % of schedules fail" },
      draw("rect", { class: "all", width: 100, height: 1 }), draw("rect", { class: "part", width: part, height: 1 }));
  }
  /** @param {Variant} variant */
  function cardOf(variant) {
    return el("article", { class: "card " + variant.verdict },
      el("header", {}, el("h3", {}, variant.name), badgeOf(variant)),
      el("p", { class: "expected" }, variant.expected),
      bar(variant.percent), el("p", {}, variant.share),
      list(variant.why),
      folded("What was covered", el("p", { class: "coverage" }, variant.coverage), pairs(variant.counts),
        pairs(variant.facts), list(variant.links.map(link))));
  }
  /** @param {Group} group @param {boolean} isFirst */
  function scenarioOf(group, isFirst) {
    const box = el("details", { class: "scenario", id: group.anchor }, el("summary", {},
      el("h2", {}, group.id === group.title ? null : [el("span", { class: "id" }, group.id), " "], group.title),
      el("span", { class: "verdicts" }, group.variants.map(
        (one) => [badgeOf(one, group.variants.length > 1 || one.name !== one.id ? one.name : ""),
          one.since ? el("span", { class: "since" }, one.since) : null]))));
    let built = false;
    function build() {
      if (built) { return; }
      built = true;
      /** @type {[Variant, Conflict][]} */
      const own = [];
      for (const variant of group.variants) { if (variant.conflict) { own.push([variant, variant.conflict]); } }
      put(box, [group.story ? el("p", { class: "story" }, group.story) : null,
        own.map(([variant, conflict], number) => conflictOf(variant, conflict, number === 0)),
        el("div", { class: "variants" }, group.variants.map(cardOf))]);
    }
    box.addEventListener("toggle", () => { if (box.open) { build(); } });
    const open = () => { box.open = true; build(); };
    if (isFirst) { open(); }
    views.set(group.anchor, () => { open(); box.scrollIntoView(); });
    for (const variant of group.variants) {
      if (variant.conflict) { views.set(variant.anchor, (step) => { open(); (conflicts.get(variant.id) || open)(step); }); }
    }
    const words = [group.id, group.title, group.variants.map((one) => [one.id, one.verdict, one.guarantee || "",
      one.conflict ? one.conflict.slug || "" : "", one.facts.flat()])].flat(Infinity).join(" ").toLowerCase();
    return { node: box, words, group };
  }

  // -- the list of scenarios -----------------------------------------------------------------
  /** @type {Record<string, (one: Variant) => boolean>} */
  const KINDS = {
    "all": () => true,
    "not as expected": (one) => !one.as_stated,
    "violated": (one) => one.verdict === "violated",
    "holds": (one) => one.verdict === "holds",
    "unknown": (one) => one.verdict === "unknown",
    "changed since the last run": (one) => one.since !== "",
  };
  /** @param {Scenario[]} scenarios */
  function filterOf(scenarios) {
    if (scenarios.length < TABLE_FROM) { return null; }
    const words = el("input", { type: "search", "aria-label": "Search scenarios", placeholder: "Search: id, title, system, class, owner, tag" });
    const kind = el("select", { "aria-label": "Which scenarios" }, Object.keys(KINDS).slice(0, data.since ? undefined : -1).map((name) => el("option", { value: name }, name)));
    const count = el("span", { class: "dim", "aria-live": "polite" });
    function apply() {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const one of scenarios) {
        const fits = wanted.every((word) => one.words.includes(word)) && one.group.variants.some(KINDS[kind.value]);
        one.node.hidden = !fits;
        shown += fits ? 1 : 0;
      }
      count.textContent = shown + " of " + scenarios.length + " scenarios";
    }
    words.addEventListener("input", apply);
    kind.addEventListener("change", apply);
    apply();
    return el("div", { class: "filter", role: "search" }, words, kind, count);
  }

  // -- the decision ----------------------------------------------------------------------------
  /** @param {Waiver} waiver */
  function waiverOf(waiver) {
    return el("article", { class: "card waiver" },
      el("header", {}, el("h2", {}, waiver.id), badge("unknown", waiver.left)),
      el("p", {}, waiver.workaround), pairs(waiver.facts));
  }
  function banner() {
    const gate = data.gate;
    return el("div", { class: "banner " + data.kind },
      el("h1", {}, gate ? gate.verdict : data.headline),
      gate ? [el("p", {}, data.headline), list(gate.reasons)] : null,
      data.since ? el("p", {}, data.since) : null,
      gate && gate.waivers.length ? el("div", { class: "variants" }, gate.waivers.map(waiverOf)) : null,
      gate ? gate.said.map(([title, lines]) => folded(title, list(lines))) : null,
      data.groups.length ? null : el("p", {}, "So nothing was proved. Scenarios are files named *.supercache.yaml; "
        + "the command \u201csupercache new\u201d writes one."));
  }

  const scenarios = data.groups.map((group, number) => scenarioOf(group, number === 0));
  document.title = data.title;
  byId("page").replaceChildren(
    banner(),
    el("dl", { class: "about" }, data.about.map(
      ([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    filterOf(scenarios) || "",
    ...scenarios.map((one) => one.node));
  function decoded(/** @type {string} */ text) {
    try {
      return decodeURIComponent(text);
    } catch (malformed) {  // somebody has typed it
      return text;
    }
  }
  function follow() {
    const wanted = decoded(window.location.hash.slice(1));
    const [, anchor, step] = /^(.*?)(?:\/step-(\d+))?$/s.exec(wanted) || ["", "", ""];
    const open = views.get(anchor);
    if (open) { open(step || null); }
  }
  window.addEventListener("hashchange", follow);
  follow();
  window.addEventListener("beforeprint", () => {
    for (const box of document.querySelectorAll(".scenario[open] details")) { box.setAttribute("open", ""); }
  });
})();
