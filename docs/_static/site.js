// The theme's arrows that open a branch of the contents have no name for who does not see them.
document.addEventListener("DOMContentLoaded", () => {
  for (const arrow of document.querySelectorAll("summary:has(> .toctree-toggle)")) {
    const of = arrow.closest("li")?.querySelector("a")?.textContent.trim();
    arrow.setAttribute("aria-label", `What is under ${of}`);
  }
  // A table that scrolls in itself is reached by the keyboard.
  for (const table of document.querySelectorAll("table.table")) {
    if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
  }
});
