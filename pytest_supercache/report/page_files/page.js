
"use strict";
(function () {
  // Everything here comes from the code under test: it is set as text and as nothing else.
  const data = JSON.parse(document.getElementById("data").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const LANE = 145, LEFT = 32, TOP = 34, LINE = 15, LABEL_MAX = 34, VALUE_MAX = 20;
  const builders = [];

  function put(node, children) {
    for (const child of children.flat(Infinity)) {
      if (child !== null && child !== undefined && child !== "") {
        node.append(child);  // a string becomes a text node
      }
    }
    return node;
  }
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const name in attributes) { node.setAttribute(name, attributes[name]); }
    return put(node, children);
  }
  function draw(tag, attributes, ...children) {
    const node = document.createElementNS(SVG, tag);
    for (const name in attributes) { node.setAttribute(name, attributes[name]); }
    return put(node, children);
  }
  function cut(text, limit) {
    return text.length <= limit ? text : text.slice(0, limit - 3) + "...";
  }
  function button(text, name, act) {
    const node = el("button", { type: "button", "data-act": name }, text);
    node.addEventListener("click", act);
    return node;
  }
  function facts(pairs) {
    return pairs.length
      ? el("dl", {}, pairs.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]))
      : null;
  }
  function badge(verdict) {
    return el("span", { class: "badge " + verdict }, verdict.toUpperCase());
  }
  function link([kind, where]) {
    const safe = /^https?:\/\//.test(where);  // no javascript:, no data:
    const shown = safe
      ? el("a", { href: where, rel: "noopener noreferrer" }, where)
      : el("span", {}, where);
    return el("li", {}, kind + ": ", shown);
  }

  function copied(what, pair) {
    if (!pair) { return null; }
    const node = button("Copy " + what, "copy-" + what, async () => {
      let done = true;
      try {
        await navigator.clipboard.writeText(pair[1]);
      } catch (refused) {
        const area = el("textarea", { "aria-label": what });
        area.value = pair[1];
        document.body.append(area);
        area.select();
        done = document.execCommand("copy");
        area.remove();
      }
      node.textContent = done ? "Copied" : "Select the text to copy it";
      setTimeout(() => { node.textContent = "Copy " + what; }, 1500);
    });
    return el("div", { class: "copy" }, el("code", {}, pair[0]), node);
  }

  // -- one step in words -------------------------------------------------------------------
  function title(player, frame) {
    const number = frame.number === null ? "" : frame.number + ". ";
    const who = frame.lane === null ? "" : player.actors[frame.lane] + ": ";
    return number + who + frame.text;
  }
  function cellName(player, at) {
    const [place, key] = player.cells[at];
    return player.places[place] + " " + key;
  }
  function markOf(frame, at) {
    const mark = frame.apart.find(([cell]) => cell === at);
    return mark ? (mark[1] ? "stale: not what the origin holds" : "the layers differ") : "";
  }
  function sentences(player, frame) {
    const said = [title(player, frame) + "."];
    if (frame.phase) { said.push("This is " + frame.phase + "."); }
    if (frame.calls.length) { said.push("Begins: " + frame.calls.join(", ") + "."); }
    if (frame.answers.length) { said.push("Ends: " + frame.answers.join(", ") + "."); }
    for (const at of frame.changed) {
      const mark = markOf(frame, at);
      said.push(cellName(player, at) + " is now " + frame.values[at]
        + (mark ? " (" + mark + ")" : "") + ".");
    }
    if (frame.parts) { said.push("From this step on the layers never agree again."); }
    return said.join(" ");
  }

  // -- the lanes ---------------------------------------------------------------------------
  function x(player, kind, number) {
    return LEFT + LANE * (kind === "actor" ? number : player.actors.length + number);
  }
  function arrow(from, to, y, written) {
    const [start, end] = written ? [from, to] : [to, from];
    const way = end > start ? -1 : 1;
    return [
      draw("path", { class: "arrow", d: `M${start} ${y}H${end}` }),
      draw("path", { class: "tip", d: `M${end} ${y}l${way * 9} -4v8z` }),
    ];
  }
  function rowOf(player, frame, y, height, width) {
    const row = draw("g", {}, draw("rect", { class: "row", x: 0, y, width, height }));
    const line = y + height - 13;
    const at = frame.lane === null ? null : x(player, "actor", frame.lane);
    const left = at === null ? 8 : at + 8;
    if (frame.parts) {
      row.append(draw("path", { class: "parts", d: `M0 ${y}H${width}` }));
      row.append(draw("text", { x: 4, y: line + 4, class: "stale" }, "\u21af"));
    }
    for (const [kind, number, written] of frame.arrows) {
      row.append(...arrow(at, x(player, kind, number), line, written));
    }
    if (at !== null) { row.append(draw("circle", { class: "dot", cx: at, cy: line, r: 4 })); }
    frame.calls.forEach((text, n) => row.append(
      draw("text", { x: left, y: y + 14 + n * LINE, class: "head" }, cut(text, LABEL_MAX))));
    const number = frame.number === null ? "" : frame.number + " ";
    row.append(draw("text", { x: left, y: line - 6 }, number + cut(frame.text, LABEL_MAX)));
    frame.answers.forEach((text) => row.append(
      draw("text", { x: left, y: line + 11, class: "small" }, cut(text, LABEL_MAX))));
    const shown = new Set([...frame.changed, ...frame.apart.map(([cell]) => cell)]);
    const perPlace = {};
    for (const cell of shown) {
      const place = player.cells[cell][0];
      perPlace[place] = (perPlace[place] || 0) + 1;
      if (perPlace[place] > 1) { continue; }  // the table below has them all
      const stale = markOf(frame, cell);
      row.append(draw("text", {
        x: x(player, "place", place) + 8, y: line + 11, class: stale ? "stale" : "small",
      }, (stale ? "\u2260 " : "") + cut(frame.values[cell], VALUE_MAX)));
    }
    return row;
  }
  function lanes(player, go) {
    const width = LEFT + LANE * (player.actors.length + player.places.length);
    let y = TOP;
    const rows = player.frames.map((frame) => {
      const height = 44 + LINE * frame.calls.length;
      const row = rowOf(player, frame, y, height, width);
      y += height;
      return row;
    });
    const heads = [];
    const head = (kind) => (name, number) => {
      const at = x(player, kind, number);
      const line = kind === "place" ? "lane layer" : "lane";
      heads.push(draw("path", { class: line, d: `M${at} ${TOP - 6}V${y}` }));
      heads.push(draw("text", { class: "head", x: at - 4, y: 18 }, cut(name, 22)));
    };
    player.actors.forEach(head("actor"));
    player.places.forEach(head("place"));
    const picture = draw("svg", { width, height: y + 4, viewBox: `0 0 ${width} ${y + 4}`,
      role: "img", "aria-label": "The steps in the lanes of users and layers, from top to bottom; "
        + "the text and the table tell the same step by step" }, heads, rows);
    rows.forEach((row, number) => row.addEventListener("click", () => go(number)));
    return { picture, rows };
  }

  // -- the player --------------------------------------------------------------------------
  function playerOf(player, name) {
    const last = player.frames.length - 1;
    const parting = player.frames.findIndex((frame) => frame.parts);
    let now = 0, timer = null;
    const live = el("p", { class: "live", "aria-live": "polite", "aria-atomic": "true" });
    const body = el("tbody", {});
    const range = el("input", { type: "range", min: 0, max: last, value: 0, "aria-label": "Step" });
    const play = button("Play", "play", () => (timer === null ? start() : stop()));
    const back = button("Back", "back", () => step(-1));
    const forward = button("Forward", "forward", () => step(1));
    const { picture, rows } = lanes(player, (number) => { stop(); show(number); });
    const box = el("div", { class: "lanes", tabindex: 0, role: "region",
      "aria-label": "Lanes of " + name }, picture);

    function show(number) {
      now = Math.max(0, Math.min(last, number));
      const frame = player.frames[now];
      live.textContent = "Step " + now + " of " + last + ". " + sentences(player, frame);
      body.replaceChildren(...player.cells.map(([place, key], at) => {
        const mark = markOf(frame, at);
        const changed = frame.changed.includes(at);
        return el("tr", mark ? { class: "differs" } : {},
          el("th", { scope: "row" }, player.places[place] + " ", el("span", { class: "key" }, key)),
          el("td", { class: changed ? "mono changed" : "mono" }, frame.values[at]),
          el("td", {}, [changed ? "changed" : "", mark].filter(Boolean).join("; ")));
      }));
      rows.forEach((row, at) => row.setAttribute(
        "class", at === now ? "now" : at > now ? "later" : ""));
      range.value = now;
      range.setAttribute("aria-valuetext", title(player, frame));
      back.disabled = now === 0;
      forward.disabled = now === last;
      const place = rows[now].firstChild;
      box.scrollTop = Number(place.getAttribute("y")) - box.clientHeight / 2;
      if (frame.lane !== null) {
        box.scrollLeft = x(player, "actor", frame.lane) - box.clientWidth / 3;
      }
    }
    function step(by) { stop(); show(now + by); }
    function start() {
      if (now === last) { show(0); }
      live.setAttribute("aria-live", "off");  // a step a second is too fast to be read out
      play.textContent = "Pause";
      timer = setInterval(() => { show(now + 1); if (now === last) { stop(); } }, 1200);
    }
    function stop() {
      if (timer !== null) { clearInterval(timer); }
      timer = null;
      live.setAttribute("aria-live", "polite");
      play.textContent = "Play";
    }
    range.addEventListener("input", () => { stop(); show(Number(range.value)); });
    const keys = { ArrowRight: () => step(1), ArrowLeft: () => step(-1),
      Home: () => { stop(); show(0); }, End: () => { stop(); show(last); },
      " ": () => play.click() };
    const node = el("div", { class: "player", role: "group", tabindex: 0,
      "aria-label": "Player of " + name + "; arrow keys step, space plays" },
      el("div", { class: "controls" }, back, play, forward, range,
        parting < 0 ? null : button("Where they part", "part", () => { stop(); show(parting); })),
      live,
      el("table", {}, el("caption", {}, "What each layer holds after this step"),
        el("thead", {}, el("tr", {}, ["layer", "value", "note"].map(
          (text) => el("th", { scope: "col" }, text)))), body),
      player.left_out ? el("p", { class: "dim" }, player.left_out) : null,
      box,
      el("p", { class: "dim" }, "An arrow to a layer: the step may write there; from a layer: it may "
        + "read. \u2260: not what the origin holds at that moment; an invalidation may be on its way. \u21af: from here on they never agree again."),
      el("details", {}, el("summary", {}, "All steps as text"),
        el("ol", { start: 0 }, player.frames.map((frame) => el("li", {}, sentences(player, frame))))));
    node.addEventListener("keydown", (event) => {
      const own = event.target === range || (event.key === " " && event.target !== node);
      if (own || !keys[event.key] || event.ctrlKey || event.altKey || event.metaKey) { return; }
      event.preventDefault();
      keys[event.key]();
    });
    return { node, begin: () => show(0) };
  }

  function conflictOf(variant) {
    const found = variant.conflict;
    const box = el("details", { class: "conflict" },
      el("summary", {}, "Play the smallest failing interleaving"));
    let built = false;
    const build = () => {
      if (built) { return; }
      built = true;
      const made = playerOf(found.player, variant.id);
      box.append(made.node);
      made.begin();
    };
    box.addEventListener("toggle", () => { if (box.open) { build(); } });
    builders.push({ box, build, first: !variant.as_stated });
    return [
      el("p", {}, found.summary),
      el("ul", { class: "explain" }, found.explanation.map((line) => el("li", {}, line))),
      found.player.end.length
        ? el("ul", {}, found.player.end.map((line) => el("li", {}, line))) : null,
      el("p", { class: "dim" }, found.replays),
      copied("command", found.command), copied("token", found.token), box,
    ];
  }
  function variantOf(variant) {
    const stated = variant.stated
      ? (variant.as_stated ? "as stated" : "NOT as stated: " + variant.stated)
      : (variant.as_stated ? "" : "nothing else was stated");
    const what = [variant.guarantee, variant.label, stated].filter(Boolean).join(", ");
    return el("div", { class: "variant" },
      el("h3", {}, badge(variant.verdict), variant.id),
      what ? el("p", {}, what) : null,
      el("p", { class: "coverage" }, variant.coverage),
      variant.why.length ? el("ul", {}, variant.why.map((line) => el("li", {}, line))) : null,
      facts(variant.facts),
      variant.links.length ? el("ul", {}, variant.links.map(link)) : null,
      variant.conflict ? conflictOf(variant) : null);
  }
  function overview() {
    const rows = data.groups.map((group, number) => el("tr", {},
      el("td", {}, el("a", { href: "#s" + number }, group.id)), el("td", {}, group.title),
      el("td", {}, group.variants.map((variant) => [badge(variant.verdict), " "]))));
    return el("nav", { "aria-label": "Scenarios" }, el("table", {},
      el("caption", {}, "Scenarios"), el("thead", {}, el("tr", {}, ["id", "title", "verdicts"].map(
        (text) => el("th", { scope: "col" }, text)))), el("tbody", {}, rows)));
  }

  const page = document.getElementById("page");
  page.replaceChildren(
    el("h1", { class: "banner " + (data.as_stated ? "good" : "bad") }, data.headline),
    facts(data.about) || "",
    data.groups.length > 1 ? overview() : "",
    ...data.groups.map((group, number) => el("section", { id: "s" + number },
      el("h2", {}, group.id + (group.title ? ": " + group.title : "")),
      group.story ? el("p", { class: "dim" }, group.story) : null,
      group.variants.map(variantOf))));
  const first = builders.find((one) => one.first) || builders[0];
  if (first) { first.box.open = true; }
  window.addEventListener("beforeprint", () => {
    for (const { box, build } of builders) { build(); box.open = true; }
    for (const node of document.querySelectorAll(".player details")) { node.open = true; }
  });
})();
