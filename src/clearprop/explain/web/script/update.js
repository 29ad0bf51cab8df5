// The update of a pass that was made without a learning rate: the reader gives one. What depends on it is
// written where it stands, so that no field is taken from under the cursor.

import { element, numberOf, table } from "./elements.js";
import { edgeName } from "./network.js";
import { typed } from "../../../page/numbers.js";
import { text, value } from "./numbers.js";
import { change, data, state, told } from "./state.js";

export function rateField(id, ...after) {
  const wrong = element("span", { class: "verdict wrong", role: "status" });
  const field = element("input", {
    id,
    class: "rate",
    type: "text",
    inputmode: "decimal",
    size: 8,
    autocomplete: "off",
    value: state.rate ?? "",
    onchange: () => {
      const rate = typed(field.value);
      const isRate = rate > 0 && Number.isFinite(rate);
      const isEmpty = field.value.trim() === "";
      wrong.textContent = isRate || isEmpty ? "" : " A learning rate is a number above 0";
      change({ rate: isRate ? rate : null });
    },
  });
  return element("p", { class: "answer" }, element("label", { for: id }, "Which learning rate? "), field, " ", ...after, wrong);
}

// The same behind the formula of an update, with what its weight or bias becomes.
export function rateOf([, , i], [layer, ...units]) {
  const isUpdate = (data.nodes[i][2] ?? "=") !== "=";
  return isUpdate ? rateField("closer-rate", element("span", {}, "it becomes "), movedTo(`${layer}/${units.join(",")}`)) : null;
}

// What a weight (1/0,1) or a bias (1/0) becomes.
function movedTo(place) {
  return element("output", { "data-moved": place }, moved(place));
}

export function movedTable(layer) {
  const rows = Object.keys(told().weights)
    .filter((key) => key.startsWith(`${layer},`))
    .map((key) => [key, key.replace(",", "/")])
    .map(([key, place]) => [edgeName(key), numberOf(`weight/${place}`), numberOf(`weight_gradient/${place}`), movedTo(place)]);
  const heads = ["weight", told().heads.weight, told().heads.weight_gradient, "after the update"];
  return table("What the weights become", heads, rows);
}

function moved(place) {
  const kind = place.includes(",") ? "weight" : "bias";
  const [before, slope] = [value(`${kind}/${place}`), value(`${kind}_gradient/${place}`)];
  if (state.rate === null || before === undefined || slope === undefined) return "";
  const factor = data.rate_factors[Number(place.split("/")[0]) - 1][kind === "weight" ? 0 : 1];
  const after = before - state.rate * factor * slope;
  return text(data.single ? Math.fround(after) : after);
}

export function showRates() {
  for (const each of document.querySelectorAll("[data-moved]")) each.textContent = moved(each.dataset.moved);
  for (const field of document.querySelectorAll("input.rate")) {
    if (field !== document.activeElement || state.rate !== null) field.value = state.rate ?? field.value;
  }
}
