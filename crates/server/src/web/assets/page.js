// Every page: times in the reader's own zone, and a hand-in form that cannot be sent twice.

for (const time of document.querySelectorAll("time")) localise(time);

for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", () => {
    const button = form.querySelector("button[type=submit]");
    // After the form's data was taken, for a disabled button would be left out of it.
    setTimeout(() => { button.disabled = true; });
    // A page that comes back from the history must work again.
    addEventListener("pageshow", () => { button.disabled = false; }, { once: true });
  });
}

export function localise(time) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.valueOf())) {
    time.title = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
  }
}
