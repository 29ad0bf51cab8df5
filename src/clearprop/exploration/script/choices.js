// What a run is made of, as a form.

import { at, say } from "./elements.js";
import { go, here, stop } from "./explorer.js";
import { recipeOf, usuallyHeld } from "./recipe.js";

export const choices = {
  begin() {
    at("choices").addEventListener("change", onChoice);
    at("choices").addEventListener("submit", (event) => event.preventDefault());
  },

  another() {
    for (const field of at("choices").elements) if (field.name) field.value = here.position.recipe[field.name];
    say("refused", "");
  },
};

function onChoice() {
  const given = Object.fromEntries(new FormData(at("choices"))), { position } = here;
  try {
    if (given.data !== position.recipe.data) given.held = usuallyHeld(given.data);
    const recipe = recipeOf(given);
    stop();
    // Another rate, batch or optimizer is another run from the same start: a link has to lead there too.
    go({ recipe, edits: [], step: 0, row: recipe.data === position.recipe.data ? position.row : 0 });
  } catch (problem) {
    say("refused", problem.message);
  }
}
