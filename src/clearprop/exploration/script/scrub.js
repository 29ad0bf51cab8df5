// The slider over the epochs of the run so far.

import { at } from "./elements.js";
import { here, scrubTo } from "./explorer.js";

export const scrub = {
  begin() {
    at("scrub").addEventListener("input", () => scrubTo(Number(at("scrub").value) * here.run.stepsPerEpoch));
  },

  show({ run, position }) {
    const { stepsPerEpoch } = run, all = Math.ceil(position.to / stepsPerEpoch), now = Math.floor(position.step / stepsPerEpoch);
    Object.assign(at("scrub"), { max: Math.max(1, all), value: now, disabled: all === 0 });
    const said = `epoch ${now.toLocaleString("en")} of ${all.toLocaleString("en")}`;
    at("scrub-says").textContent = said;
    at("scrub").setAttribute("aria-valuetext", said);
  },
};
