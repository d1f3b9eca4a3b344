// Looks for news every few seconds while somebody looks at the page, and changes only what has changed: what is being
// typed, and where the keyboard is, stay as they are.
"use strict";

const EVERY = 4000;
const parts = [...document.querySelectorAll("[data-live]")];
const shown = new Map(parts.map((part) => [part.id, part.innerHTML]));

function inLocalTime(part) {
  for (const time of part.querySelectorAll("time")) {
    time.textContent = new Date(time.dateTime).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  }
}

function toTheEnd(part) {
  part.scrollTop = part.scrollHeight;
}

async function look() {
  if (document.hidden) return;
  const answer = await fetch(document.body.dataset.look, { credentials: "same-origin" });
  if (answer.redirected || answer.status === 404) return location.reload();
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!fresh.body.dataset.look) return location.reload();
  for (const part of parts) {
    const news = fresh.getElementById(part.id)?.innerHTML;
    if (news === undefined || news === shown.get(part.id) || part.contains(document.activeElement) && part.id !== "lines") continue;
    const wasAtEnd = part.scrollHeight - part.scrollTop - part.clientHeight < 40;
    part.innerHTML = news;
    shown.set(part.id, news);
    inLocalTime(part);
    if (wasAtEnd) toTheEnd(part);
  }
  const button = document.getElementById("send");
  if (button) button.textContent = fresh.getElementById("send")?.textContent ?? button.textContent;
}

parts.forEach(inLocalTime);
parts.filter((part) => part.id === "lines").forEach(toTheEnd);
setInterval(() => look().catch(() => {}), EVERY);
document.addEventListener("visibilitychange", () => look().catch(() => {}));
