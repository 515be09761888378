
"use strict";
(function () {
  // Everything here comes from the code under test: it is set as text and as nothing else.
  const data = JSON.parse(document.getElementById("data").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const HEAD = 92, DOT = 15, HEAD_MAX = 16, COLOURS = 6, NOTHING = "-";
  const prints = [];

  function put(node, children) {
    for (const child of children.flat(Infinity)) {
      if (child !== null && child !== undefined && child !== "") {
        node.append(child);  // a string becomes a text node
      }
    }
    return node;
  }
  function made(node, attributes, children) {
    for (const name in attributes) {
      if (attributes[name] !== null) { node.setAttribute(name, attributes[name]); }
    }
    return put(node, children);
  }
  function el(tag, attributes, ...children) {
    return made(document.createElement(tag), attributes, children);
  }
  function draw(tag, attributes, ...children) {
    return made(document.createElementNS(SVG, tag), attributes, children);
  }
  function cut(text, limit) {
    return text.length <= limit ? text : text.slice(0, limit - 1) + "\u2026";
  }
  function button(text, attributes, act) {
    const node = el("button", { type: "button", ...attributes }, text);
    node.addEventListener("click", act);
    return node;
  }
  function list(lines, name) {
    return lines.length ? el("ul", { class: name || null }, lines.map((line) => el("li", {}, line))) : null;
  }
  function pairs(rows) {
    return rows.length
      ? el("dl", { class: "pairs" }, rows.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]))
      : null;
  }
  function badge(verdict, text) {
    return el("span", { class: "badge " + verdict }, text || verdict.toUpperCase());
  }
  function badgeOf(variant) {  // what was not to be expected is filled
    const node = badge(variant.verdict);
    if (!variant.as_stated) {
      node.classList.add("wrong");
      node.append(el("span", { class: "unseen" }, ", not as stated"));
    }
    return node;
  }
  function valueOf(text, name, limit) {  // a text that is only a dash comes in quotes
    return el("span", { class: text === NOTHING ? name + " none" : name }, text === NOTHING ? "nothing" : cut(text, limit));
  }
  function link([kind, where]) {
    const safe = /^https?:\/\//.test(where);  // no javascript:, no data:
    const shown = safe
      ? el("a", { href: where, rel: "noopener noreferrer" }, where)
      : el("span", {}, where);
    return [kind + ": ", shown];
  }
  function copied(what, pair) {
    if (!pair) { return null; }
    const node = button("Copy " + what, { "data-act": "copy-" + what }, async () => {
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
    return el("div", { class: "copy" },
      el("code", { tabindex: 0, role: "group", "aria-label": what }, pair[0]), node);
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
      const value = frame.values[at];
      said.push(cellName(player, at) + (value === NOTHING ? " now holds nothing" : " is now " + value)
        + (mark ? " (" + mark + ")" : "") + ".");
    }
    if (frame.parts) { said.push("From this step on the layers never agree again."); }
    return said.join(" ");
  }

  // -- the lanes: one per user and per layer, from top to bottom ------------------------------
  function lanesOf(player) {
    const count = player.actors.length + player.places.length;
    const room = window.innerWidth < 640 ? 130 : 250;
    const gap = Math.max(9, Math.min(32, Math.floor(room / Math.max(count, 1))));
    const x = (kind, number) => gap * (kind === "actor" ? number : player.actors.length + number) + gap / 2 + 4;
    return { width: gap * count + 8, x };
  }
  function colour(number) { return "a" + number % COLOURS; }
  function arrow(from, to, written, name) {
    const [start, end] = written ? [from, to] : [to, from];
    const way = end > start ? -1 : 1;
    const tip = end + (written ? 0 : way * 5);  // not under the dot
    return [
      draw("path", { class: "arrow drawn " + name, d: `M${start} ${DOT}H${tip}` }),
      draw("path", { class: "drawn " + name, d: `M${tip} ${DOT}l${way * 6} -3.5v7z` }),
    ];
  }
  function drawn(player, lanes, frame) {
    const lines = [];
    player.actors.forEach((_, number) => lines.push(["actor", number, "lane"]));
    player.places.forEach((_, number) => lines.push(["place", number, "lane layer"]));
    const picture = draw("svg", { "aria-hidden": "true", focusable: "false" }, lines.map(
      ([kind, number, name]) => draw("line",
        { class: name, x1: lanes.x(kind, number), x2: lanes.x(kind, number), y1: 0, y2: "100%" })));
    if (frame.lane !== null) {
      const at = lanes.x("actor", frame.lane);
      for (const [kind, number, written] of frame.arrows) {
        put(picture, arrow(at, lanes.x(kind, number), written, colour(frame.lane)));
      }
      picture.append(draw("circle", { class: "drawn " + colour(frame.lane), cx: at, cy: DOT, r: 4.5 }));
    }
    return picture;
  }
  function heads(player, lanes) {
    const names = [];
    const head = (kind) => (name, number) => {
      const at = lanes.x(kind, number);
      names.push(draw("text", {
        class: kind === "actor" ? "drawn " + colour(number) : null,
        transform: `translate(${at + 3} ${HEAD - 6}) rotate(-52)`,
      }, cut(name, HEAD_MAX)));
    };
    player.actors.forEach(head("actor"));
    player.places.forEach(head("place"));
    return el("div", { class: "heads" },
      draw("svg", { width: lanes.width + 70, height: HEAD, "aria-hidden": "true", focusable: "false" }, names));
  }
  function chips(player, frame) {
    const made = frame.changed.map((at) => {
      const stale = markOf(frame, at);
      const [place, key] = player.cells[at];
      const single = player.cells.every(([, other]) => other === key);
      return el("span", { class: stale ? "chip stale" : "chip" }, stale ? "\u2260 " : "",
        player.places[place] + (single ? "" : " " + key) + " = ", valueOf(frame.values[at], "mono", 60));
    });
    if (frame.turned) {
      made.push(el("span", { class: "chip turned" }, "\u21c5 order differs"));
    }
    if (frame.parts) {
      made.push(el("span", { class: "chip stale" }, "\u21af from here on the layers never agree again"));
    }
    return made;
  }
  function rowOf(player, lanes, frame) {
    const who = frame.lane === null ? null
      : el("span", { class: "who " + colour(frame.lane) }, player.actors[frame.lane]);
    return el("li", {}, drawn(player, lanes, frame),
      el("span", { class: "number" }, frame.number === null ? "" : String(frame.number)), " ",
      who, who ? " " : null, frame.text,
      frame.phase ? el("span", { class: "begins" }, frame.phase) : null,
      frame.calls.map((text) => el("span", { class: "begins" }, "begins " + text)),
      frame.answers.map((text) => el("span", { class: "ends" }, "ends " + text)),
      frame.changed.length || frame.turned || frame.parts ? el("div", {}, chips(player, frame)) : null);
  }
  function tilesOf(player, frame) {
    return player.places.map((place, number) => {
      const own = player.cells.map(([at], cell) => (at === number ? cell : -1)).filter((cell) => cell >= 0);
      const stale = own.some((cell) => markOf(frame, cell));
      return el("li", { class: stale ? "tile stale" : "tile", "data-place": place }, el("strong", {}, place),
        own.length ? null : el("p", { class: "dim" }, "not touched"),
        own.map((cell) => {
          const mark = markOf(frame, cell), changed = frame.changed.includes(cell);
          return el("p", {}, el("span", { class: "key" }, player.cells[cell][1]),
            valueOf(frame.values[cell], changed ? "value changed" : "value", Infinity),
            el("span", { class: "note" }, [changed ? "changed" : "", mark].filter(Boolean).join("; ")));
        }));
    });
  }

  // -- a player ----------------------------------------------------------------------------
  function playerOf(player, kind, name, said) {
    const last = player.frames.length - 1;
    const parting = player.frames.findIndex((frame) => frame.parts);
    const lanes = lanesOf(player);
    let now = 0, timer = null, follow = () => {};
    const live = el("p", { class: "live", "aria-live": "polite", "aria-atomic": "true" });
    const tiles = el("ul", { class: "tiles", "aria-label": "What each layer holds after this step" });
    const range = el("input", { type: "range", min: 0, max: last, value: 0, "aria-label": "Step" });
    const play = button("Play", { "data-act": "play" }, () => (timer === null ? start() : stop()));
    const back = button("Back", { "data-act": "back" }, () => step(-1));
    const forward = button("Forward", { "data-act": "forward" }, () => step(1));
    const rows = player.frames.map((frame) => rowOf(player, lanes, frame));
    rows.forEach((row, number) => row.addEventListener("click", () => go(number)));
    const box = el("div", { class: "steps", tabindex: 0, role: "group", "aria-label": "Steps of " + name },
      heads(player, lanes), el("ol", { class: "rows" }, rows));
    box.style.setProperty("--lanes", lanes.width + "px");

    function show(number) {
      now = Math.max(0, Math.min(last, number));
      const frame = player.frames[now];
      const said = frame.number === now ? { ...frame, number: null } : frame;  // not the same number twice
      live.textContent = "Step " + now + " of " + last + ". " + sentences(player, said);
      put(tiles, [tiles.replaceChildren(), tilesOf(player, frame)]);
      rows.forEach((row, at) => {
        row.className = [at === now ? "now" : at > now ? "later" : "",
          player.frames[at].parts ? "parts" : ""].join(" ").trim();
        if (at === now) { row.setAttribute("aria-current", "step"); } else { row.removeAttribute("aria-current"); }
      });
      range.value = now;
      range.setAttribute("aria-valuetext", title(player, frame));
      back.disabled = now === 0;
      forward.disabled = now === last;
      box.scrollTop = rows[now].offsetTop - box.clientHeight / 2;
    }
    function move(number) { live.setAttribute("aria-live", timer === null ? "polite" : "off"); show(number); follow(now); }
    function go(number) { stop(); move(number); }
    function step(by) { go(now + by); }
    function start() {
      play.textContent = "Pause";
      live.setAttribute("aria-live", "off");  // a step a second is too fast to be read out
      timer = setInterval(() => { move(now + 1); if (now === last) { stop(); } }, 1200);
      if (now === last) { move(0); }
    }
    function stop() {
      if (timer !== null) { clearInterval(timer); }
      timer = null;
      live.setAttribute("aria-live", "polite");
      play.textContent = "Play";
    }
    range.addEventListener("input", () => go(Number(range.value)));
    const keys = { ArrowRight: () => step(1), ArrowLeft: () => step(-1),
      Home: () => go(0), End: () => go(last), " ": () => play.click() };
    const node = el("div", { class: "player " + kind, role: "group", tabindex: 0,
      "aria-label": "Player of " + name + "; arrow keys step, space plays" },
      el("header", {}, badge(kind === "fails" ? "violated" : "holds", kind === "fails" ? "FAILS" : "PASSES"),
        el("h4", {}, kind === "fails" ? "The smallest that fails" : "The nearest that passes")),
      said,
      el("div", { class: "controls" }, back, play, forward, range,
        parting < 0 ? null : button("Where they part", { "data-act": "part" }, () => go(parting))),
      live, tiles,
      el("p", { class: "left dim" }, player.left_out),
      box,
      list(player.end, "ended"));
    node.addEventListener("keydown", (event) => {
      const own = event.target === range || (event.key === " " && event.target !== node && event.target !== box);
      if (own || !keys[event.key] || event.ctrlKey || event.altKey || event.metaKey) { return; }
      event.preventDefault();
      keys[event.key]();
    });
    return { node, show, go, last, stop,
      quiet: (number) => { stop(); live.setAttribute("aria-live", "off"); show(number); },
      followed: (act) => { follow = act; } };
  }

  // -- a conflict ----------------------------------------------------------------------------
  function ordersOf(orders, go) {
    const step = (text, frame) => [el("span", { class: "mono" }, text),
      go === null || frame === null ? null : button("step " + frame, { class: "to" }, () => go(frame))];
    return orders.map(([first, at, second, after], number) => [
      number ? ", and " : "", step(first, at), " comes before ", step(second, after)]);
  }
  function forcedOf(found, go) {
    if (!found.forced.length) { return found.other.length ? el("div", { class: "forced" }, list(found.other)) : null; }
    return el("div", { class: "forced" },
      el("h4", {}, found.forced_by_all ? "It fails exactly when" : "It fails when (as far as was executed)"),
      el("ul", {}, found.forced.map((orders, number) => el("li", {}, number ? "or when " : "",
        orders.length ? ordersOf(orders, number ? null : go) : "whatever the order of the steps"))));
  }
  function conflictOf(variant, first) {
    const found = variant.conflict, name = variant.id;
    let players = null;
    const place = el("div", {});
    if (!found.player) {
      place.append("Its steps are left out, because the page would get too big. They are in verdict.json.");
    }
    const box = el("details", {}, el("summary", {}, found.passing
      ? "Step through it, beside the nearest interleaving that passes" : "Step through the failing interleaving"), place);
    function build() {
      if (players || !found.player) { return players || []; }
      const fails = playerOf(found.player, "fails", name + ", failing", el("p", { class: "dim" }, found.replays));
      players = [fails];
      if (found.passing) {
        const said = el("p", { class: "dim" }, found.turned.length
          ? ["Here ", ordersOf(found.turned.slice(0, 2), null),
            found.turned.length > 2 ? `, and ${found.turned.length - 2} more orders differ` : "", "."]
          : "Here steps come in another order.");
        const passes = playerOf(found.passing, "passes", name + ", passing", said);
        players.push(passes);
        const both = el("input", { type: "checkbox" });
        both.checked = true;
        fails.followed((number) => { if (both.checked) { passes.quiet(number); } });
        passes.followed((number) => { if (both.checked) { fails.quiet(number); } });
        place.append(el("label", { class: "both" }, both, "Step through both together"));
      }
      place.append(el("div", { class: "pair" }, players.map((one) => one.node)), el("p", { class: "legend" },
        "A dot is a step of a user or a message. An arrow to a layer: the step may write there; from a layer: it may "
        + "read. \u2260: not what the origin holds at that moment; an invalidation may be on its way. \u21af: from here on they never agree again."));
      players.forEach((one) => one.show(0));
      return players;
    }
    function go(frame) { box.open = true; build()[0].go(frame); build()[0].node.scrollIntoView({ block: "nearest" }); }
    box.addEventListener("toggle", () => { if (box.open) { build(); } });
    if (first) { box.open = true; }
    prints.push(() => { for (const one of build()) { one.stop(); one.show(one.last); } box.open = true; });
    return el("article", { class: "conflict" },
      el("h3", {}, badgeOf(variant), " ", variant.name),
      el("p", { class: "summary" }, found.summary),
      pairs(found.told), forcedOf(found, found.player ? go : null), found.player ? box : place,
      copied("command", found.command), copied("token", found.token));
  }

  // -- variants side by side -------------------------------------------------------------------
  function bar(percent) {
    if (percent === null) { return null; }
    const part = percent > 0 ? Math.max(percent, 1) : 0;  // a small share must be seen, too
    return draw("svg", { class: "bar", viewBox: "0 0 100 1", preserveAspectRatio: "none", role: "img",
      "aria-label": percent + " % of schedules fail" },
      draw("rect", { class: "all", width: 100, height: 1 }), draw("rect", { class: "part", width: part, height: 1 }));
  }
  function cardOf(variant) {
    const stated = variant.as_stated ? (variant.stated ? "as stated" : "")
      : "NOT as stated: " + (variant.stated || "holds");
    const what = [variant.guarantee, variant.label, stated].filter(Boolean).join(", ");
    return el("article", { class: "card " + variant.verdict },
      el("header", {}, el("h3", {}, variant.name), badgeOf(variant)),
      what ? el("p", {}, what) : null,
      bar(variant.percent), pairs(variant.counts),
      el("p", { class: "coverage dim" }, variant.coverage), list(variant.why),
      variant.facts.length || variant.links.length
        ? el("details", {}, el("summary", {}, "More about it"), pairs(variant.facts), list(variant.links.map(link)))
        : null);
  }
  function overview() {
    return el("nav", { "aria-label": "Scenarios" }, el("ul", {}, data.groups.map((group, number) => el("li", {},
      el("a", { href: "#s" + number }, group.id), el("span", { class: "title" }, group.title),
      el("span", { class: "verdicts" }, group.variants.map(badgeOf))))));
  }
  function banner() {
    const gate = data.gate, good = gate ? gate.goes : data.as_stated;
    const name = !good ? "bad" : data.groups.length ? "good" : "open";  // nothing run is nothing proved
    return el("div", { class: "banner " + name },
      el("h1", {}, gate ? gate.verdict : data.headline),
      gate ? [el("p", {}, data.headline), list(gate.said)] : null,
      data.groups.length ? null : el("p", {}, "So nothing was proved. Scenarios are files named *.supercache.yaml; "
        + "the command \u201csupercache new\u201d writes one."));
  }

  const failing = data.groups.flatMap((group) => group.variants).filter((variant) => variant.conflict);
  const first = failing.find((variant) => !variant.as_stated) || failing[0];
  document.getElementById("page").replaceChildren(
    banner(),
    el("dl", { class: "about" }, data.about.map(
      ([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    data.groups.length > 1 ? overview() : "",
    ...data.groups.map((group, number) => el("section", { id: "s" + number },
      el("h2", {}, el("span", { class: "id" }, group.id), group.title),
      group.story ? el("p", { class: "story" }, group.story) : null,
      el("div", { class: "variants" }, group.variants.map(cardOf)),
      group.variants.filter((variant) => variant.conflict).map(
        (variant) => conflictOf(variant, variant === first)))));
  window.addEventListener("beforeprint", () => {
    prints.forEach((prepare) => prepare());
    for (const node of document.querySelectorAll(".conflict details")) { node.open = true; }
  });
})();
