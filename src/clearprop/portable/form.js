// The form of a standalone page: what is typed in is predicted as it is typed.

const model = JSON.parse(document.querySelector("#data").textContent);
const predict = predictor(model), form = document.querySelector("form"), answer = document.querySelector("#answer");

function shown(value) {
  return typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value);
}

function row(name, value) {
  const line = document.createElement("tr"), head = document.createElement("th"), cell = document.createElement("td");
  head.scope = "row";
  head.textContent = name;
  cell.textContent = shown(value);
  line.append(head, cell);
  return line;
}

function rows({ label, labels, probabilities, prediction }) {
  const { kind, labels: known, names } = model.answer;
  if (kind === "quantities") return prediction.map((each, j) => row(names[j] ?? `prediction ${j + 1}`, each));
  if (kind === "classes") return [row("answer", label), ...probabilities.map((p, j) => row(known[0][j], p))];
  if (kind === "indicators") return labels.map((each, j) => row(`label ${j}`, each));
  return labels.map((each, j) => row(names[j] ?? `answer ${j + 1}`, each));
}

function update() {
  const values = model.columns.map((_, k) => form.elements[`c${k}`].value);
  const said = document.querySelector("#said");
  try {
    const found = predict(model.named ? Object.fromEntries(model.columns.map(({ name }, k) => [name, values[k]])) : values);
    answer.replaceChildren(...rows(found));
    said.textContent = "";
  } catch (problem) {
    answer.replaceChildren();
    said.textContent = problem.message;
  }
}

form.addEventListener("input", update);
form.addEventListener("submit", (event) => event.preventDefault());
update();
