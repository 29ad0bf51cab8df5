// Tables of numbers, and the three products that a layer needs; a batch is rows, as in the reference.

export class Matrix {
  constructor(rows, columns, data = new Float64Array(rows * columns)) {
    this.rows = rows;
    this.columns = columns;
    this.data = data;
  }

  static of(rows) {
    const made = new Matrix(rows.length, rows[0].length);
    rows.forEach((row, i) => {
      if (row.length !== made.columns) {
        throw new RangeError(`rows must be of one length, got ${made.columns} and ${row.length} numbers`);
      }
      made.row(i).set(row);
    });
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
    const made = new Matrix(this.rows, this.columns);
    for (let i = 0; i < made.data.length; i++) made.data[i] = f(this.data[i], i % this.columns);
    return made;
  }

  // Return the product, element by element.
  times(other) {
    const made = new Matrix(this.rows, this.columns);
    for (let i = 0; i < made.data.length; i++) made.data[i] = this.data[i] * other.data[i];
    return made;
  }
}

// Return A Bᵀ: z = a Wᵀ.
export function productTransposed(A, B) {
  const made = new Matrix(A.rows, B.rows), n = A.columns;
  for (let i = 0; i < A.rows; i++) {
    for (let j = 0; j < B.rows; j++) {
      let total = 0;
      for (let k = 0; k < n; k++) total += A.data[i * n + k] * B.data[j * n + k];
      made.data[i * B.rows + j] = total;
    }
  }
  return made;
}

// Return A B: error = delta W.
export function product(A, B) {
  const made = new Matrix(A.rows, B.columns), n = B.columns;
  for (let i = 0; i < A.rows; i++) {
    for (let j = 0; j < B.rows; j++) {
      const factor = A.data[i * B.rows + j];
      for (let k = 0; k < n; k++) made.data[i * n + k] += factor * B.data[j * n + k];
    }
  }
  return made;
}

// Return Aᵀ B: dC/dW is the sum of the outer products of delta and a.
export function transposedProduct(A, B) {
  const made = new Matrix(A.columns, B.columns), n = B.columns;
  for (let i = 0; i < A.rows; i++) {
    for (let j = 0; j < A.columns; j++) {
      const factor = A.data[i * A.columns + j];
      for (let k = 0; k < n; k++) made.data[j * n + k] += factor * B.data[i * n + k];
    }
  }
  return made;
}

// Return the sum of the rows.
export function sumOfRows(A) {
  const total = new Float64Array(A.columns);
  for (let i = 0; i < A.data.length; i++) total[i % A.columns] += A.data[i];
  return total;
}
