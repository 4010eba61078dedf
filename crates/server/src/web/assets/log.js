// A log that grows. Its text is only ever set as text. It follows the end until the reader scrolls up.

const KEEP_CHARACTERS = 4_000_000;
const ERROR = /error:|error |fatal|failed|^error/i;
const WARNING = /warning/i;

export class LogView {
  constructor(view, button) {
    this.view = view;
    this.button = button;
    this.end = Number(view.dataset.end);
    this.following = true;
    this.characters = view.textContent.length;
    // The line that is not ended yet, for its kind shows only when it is whole.
    this.open = document.createTextNode("");
    view.append(this.open);
    view.addEventListener("scroll", () => this.scrolled());
    button.addEventListener("click", () => { this.following = true; this.toEnd(); this.view.focus(); });
  }

  append(part) {
    // What was shown already comes again when a stream is opened twice; nothing is shown twice.
    if (part.end <= this.end || part.offset > this.end) return;
    this.end = part.end;
    const lines = (this.open.data + part.text).split("\n");
    this.open.data = lines.pop();
    let plain = "";
    const fresh = document.createDocumentFragment();
    for (const line of lines) {
      const kind = ERROR.test(line) ? "err" : WARNING.test(line) ? "warn" : "";
      if (!kind) { plain += `${line}\n`; continue; }
      if (plain) fresh.append(plain);
      plain = "";
      const span = document.createElement("span");
      span.className = kind;
      span.textContent = `${line}\n`;
      fresh.append(span);
    }
    if (plain) fresh.append(plain);
    this.open.before(fresh);
    this.characters += part.text.length;
    this.shorten();
    if (this.following) this.toEnd();
  }

  // A browser that holds hundreds of megabytes is of no use; the whole log is a link away.
  shorten() {
    while (this.following && this.characters > KEEP_CHARACTERS && this.view.firstChild !== this.open) {
      this.characters -= this.view.firstChild.textContent.length;
      this.view.firstChild.remove();
    }
  }

  scrolled() {
    const below = this.view.scrollHeight - this.view.scrollTop - this.view.clientHeight;
    this.following = below < 24;
    this.button.hidden = this.following;
  }

  toEnd() {
    this.view.scrollTop = this.view.scrollHeight;
    this.button.hidden = true;
  }
}
