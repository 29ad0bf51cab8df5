// What a reader can take along, as files that the page makes itself.

import { at, element, say } from "./elements.js";
import { here } from "./explorer.js";
import { costsOf, filmOf } from "./film.js";
import { modelFile } from "./modelfile.js";
import { programOf } from "./program.js";

const FILES = {
  film: ["film.html", "text/html", filmOf],
  costs: ["costs.csv", "text/csv", costsOf],
  model: ["network.safetensors", "application/octet-stream", modelFile],
  program: ["goes_on.py", "text/x-python", programOf],
};

export const keep = {
  begin() {
    for (const [key, [name, type, of]] of Object.entries(FILES)) {
      at(`keep-${key}`).addEventListener("click", () => download(name, new Blob([of(here)], { type })));
    }
  },
};

function download(name, blob) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  say("kept", `${name}, ${Math.max(1, Math.round(blob.size / 1000))} kB, is among your downloads.`);
}
