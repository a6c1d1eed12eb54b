// Checks a genome while a person writes it: mistakes at their line, costs, the picture, whether the study takes it.
"use strict";

const WAIT = 350; // milliseconds after the last key

for (const form of document.querySelectorAll("form[data-check]")) {
  const text = form.elements.text, answer = form.querySelector(".checked"), drawn = form.querySelector(".preview");
  let soon = 0, turn = 0;

  async function check() {
    const mine = ++turn;
    const asked = new URLSearchParams({ token: form.elements.token.value, text: text.value });
    const got = await fetch(form.dataset.check, { method: "POST", body: asked, credentials: "same-origin" }).catch(() => null);
    if (mine !== turn || !got) return;
    if (!got.ok) return tell(["The text could not be checked."], true);
    show(await got.json());
  }

  function show(found) {
    text.setAttribute("aria-invalid", String(found.mistakes.length > 0));
    if (found.mistakes.length) {
      drawn.classList.add("old");
      return tell(found.mistakes.map(mistake), true);
    }
    drawn.classList.remove("old");
    const takes = found.refused ?? "The study takes it.";
    tell([`${found.costs}. ${takes}`], Boolean(found.refused));
    const picture = new DOMParser().parseFromString(found.picture.replace(/<style>[^]*?<\/style>/, ""), "image/svg+xml").documentElement;
    for (const link of picture.querySelectorAll("a")) link.replaceWith(...link.childNodes);
    drawn.replaceChildren(document.importNode(picture, true));
  }

  function mistake({ line, says }) {
    if (line === null) return says;
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: `line ${line}` });
    button.addEventListener("click", () => select(line));
    const item = document.createElement("span");
    item.append(button, ` ${says}`);
    return item;
  }

  function select(line) {
    const lines = text.value.split("\n"), start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    text.focus();
    text.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
  }

  function tell(parts, is_wrong) {
    answer.classList.toggle("trouble", is_wrong);
    answer.replaceChildren(...parts.map((part) => {
      const line = document.createElement("div");
      line.append(part);
      return line;
    }));
  }

  text.addEventListener("input", () => {
    clearTimeout(soon);
    soon = setTimeout(check, WAIT);
  });
  form.closest("details").addEventListener("toggle", (event) => {
    if (event.target.open && text.value.trim()) check();
  });
}
