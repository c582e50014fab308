// Runs once for each of the four HTML parts of the page (js_on_load: `element`, `trigger` and `watch` are Gradio's).
// It passes clicks on to the server, moves through citations by arrow keys, and scrolls to what has just come.

const part = element.closest("#log, #sources, #document, #listing").id;
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";

async function copy(button) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.text);
    button.textContent = "Copied";
  } catch {  // only pages of this machine or over https may write to the clipboard
    button.textContent = "Not allowed by the browser";
  }
  setTimeout(() => (button.textContent = label), 2000);
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-event]");
  if (!button) return;
  if (button.dataset.event === "copy") return copy(button);
  if (button.dataset.event === "expand" && !button.closest("#document")) window.citationOpened = button;
  if (button.dataset.event === "collapse") requestAnimationFrame(() => {
    const at = document.activeElement;  // who has gone on elsewhere meanwhile, as to the next question, stays there
    if (at === document.body || element.contains(at)) window.citationOpened?.focus();
  });
  if (button.dataset.event === "select") document.querySelector("#sources").scrollIntoView({ block: "start", behavior: calm });
  trigger(button.dataset.event, { ...button.dataset });
});

element.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
  if (part === "document") {
    element.querySelectorAll(".step")[step > 0 ? 1 : 0]?.click();
    event.preventDefault();
  } else if (event.target.matches(".number")) {
    const numbers = [...element.querySelectorAll(".number")].filter((number) => number.checkVisibility());
    numbers[numbers.indexOf(event.target) + step]?.focus();
    event.preventDefault();
  }
});

if (part === "document") {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") element.querySelector(".close")?.click();
  });
  watch("value", () => {
    const open = element.querySelector(".page")?.dataset.place;
    for (const number of document.querySelectorAll(".number")) {
      const { turn, place } = number.dataset;
      if (open === `${turn}-${place}`) number.setAttribute("aria-current", "true");
      else number.removeAttribute("aria-current");
    }
    const words = element.querySelector("#cited") ?? element.querySelector(".text, .stale");
    if (!words) return;
    words.scrollIntoView({ block: "center", behavior: "auto" });
    (element.querySelector(".text") ?? words).focus({ preventScroll: true });
  });
}

if (part === "log") {
  watch("value", () => {
    const turns = element.querySelectorAll(".turn");
    turns[turns.length - 1]?.scrollIntoView({ block: "nearest", behavior: calm });
  });
}
