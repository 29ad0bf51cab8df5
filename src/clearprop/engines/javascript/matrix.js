// Tables of numbers, and the three products that a layer needs; a batch is rows, as in the reference.

export class Matrix {
  constructor(rows, columns, data = new Float64Array(rows * columns)) {
    if (data.length !== rows * columns) throw new RangeError(`${data.length} numbers for ${rows} x ${columns}`);
    this.rows = rows;
    this.columns = columns;
    this.data = data;
  }

  static of(rows) {
    const made = new Matrix(rows.length, rows[0].length);
    rows.forEach((row, i) => made.row(i).set(row));
    return made;
  }

  row(i) {
    return this.data.subarray(i * this.columns, (i + 1) * this.columns);
  }

  // Return the rows with these numbers, in their order.
  pick(numbers) {
    const made = new Matrix(numbers.length, this.columns);
    numbers.forEach((number, i) => made.row(i).set(this.row(number)));
    return made;
  }

  // Return f of every element, which also gets its column.
  map(f) {
    return new Matrix(this.rows, this.columns, this.data.map((x, i) => f(x, i % this.columns)));
  }

  // Return the product, element by element.
  times(other) {
    return new Matrix(this.rows, this.columns, this.data.map((x, i) => x * other.data[i]));
  }
}

// Return A Bᵀ: z = a Wᵀ.
export function productTransposed(A, B) {
  const made = new Matrix(A.rows, B.rows);
  for (let i = 0; i < A.rows; i++) {
    const a = A.row(i), out = made.row(i);
    for (let j = 0; j < B.rows; j++) {
      const b = B.row(j);
      let total = 0;
      for (let k = 0; k < a.length; k++) total += a[k] * b[k];
      out[j] = total;
    }
  }
  return made;
}

// Return A B: error = delta W.
export function product(A, B) {
  const made = new Matrix(A.rows, B.columns);
  for (let i = 0; i < A.rows; i++) addRows(made.row(i), A.row(i), B);
  return made;
}

// Return Aᵀ B: dC/dW is the sum of the outer products of delta and a.
export function transposedProduct(A, B) {
  const made = new Matrix(A.columns, B.columns);
  for (let i = 0; i < A.rows; i++) {
    const a = A.row(i), b = B.row(i);
    for (let j = 0; j < a.length; j++) {
      const out = made.row(j);
      for (let k = 0; k < b.length; k++) out[k] += a[j] * b[k];
    }
  }
  return made;
}

// Return the sum of the rows.
export function sumOfRows(A) {
  const total = new Float64Array(A.columns);
  for (let i = 0; i < A.rows; i++) A.row(i).forEach((x, j) => (total[j] += x));
  return total;
}

function addRows(out, factors, B) {
  for (let k = 0; k < B.rows; k++) {
    const b = B.row(k);
    for (let j = 0; j < b.length; j++) out[j] += factors[k] * b[j];
  }
}
