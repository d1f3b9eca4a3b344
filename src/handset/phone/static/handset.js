// Keeps the page of phones up to date and sends what is typed. Everything works without it, by reloading.
"use strict";

(() => {
  const phones = document.getElementById("phones");
  const live = document.querySelector(".live");
  const local = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

  const element = (html) => {
    const holder = document.createElement("template");
    holder.innerHTML = html.trim();
    return holder.content.firstElementChild;
  };

  // -- time: the server writes UTC, the reader's zone is known here alone

  const localise = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      time.textContent = local.format(at);
      time.title = full.format(at);
    }
  };

  // -- the clock of Handset: a line through this machine's, which the server tells

  let line = JSON.parse(document.body.dataset.clock);
  const now = () => Date.parse(line.at) + (Date.now() - Date.parse(line.real_at)) * line.rate;

  const countDown = (root) => {
    for (const left of root.querySelectorAll("[data-closes-at]")) {
      const seconds = Math.floor((new Date(left.dataset.closesAt) - now()) / 1000);
      const line = left.closest(".line");
      if (seconds <= 0) {
        line.className = "line closed";
        line.querySelector(".say").innerHTML = "<strong>Window closed.</strong> Only templates get through";
        line.querySelector("progress")?.remove();
        continue;
      }
      const parts = [seconds / 3600, (seconds / 60) % 60, seconds % 60];
      left.textContent = `${parts.map((part) => String(Math.floor(part)).padStart(2, "0")).join(":")} left`;
      line.querySelector("progress").value = seconds;
    }
  };

  // -- the phones

  const atEnd = (scroll) => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
  const toEnd = (scroll) => { scroll.scrollTop = scroll.scrollHeight; };

  const settle = (root) => {
    for (const label of root.querySelectorAll(".attach")) label.hidden = false;  // a file needs this script
    localise(root);
    countDown(root);
  };

  const setLines = (phone, html) => {
    const lines = phone.querySelector(".lines");
    const focused = lines.contains(document.activeElement);
    lines.innerHTML = html;
    settle(lines);
    if (focused) (lines.querySelector("button") ?? phone.querySelector("textarea"))?.focus();
  };

  const count = () => {
    const number = phones.children.length;
    return `${number} ${number === 1 ? "phone" : "phones"}`;
  };

  const say = (state, text) => {
    live.dataset.state = state;
    live.querySelector(".say").textContent = text;
  };

  // The text stays: a reader's selection too, and a screen reader is told the news alone.
  const update = (old, fresh) => {
    old.className = fresh.className;
    old.dataset.status = fresh.dataset.status;
    const text = old.querySelector(".text");
    if (text.textContent !== fresh.querySelector(".text").textContent) text.textContent = fresh.querySelector(".text").textContent;
    const beside = old.querySelector(".beside");
    const news = fresh.querySelector(".beside");
    if (beside.innerHTML !== news.innerHTML) {
      const open = beside.querySelector("details")?.open;
      const focused = beside.contains(document.activeElement);
      beside.replaceWith(news);
      if (open && news.querySelector("details")) news.querySelector("details").open = true;
      if (focused) news.querySelector("button, summary")?.focus();
    }
    old.querySelector(".problem")?.remove();
    old.querySelector(".meta").replaceWith(fresh.querySelector(".meta"));
    const problem = fresh.querySelector(".problem");
    if (problem) old.querySelector(".meta").before(problem);
  };

  const onBubble = ({ phone: id, sid, html, lines }) => {
    const phone = document.getElementById(`phone-${id}`);
    if (!phone) return;
    const scroll = phone.querySelector(".scroll");
    const follow = atEnd(scroll);
    const fresh = element(html);
    settle(fresh);
    const old = document.getElementById(`m-${sid}`);
    if (old) update(old, fresh);
    else {
      fresh.classList.add("new");
      phone.querySelector(".log").append(fresh);
      if (fresh.classList.contains("theirs")) showTyping(phone, false);
    }
    setLines(phone, lines);
    if (follow || (!old && fresh.classList.contains("mine"))) toEnd(scroll);
  };

  // Shown until the answer comes, or for the 25 seconds that the indicator lasts.
  const endings = new WeakMap();
  const showTyping = (phone, on) => {
    const typing = phone?.querySelector(".typing");
    if (!typing) return;
    clearTimeout(endings.get(typing));
    typing.hidden = !on;
    if (on) endings.set(typing, setTimeout(() => { typing.hidden = true; }, 25_000));
  };
  const onTyping = ({ phone: id }) => {
    const phone = document.getElementById(`phone-${id}`);
    if (!phone) return;
    const scroll = phone.querySelector(".scroll");
    const follow = atEnd(scroll);
    showTyping(phone, true);
    if (follow) toEnd(scroll);
  };

  const onPhone = ({ phone: id, html }) => {
    const fresh = element(html);
    settle(fresh);
    const old = document.getElementById(`phone-${id}`);
    if (old) old.querySelector(".head").replaceWith(fresh.querySelector(".head"));
    else if (phones.children.length < Number(document.body.dataset.most)) phones.append(fresh);
    if (live.dataset.state === "on") say("on", count());
  };

  // -- faults: what stands, what acted, what reached a phone; asked for at most a few times a second

  const panel = document.getElementById("faults");
  const toggle = document.querySelector(".toggle");
  const said = document.getElementById("said");
  let renewing = null;

  const setPanel = (html) => {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    localise(holder.content);
    // what is being filled in stays, and so does the place of whoever walks by keyboard
    for (const part of [".standing", ".acted"]) {
      const old = panel.querySelector(part);
      const focused = old.contains(document.activeElement);
      old.replaceWith(holder.content.querySelector(part));
      if (focused) (panel.querySelector(`${part} button`) ?? panel.querySelector(".quicks button")).focus();
    }
  };

  const renew = async () => {
    renewing = null;
    try {
      const parts = await (await fetch("/faults/panel", { cache: "no-store" })).json();
      setPanel(parts.panel);
      const tally = document.getElementById("tally");
      if (tally.innerHTML.trim() !== parts.tally.trim()) tally.innerHTML = parts.tally;
      document.getElementById("standing").textContent = parts.standing;
    } catch {
      // the stream tells when Handset is gone
    }
  };
  const renewSoon = () => { renewing ??= setTimeout(renew, 250); };

  const show = (open) => {
    panel.hidden = !open;
    toggle.setAttribute("aria-expanded", String(open));
    history.replaceState(null, "", open ? "/?faults" : "/");
  };

  const submitFault = async (form, submitter) => {
    const fields = new URLSearchParams(new FormData(form, submitter));
    submitter?.setAttribute("aria-busy", "true");
    let problem = "";
    try {
      const answer = await fetch(form.action, { method: "POST", body: fields });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const told = page.getElementById("said");
      if (told && !told.hidden) {
        said.className = told.className;
        said.replaceChildren(...told.childNodes);
      }
      said.hidden = !told || told.hidden;
      if (!answer.ok) {
        problem = page.querySelector(".error")?.textContent.trim() ?? `Handset answered ${answer.status}.`;
      }
    } catch {
      problem = "Handset does not answer.";
    }
    submitter?.removeAttribute("aria-busy");
    document.querySelector(".error")?.remove();
    if (problem) {
      const told = Object.assign(document.createElement("p"), { className: "error", textContent: problem });
      told.setAttribute("role", "alert");
      panel.after(told);
    }
    await renew();
  };

  // Everything anew, but for what is being typed.
  const refresh = async () => {
    const answer = await fetch("/", { cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const wanted = page.querySelectorAll(".phone");
    const ids = new Set([...wanted].map((phone) => phone.id));
    for (const phone of phones.querySelectorAll(".phone")) if (!ids.has(phone.id)) phone.remove();
    for (const fresh of wanted) {
      const old = document.getElementById(fresh.id);
      if (!old) phones.append(document.adoptNode(fresh));
      else for (const part of [".head", ".log"]) old.querySelector(part).replaceWith(document.adoptNode(fresh.querySelector(part)));
      const phone = document.getElementById(fresh.id);
      if (old) setLines(phone, fresh.querySelector(".lines").innerHTML);
      settle(phone);
      toEnd(phone.querySelector(".scroll"));
    }
    say("on", count());
    renewSoon();
  };

  // -- typing

  const complain = (form, text) => {
    const complaint = form.querySelector(".complaint");
    if (!complaint) return;
    complaint.textContent = text;
    complaint.hidden = !text;
  };

  const grow = (area) => {
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 132)}px`;
  };

  const type = async (form, submitter) => {
    const area = form.querySelector("textarea");
    const body = submitter?.name === "quick" ? submitter.value : area?.value ?? "";
    if (!body.trim()) return;
    const fields = new FormData(form);
    if (area) { area.value = ""; grow(area); }
    complain(form, "");
    try {
      const answer = await fetch("/handset/v1/inbound", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ from: fields.get("from"), to: fields.get("to"), body }),
      });
      if (answer.ok) return;
      const told = await answer.json();
      complain(form, `${told.error}: ${told.hint}`);
    } catch {
      complain(form, "Handset does not answer. What you typed is still here.");
    }
    if (area && !area.value) { area.value = body; grow(area); }
  };

  // -- files and taps

  const post = async (path, body) => {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (answer.ok) return "";
    const told = await answer.json();
    return `${told.error}: ${told.hint}`;
  };

  const encoded = (file) => new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",", 2)[1] ?? "");
    reader.onerror = reject;
    reader.readAsDataURL(file);
  });

  const attach = async (input) => {
    const form = input.form;
    const file = input.files[0];
    if (!file) return;
    const area = form.querySelector("textarea");
    const fields = new FormData(form);
    complain(form, "");
    input.closest(".attach").setAttribute("aria-busy", "true");
    try {
      const media = [{ content_type: file.type.split(";")[0] || "application/octet-stream", content: await encoded(file) }];
      const typed = { from: fields.get("from"), to: fields.get("to"), body: area.value, media };
      const problem = await post("/handset/v1/inbound", typed);
      if (!problem) { area.value = ""; grow(area); }
      complain(form, problem);
    } catch {
      complain(form, "The file could not be sent.");
    }
    input.closest(".attach").removeAttribute("aria-busy");
    input.value = "";
  };

  const tap = async (form, submitter) => {
    const composer = form.closest(".phone").querySelector(".composer");
    try {
      complain(composer, await post("/handset/v1/taps", { message: form.elements.message.value, choice: submitter.value }));
    } catch {
      complain(composer, "Handset does not answer.");
    }
  };

  document.addEventListener("change", (event) => {
    if (event.target.matches(".attach input")) attach(event.target);
  });

  document.addEventListener("submit", (event) => {
    if (event.target.matches('form[action="/phones/messages"]')) {
      event.preventDefault();
      type(event.target, event.submitter);
    } else if (event.target.matches('form[action^="/faults"], form[action^="/buttons/"]')) {
      event.preventDefault();
      submitFault(event.target, event.submitter);
    } else if (event.target.matches(".choices")) {
      event.preventDefault();
      tap(event.target, event.submitter);
    } else if (event.target.matches(".forget") && !confirm("Forget all messages, windows and opt-outs?")) {
      event.preventDefault();
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.target.matches(".composer textarea")) {
      event.preventDefault();
      event.target.form.requestSubmit();
    } else if (event.key === "Escape") {
      const open = document.querySelector("details.pop[open]");
      if (open) { open.open = false; open.querySelector("summary").focus(); }
    }
  });

  document.addEventListener("input", (event) => {
    if (event.target.matches(".composer textarea")) grow(event.target);
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest(".toggle") && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      show(panel.hidden);
    }
    for (const open of document.querySelectorAll("details.pop[open]")) if (!open.contains(event.target)) open.open = false;
  });

  // -- the stream

  const follow = () => {
    const stream = new EventSource(`/phones/events?after=${encodeURIComponent(document.body.dataset.position)}`);
    // One after the other: what a refresh fetched would else put back what came while it was fetched.
    let turn = Promise.resolve();
    const on = (kind, act) => stream.addEventListener(kind, (event) => {
      turn = turn.then(() => act(JSON.parse(event.data))).catch(() => say("off", "Reconnecting"));
    });
    on("bubble", (data) => { onBubble(data); renewSoon(); });
    on("faults", renewSoon);
    on("clock", (data) => { line = data; countDown(document); renewSoon(); });
    on("phone", onPhone);
    on("lines", ({ phone: id, lines }) => {
      const phone = document.getElementById(`phone-${id}`);
      if (phone) setLines(phone, lines);
    });
    on("removed", ({ sid }) => { document.getElementById(`m-${sid}`)?.remove(); renewSoon(); });
    on("typing", onTyping);
    on("refresh", refresh);
    stream.addEventListener("open", () => say("on", count()));
    stream.addEventListener("error", () => say("off", "Reconnecting"));
  };

  settle(document);
  for (const scroll of document.querySelectorAll(".scroll")) toEnd(scroll);
  setInterval(() => countDown(document), 1000);
  follow();
})();
